//! What a server gathers over weeks is not gone over again: a long audit, and queue rows that an old snapshot keeps.

use postgres::Client;

use crate::blog;
use crate::harness::{shared, Ask, Database, WAIT};

/// Rows of the audit that stand for those of weeks.
const MANY: i64 = 30_000;

/// Rows of the audit that statements have read, by whatever way. What refreshes did is counted some time after their commit.
fn audit_rows_read(client: &mut Client) -> i64 {
    client.run("SELECT pg_stat_force_next_flush()");
    client.wait_until(
        "SELECT n_tup_ins >= (SELECT max(audit_id) FROM pg_tview_meta_audit)
           FROM pg_stat_user_tables WHERE relname = 'pg_tview_meta_audit'",
        WAIT,
    );
    client.one(
        "SELECT (t.seq_tup_read + sum(i.idx_tup_read))::bigint
           FROM pg_stat_user_tables t JOIN pg_stat_user_indexes i USING (relid)
          WHERE t.relname = 'pg_tview_meta_audit' GROUP BY t.seq_tup_read",
    )
}

/// Makes the audit as long as if one TVIEW had been refreshed all the time, and another not at all. Bit by bit: a worker that looks
/// meanwhile goes over what is not committed.
fn age(client: &mut Client, busy: &str) {
    client.run(&format!(
        "DO $$ BEGIN FOR i IN 1..{MANY} / 100 LOOP
             INSERT INTO pg_tview_meta_audit (entity_name, tview_oid, operation, status, oldest_change_at, started_at, finished_at,
                                              position, total_refreshes, total_rows_written)
             SELECT a.entity_name, a.tview_oid, 'refresh', 'SUCCESS', a.started_at, a.started_at, a.finished_at, a.position, 1, 1
               FROM (SELECT * FROM pg_tview_meta_audit WHERE entity_name = '{busy}' AND position IS NOT NULL
                      ORDER BY audit_id DESC LIMIT 1) a, generate_series(1, 100);
             COMMIT;
         END LOOP; END $$"
    ));
    client.run("ANALYZE pg_tview_meta_audit");
}

#[test]
fn a_long_audit_is_not_read() {
    let database = Database::new(shared(), "long_audit");
    let mut client = database.client();
    for entity in ["quiet", "busy"] {
        client.run(&format!(
            "CREATE TABLE tb_{entity} (pk_{entity} int PRIMARY KEY, n int);
             INSERT INTO tb_{entity} SELECT i, 0 FROM generate_series(1, 3) i;
             SELECT pg_tviews_create('{entity}', 'SELECT pk_{entity}, n FROM tb_{entity}')"
        ));
    }
    client.assert_follows(&["quiet", "busy"]);
    age(&mut client, "busy");
    // What workers read meanwhile, they report a second later.
    std::thread::sleep(std::time::Duration::from_secs(2));
    for what in [
        "UPDATE tb_quiet SET n = n + 1",
        "UPDATE tb_busy SET n = n + 1",
        "SELECT * FROM pg_tview_status",
        "SELECT * FROM pg_tviews_health_check()",
        "SELECT * FROM pg_tviews_pending('quiet')",
        "SELECT * FROM pg_tviews_pending('busy')",
        "SELECT pg_tviews_pause('quiet'), pg_tviews_pause('busy')",
        "SELECT pg_tviews_resume('quiet'), pg_tviews_resume('busy')",
        "CALL pg_tviews_drain()",
        "CREATE OR REPLACE VIEW v_quiet AS SELECT pk_quiet, n FROM tb_quiet",
        "CREATE OR REPLACE VIEW v_busy AS SELECT pk_busy, n FROM tb_busy",
    ] {
        let before = audit_rows_read(&mut client);
        client.run(what);
        if !what.contains("pause") {
            client.assert_follows(&["quiet", "busy"]);
        }
        let read = audit_rows_read(&mut client) - before;
        assert!(read < MANY / 3, "{what}: {read} rows of the audit were read");
    }
}

#[test]
fn totals_outlive_the_rows_they_count() {
    let (_database, mut client) = blog::open(shared(), "totals");
    for i in 0..5 {
        client.run(&format!("UPDATE tb_user SET name = 'n{i}' WHERE pk_user <= 3"));
        client.assert_follows(&blog::ENTITIES);
    }
    // What fails counts for nothing.
    client.run(
        "CREATE TABLE tb_ratio (pk_ratio int PRIMARY KEY, a int NOT NULL, b int NOT NULL);
         INSERT INTO tb_ratio VALUES (1, 6, 3), (2, 8, 2);
         SELECT pg_tviews_create('ratio', 'SELECT pk_ratio, a / b AS ratio FROM tb_ratio');
         UPDATE tb_ratio SET a = 12 WHERE pk_ratio = 1",
    );
    client.assert_follows(&["ratio"]);
    client.run("DROP VIEW v_ratio; UPDATE tb_ratio SET a = 24 WHERE pk_ratio = 1");
    client.wait_until(
        "SELECT last_error IS NOT NULL FROM pg_tview_status WHERE entity_name = 'ratio'",
        WAIT,
    );
    let status =
        "SELECT entity_name, refreshes, rows_written, last_refresh_at FROM pg_tview_status ORDER BY 1";
    let counted = client.rows(
        "SELECT entity_name, count(*) FILTER (WHERE operation IN ('refresh', 'populate')),
                coalesce(sum(rows_inserted + rows_updated + rows_deleted), 0), max(finished_at)
           FROM pg_tview_meta_audit WHERE position IS NOT NULL GROUP BY 1 ORDER BY 1",
    );
    assert_eq!(client.rows(status), counted);
    assert!(
        counted.len() == 5
            && counted
                .iter()
                .any(|row| row.starts_with("feed|") && !row.contains("|0|")),
        "{counted:?}"
    );
    // As the retention does.
    client.run(
        "DELETE FROM pg_tview_meta_audit a
          WHERE EXISTS (SELECT 1 FROM pg_tview_meta_audit b WHERE b.tview_oid = a.tview_oid AND b.position IS NOT NULL AND b.audit_id > a.audit_id)",
    );
    assert_eq!(client.rows(status), counted);
    // The table may be older than the TVIEW.
    let (feed, query) = blog::TVIEWS[2];
    client.run(&format!(
        "SELECT pg_tviews_drop('{feed}', keep_table => true); SELECT pg_tviews_create('{feed}', $${query}$$)"
    ));
    assert!(client.one::<bool>("SELECT pg_tviews_wait('feed')"));
    client.assert_views_equal(&[feed]);
    let refreshes = format!("SELECT refreshes FROM pg_tview_status WHERE entity_name = '{feed}'");
    assert_eq!(client.rows(&refreshes), ["0"]);
}

#[test]
fn queue_rows_that_an_old_snapshot_keeps_are_passed_over() {
    let (database, mut client) = blog::open(shared(), "kept_queue_rows");
    client.assert_follows(&blog::ENTITIES);
    let mut old = database.client();
    old.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM tb_user");
    let many = 3_000;
    client.run(&format!(
        "DO $$ BEGIN FOR i IN 1..{many} LOOP UPDATE tb_user SET score = i WHERE pk_user = 1; COMMIT; END LOOP; END $$"
    ));
    client.assert_follows(&blog::ENTITIES);
    client.assert_queue_empties();
    let blocks: i64 = client.one("SELECT pg_relation_size('pg_tview_queue') / 8192");
    assert!(blocks > 25, "{blocks}");
    // Trims read all, as often as there is time for.
    let read = format!(
        "SELECT heap_blks_read + heap_blks_hit - seq_scan * {blocks}
           FROM pg_statio_user_tables JOIN pg_stat_user_tables USING (relid, relname) WHERE relname = 'pg_tview_queue'"
    );
    // Until writers and workers have reported all that.
    client.run("SELECT pg_stat_force_next_flush()");
    client.wait_until(
        &format!(
            "SELECT n_tup_ins >= {many} AND n_tup_del >= {many} FROM pg_stat_user_tables WHERE relname = 'pg_tview_queue'"
        ),
        WAIT,
    );
    let before: i64 = client.one(&read);
    // Each has a worker look at once.
    let times = 20;
    for i in 0..times {
        client.run(&format!(
            "BEGIN; UPDATE tb_user SET name = 'prepared {i}' WHERE pk_user = 2"
        ));
        client.run(&format!("PREPARE TRANSACTION 'old{i}'"));
        client.run(&format!("COMMIT PREPARED 'old{i}'"));
        client.assert_follows(&blog::ENTITIES);
    }
    client.run("SELECT pg_stat_force_next_flush()");
    client.wait_until(
        "SELECT n_tup_ins >= (SELECT max(audit_id) FROM pg_tview_meta_audit)
           FROM pg_stat_user_tables WHERE relname = 'pg_tview_meta_audit'",
        WAIT,
    );
    let read = client.one::<i64>(&read) - before;
    // Each change is looked for several times. Both workers may look at everything once.
    assert!(
        read < blocks * times,
        "{read} blocks were read, {times} times {blocks} were there"
    );
    old.run("ROLLBACK");
}
