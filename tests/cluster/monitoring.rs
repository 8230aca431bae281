//! What pg_tview_status and pg_tview_meta_audit say about work that really happened.

use crate::blog;
use crate::harness::{shared, Ask, WAIT};

#[test]
fn status_shows_a_healthy_tview() {
    let (_database, mut client) = blog::open(shared(), "status");
    for i in 0..10 {
        client.run(&format!("UPDATE tb_user SET name = 's{i}' WHERE pk_user = 1"));
        assert!(client.one::<bool>("SELECT pg_tviews_wait()"));
    }
    client.assert_queue_empties();
    let rows = client.rows(
        "SELECT entity_name, tview_oid::regclass, state, pending_changes, oldest_pending_at, within_bound,
                max_latency IS NOT NULL, last_refresh_at > now() - interval '1 minute', refreshes >= 1,
                rows_written >= 10, last_error
           FROM pg_tview_status WHERE entity_name = 'user'",
    );
    assert_eq!(rows, ["user|tv_user|active|0|~|t|t|t|t|t|~"]);
    let plausible =
        "SELECT latency_p50_ms > 0 AND latency_p50_ms <= latency_p95_ms AND latency_p95_ms <= latency_p99_ms
                        AND latency_p99_ms < 30000 FROM pg_tview_status WHERE entity_name = 'user'";
    assert!(
        client.one::<bool>(plausible),
        "{:?}",
        client.rows("SELECT * FROM pg_tview_status")
    );
    assert_eq!(client.rows("SELECT count(*) FROM pg_tview_status"), ["4"]);
}

#[test]
fn status_shows_the_backlog_of_a_paused_tview() {
    let (_database, mut client) = blog::open(shared(), "backlog");
    client.assert_follows(&blog::ENTITIES);
    client.run("SELECT pg_tviews_pause('user'); UPDATE pg_tview_meta SET max_latency = '100 ms' WHERE entity_name = 'user'");
    for _ in 0..3 {
        client.run("UPDATE tb_user SET name = name || '+' WHERE pk_user = 1");
    }
    client.wait_until(
        "SELECT lag > interval '300 ms' FROM pg_tview_status WHERE entity_name = 'user'",
        WAIT,
    );
    let rows = client.rows(
        "SELECT state, pending_changes > 0, oldest_pending_at IS NOT NULL, within_bound, max_latency
           FROM pg_tview_status WHERE entity_name = 'user'",
    );
    assert_eq!(rows, ["paused|t|t|f|00:00:00.1"]);
    client.run("SELECT pg_tviews_resume('user')");
    client.assert_follows(&blog::ENTITIES);
    client.wait_until(
        "SELECT within_bound AND pending_changes = 0 FROM pg_tview_status WHERE entity_name = 'user'",
        WAIT,
    );
}

#[test]
fn audit_row_of_a_refresh_is_plausible() {
    let (_database, mut client) = blog::open(shared(), "audit");
    client.assert_follows(&blog::ENTITIES);
    let last = client.one::<i64>("SELECT max(audit_id) FROM pg_tview_meta_audit");
    client.run(
        "BEGIN; UPDATE tb_user SET name = 'audited' WHERE pk_user = 1; DELETE FROM tb_user WHERE pk_user = 2;
         INSERT INTO tb_user (pk_user, name) VALUES (77, 'in'); COMMIT",
    );
    client.assert_follows(&blog::ENTITIES);
    let workers = client.workers();
    let new = format!(
        "FROM pg_tview_meta_audit WHERE audit_id > {last} AND entity_name = 'user' AND changes_read > 0"
    );
    let rows = client.rows(&format!(
        "SELECT tview_oid = 'tv_user'::regclass, operation, keys_refreshed, rows_inserted, rows_updated, rows_deleted,
                oldest_change_at <= started_at, started_at <= finished_at,
                finished_at - oldest_change_at < interval '10 s', sqlstate, message {new}"
    ));
    assert_eq!(rows.len(), 1, "{rows:?}");
    let fields: Vec<&str> = rows[0].split('|').collect();
    assert_eq!(fields[0], "t");
    assert!(fields[1].to_lowercase().contains("refresh"), "{rows:?}");
    assert_eq!(fields[2..], ["3", "1", "1", "1", "t", "t", "t", "~", "~"]);
    assert!(
        workers.contains(&client.one::<i32>(&format!("SELECT worker_pid {new}"))),
        "not a worker's pid"
    );
}

#[test]
fn management_actions_are_audited() {
    let (_database, mut client) = blog::open(shared(), "managed");
    client.run(
        "CREATE ROLE keeper SUPERUSER; SET ROLE keeper;
         CREATE TABLE tb_item (pk_item int PRIMARY KEY, fk_user bigint, n int);
         CREATE TABLE tv_item (pk_item int PRIMARY KEY, fk_user bigint, data jsonb);
         INSERT INTO tb_item VALUES (1, 1, 1);
         SELECT pg_tviews_auto_convert();
         SELECT pg_tviews_create('item', 'SELECT pk_item, fk_user, jsonb_build_object(''n'', 6 / n) AS data FROM tb_item')",
    );
    client.run("UPDATE pg_tview_meta SET max_latency = '1 s' WHERE entity_name = 'item'");
    client.run("UPDATE pg_tview_meta SET fk_columns = '{fk_user}' WHERE entity_name = 'item'");
    client.run("SELECT pg_tviews_pause('item')");
    client.run("SELECT pg_tviews_resume('item')");
    client.run("INSERT INTO tb_item VALUES (2, 1, 0)");
    client.wait_until("SELECT count(*) = 1 FROM pg_tview_dead_letter", WAIT);
    client.run("SELECT pg_tviews_retry('item')");
    client.run("SELECT pg_tviews_retry('user')");
    client.run("SELECT pg_tviews_drop('item')");
    let actions = client.rows(
        "SELECT operation, details - 'role' FROM pg_tview_meta_audit
          WHERE entity_name IN ('item') AND operation NOT IN ('refresh', 'populate') ORDER BY audit_id",
    );
    assert_eq!(
        actions,
        [
            r#"create|{"effect": "created", "function": "pg_tviews_auto_convert"}"#,
            r#"redefine|{"effect": "redefined", "function": "pg_tviews_create"}"#,
            r#"configure|{"max_latency_seconds": 1.0}"#,
            r#"redefine|{"fk_columns": ["fk_user"]}"#,
            "pause|{}",
            "resume|{}",
            r#"retry|{"keys": 1}"#,
            "drop|{}",
        ]
    );
    let by_whom = "SELECT bool_and(details ->> 'role' = 'keeper' AND status = 'SUCCESS' AND now() - finished_at < interval '1 minute'
                      AND worker_pid = pg_backend_pid())
                     FROM pg_tview_meta_audit WHERE entity_name = 'item' AND operation NOT IN ('refresh', 'populate')";
    assert!(client.one::<bool>(by_whom));
    // A retry without dead keys is none.
    assert_eq!(
        client.rows("SELECT count(*) FROM pg_tview_meta_audit WHERE operation = 'retry'"),
        ["1"]
    );
    client.run("RESET ROLE; REASSIGN OWNED BY keeper TO postgres; DROP OWNED BY keeper; DROP ROLE keeper");
}

#[test]
fn failing_refresh_is_visible_and_heals() {
    let (_database, mut client) = blog::open(shared(), "failing");
    client.run(
        "CREATE TABLE tb_ratio (pk_ratio int PRIMARY KEY, a int NOT NULL, b int NOT NULL);
         INSERT INTO tb_ratio VALUES (1, 6, 3), (2, 8, 2)",
    );
    client.run("SELECT pg_tviews_create('ratio', 'SELECT pk_ratio, a / b AS ratio FROM tb_ratio')");
    client.assert_follows(&["ratio"]);
    client.run("UPDATE tb_ratio SET b = 0 WHERE pk_ratio = 1");
    client.wait_until(
        "SELECT count(*) > 0 FROM pg_tview_meta_audit WHERE entity_name = 'ratio' AND sqlstate = '22012'",
        WAIT,
    );
    client.wait_until(
        "SELECT last_error ~ 'division by zero' FROM pg_tview_status WHERE entity_name = 'ratio'",
        WAIT,
    );
    client.run("UPDATE tb_user SET name = 'others go on' WHERE pk_user = 1");
    client.wait_until(
        "SELECT data->>'name' = 'others go on' FROM tv_user WHERE pk_user = 1",
        WAIT,
    );
    client.run("UPDATE tb_ratio SET b = 1 WHERE pk_ratio = 1");
    client.wait_until("SELECT ratio = 6 FROM tv_ratio WHERE pk_ratio = 1", WAIT);
    client.assert_follows(&blog::ENTITIES);
    client.assert_follows(&["ratio"]);
}
