//! All rows of a large TVIEW are compared in batches: changes are applied meanwhile, and nothing that happens in between makes
//! the rows wrong.

use std::time::Duration;

use postgres::Client;

use crate::harness::{Ask, Cluster, Database, Options, Random, WAIT};
use crate::slow_documents::{self, cluster_always_in_batches as cluster};

const ROWS: i32 = 3_000;
const UNDER_WAY: &str = "SELECT batches > 0 FROM pg_tview_comparison";

/// Rows that take a while, so that a comparison of all of them takes seconds.
fn open<'a>(cluster: &'a Cluster, name: &str) -> (Database<'a>, Client) {
    slow_documents::create(cluster, name, (ROWS, 3, 100_000))
}

fn nothing_is_left(client: &mut Client) {
    slow_documents::nothing_is_left(client, "pg_tview_comparison");
    assert_eq!(
        client.rows("SELECT state FROM pg_tview_meta WHERE entity_name = 'doc'"),
        ["active"]
    );
}

/// How often a comparison in batches has begun, or was asked for once more.
fn comparisons(client: &mut Client) -> i64 {
    client.one("SELECT count(*) FROM pg_tview_meta_audit WHERE operation = 'compare'")
}

#[test]
fn changes_are_applied_while_a_new_tview_is_filled() {
    let cluster = cluster();
    let (_database, mut client) = open(&cluster, "compare_fill");
    client.wait_until(UNDER_WAY, WAIT);
    assert_eq!(
        client.rows(
            "SELECT state, populates FROM pg_tview_meta m JOIN pg_tview_comparison c USING (tview_oid)"
        ),
        ["populating|t"]
    );
    let last = ROWS - 1;
    client.run(&format!(
        "UPDATE tb_doc SET n = 2 WHERE pk_doc = {last}; DELETE FROM tb_doc WHERE pk_doc = 1"
    ));
    client.wait_until(
        &format!(
            "SELECT n = 2 AND EXISTS (SELECT 1 FROM pg_tview_comparison) AND NOT EXISTS (SELECT 1 FROM tv_doc WHERE pk_doc = 1)
               FROM tv_doc WHERE pk_doc = {last}"
        ),
        WAIT,
    );
    // What was said before is in the table, but not all of the rest.
    assert!(client.one::<bool>(&format!("SELECT pg_tviews_wait('doc', key => '{last}')")));
    assert!(!client.one::<bool>("SELECT pg_tviews_wait('doc', timeout => '1 ms')"));
    assert!(client.one::<bool>("SELECT count(*) > 0 FROM pg_tviews_pending('doc')"));
    nothing_is_left(&mut client);
    assert_eq!(
        client.rows("SELECT operation, status, rows_inserted, rows_deleted FROM pg_tview_meta_audit WHERE operation = 'populate'"),
        // The first row was in the first batch; the one that changed is written by its refresh.
        [format!("populate|SUCCESS|{}|0", ROWS - 1)]
    );
    assert_eq!(comparisons(&mut client), 1);
}

#[test]
fn a_small_view_and_one_that_is_computed_as_a_whole_are_compared_at_once() {
    let cluster = cluster();
    let database = Database::new(&cluster, "compare_at_once");
    let mut client = database.client();
    client.run(
        "CREATE TABLE tb_doc (pk_doc int PRIMARY KEY, n int);
         INSERT INTO tb_doc SELECT i, i FROM generate_series(1, 300) i;
         CREATE TABLE tb_row (pk_row int PRIMARY KEY, n int);
         INSERT INTO tb_row SELECT i, i FROM generate_series(1, 40000) i;",
    );
    client.run("SELECT pg_tviews_create('doc', 'SELECT pk_doc, n FROM tb_doc'), pg_tviews_create('row', 'SELECT pk_row, rank() OVER (ORDER BY n) AS place FROM tb_row')");
    client.assert_follows(&["doc", "row"]);
    client.run("SELECT pg_tviews_refresh('doc'), pg_tviews_refresh('row')");
    client.assert_follows(&["doc", "row"]);
    assert_eq!(comparisons(&mut client), 0);
}

#[test]
fn whatever_happens_in_between() {
    let cluster = cluster();
    let (database, mut client) = open(&cluster, "compare_between");
    let mut random = Random::announced("whatever_happens_in_between");
    let mut other = database.client();
    for event in [
        "SELECT 1",
        "CALL pg_tviews_drain()",
        "SELECT pg_tviews_pause('doc'); SELECT pg_tviews_resume('doc')",
        "SELECT pg_tviews_refresh('doc')",
        "SELECT pg_tviews_create('doc', 'SELECT pk_doc, n, slowly(pk_doc, n) + 1 AS slow FROM tb_doc')",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type LIKE 'pg_tviews%' AND datname = current_database()",
        "TRUNCATE tb_doc; INSERT INTO tb_doc SELECT i, 7 FROM generate_series(1, 2500) i",
        "DROP VIEW v_doc; ALTER TABLE tb_doc ALTER n TYPE bigint;
         CREATE VIEW v_doc AS SELECT pk_doc, n::int AS n, slowly(pk_doc, n::int) AS slow FROM tb_doc",
    ] {
        client.wait_until(UNDER_WAY, WAIT);
        for _ in 0..15 {
            let key = random.upto(ROWS as u64 + 100);
            match random.upto(4) {
                0 => client.run(&format!("DELETE FROM tb_doc WHERE pk_doc = {key}")),
                1 => client.run(&format!("INSERT INTO tb_doc VALUES ({key}, 3) ON CONFLICT DO NOTHING")),
                2 => client.run(&format!("UPDATE tb_doc SET pk_doc = pk_doc + 10000 WHERE pk_doc = {key}")),
                _ => client.run(&format!("UPDATE tb_doc SET n = n % 50 + 1 WHERE pk_doc = {key}")),
            }
        }
        match event.starts_with("SELECT pg_tviews_pause") {
            true => event.split("; ").for_each(|statement| other.run(statement)),
            false => other.run(event),
        }
        for _ in 0..15 {
            let key = random.upto(ROWS as u64 + 100);
            client.run(&format!("UPDATE tb_doc SET n = n % 50 + 1 WHERE pk_doc = {key}"));
        }
        nothing_is_left(&mut client);
        client.run("SELECT pg_tviews_refresh('doc')");
    }
    nothing_is_left(&mut client);
}

#[test]
fn a_crash_in_the_middle_loses_nothing() {
    let cluster = cluster();
    let (database, mut client) = open(&cluster, "compare_crash");
    for populates in [true, false] {
        if !populates {
            client.run("SELECT pg_tviews_refresh('doc')");
        }
        client.wait_until(UNDER_WAY, WAIT);
        let before = comparisons(&mut client);
        client.run("UPDATE tb_doc SET n = n + 1 WHERE pk_doc % 1000 = 7");
        let pid = client.workers()[0];
        cluster.kill(pid, &mut client, &database.name);
        nothing_is_left(&mut client);
        // It went on where it was.
        assert!(comparisons(&mut client) <= before);
    }
}

#[test]
fn a_key_that_fails_is_the_only_one_and_heals_in_the_next_comparison() {
    let cluster = cluster();
    let (_database, mut client) = open(&cluster, "compare_poison");
    client.run("UPDATE tb_doc SET n = 0 WHERE pk_doc IN (17, 2900)");
    assert!(client.one::<bool>("SELECT pg_tviews_wait()"));
    assert_eq!(
        client.rows("SELECT key FROM pg_tview_dead_letter ORDER BY key"),
        ["{\"pk_doc\": 17}", "{\"pk_doc\": 2900}"]
    );
    assert_eq!(
        client.one::<i64>("SELECT count(*) FROM tv_doc WHERE slow = 100"),
        i64::from(ROWS) - 2
    );
    assert_eq!(client.one::<i64>("SELECT count(*) FROM pg_tview_comparison"), 0);
    client.run(
        "CREATE OR REPLACE FUNCTION slowly(pk int, n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 100 / greatest(n, 1)'",
    );
    nothing_is_left(&mut client);
    assert_eq!(client.one::<i64>("SELECT count(*) FROM pg_tview_dead_letter"), 0);
}

#[test]
fn a_row_that_is_held_keeps_no_other_waiting() {
    let cluster = cluster();
    let (database, mut client) = open(&cluster, "compare_held");
    nothing_is_left(&mut client);
    let mut holder = database.client();
    holder.run("BEGIN; SELECT FROM tv_doc WHERE pk_doc = 5 FOR UPDATE");
    client.run("CREATE OR REPLACE VIEW v_doc AS SELECT pk_doc, n, slowly(pk_doc, n) + 1 AS slow FROM tb_doc");
    client.wait_until(
        &format!("SELECT count(*) = {ROWS} - 1 FROM tv_doc WHERE slow = 101"),
        WAIT,
    );
    client.run("UPDATE tb_doc SET n = 2 WHERE pk_doc = 6");
    client.wait_until("SELECT n = 2 FROM tv_doc WHERE pk_doc = 6", WAIT);
    assert!(!client.one::<bool>("SELECT pg_tviews_wait('doc', timeout => '300 ms')"));
    holder.run("COMMIT");
    nothing_is_left(&mut client);
}

#[test]
fn rows_the_view_does_not_have_go_and_keys_may_have_several_columns() {
    let cluster = cluster();
    let database = Database::new(&cluster, "compare_composite");
    let mut client = database.client();
    client.run(
        "CREATE TABLE tb_doc (a int, b text, n int, PRIMARY KEY (a, b));
         INSERT INTO tb_doc SELECT i % 50, 'b ' || i, i FROM generate_series(1, 30000) i;
         CREATE TABLE tv_doc (a int, b text, n int, PRIMARY KEY (a, b));
         INSERT INTO tv_doc SELECT i % 60 - 5, 'b ' || i, 0 FROM generate_series(1, 5000) i;
         ANALYZE tb_doc",
    );
    client.run("SELECT pg_tviews_create('doc', 'SELECT a, b, n FROM tb_doc')");
    client
        .run("UPDATE tb_doc SET n = 0 WHERE a = 49; UPDATE tb_doc SET a = -a, b = b || '!' WHERE a % 7 = 0");
    nothing_is_left(&mut client);
    assert_eq!(comparisons(&mut client), 1);
}

#[test]
fn no_batch_reads_the_rows_before_it_where_keys_have_several_columns() {
    const ROWS: i64 = 6_000;
    let cluster = cluster();
    let database = Database::new(&cluster, "compare_several_columns");
    let mut client = database.client();
    client.run(&format!(
        "CREATE TABLE tb_part (id int PRIMARY KEY, a int);
         CREATE TABLE tb_doc (a int, b int, id int, n int, PRIMARY KEY (a, b));
         CREATE INDEX ON tb_doc (id);
         INSERT INTO tb_part SELECT i, i % 100 FROM generate_series(1, {ROWS}) i;
         INSERT INTO tb_doc SELECT i % 100, i, i, i FROM generate_series(1, {ROWS}) i;
         ANALYZE tb_part, tb_doc;
         CREATE SEQUENCE reads;
         CREATE FUNCTION is_read(id int) RETURNS bool LANGUAGE plpgsql IMMUTABLE COST 1 AS
         $$BEGIN PERFORM nextval('public.reads'); RETURN true; END$$;
         CREATE FUNCTION dear(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE COST 1000 AS $$BEGIN RETURN n; END$$"
    ));
    let joined = "FROM tb_part p JOIN tb_doc d USING (id) WHERE is_read(d.id)";
    let both = format!("SELECT p.a, d.b, dear(d.n) AS n {joined}");
    let sums = format!("SELECT p.a, d.b, sum(dear(d.n)) AS n {joined} GROUP BY p.a, d.b");
    for (name, query, in_batches) in [
        (
            "one",
            "SELECT a, b, dear(n) AS n FROM tb_doc WHERE is_read(id)",
            1,
        ),
        (
            "grouped",
            "SELECT a, b, sum(dear(n)) AS n FROM tb_doc WHERE is_read(id) GROUP BY a, b",
            1,
        ),
        ("both", &both, 0),
        ("sums", &sums, 0),
    ] {
        client.run(&format!(
            "SELECT pg_tviews_create('{name}', '{query}', key_columns => '{{a,b}}')"
        ));
        assert!(client.one::<bool>("SELECT pg_tviews_wait()"));
        let begun = comparisons(&mut client);
        let reads = client.one::<i64>("SELECT last_value FROM reads");
        client.run(&format!("SELECT pg_tviews_refresh('{name}')"));
        assert!(client.one::<bool>("SELECT pg_tviews_wait()"));
        let reads = client.one::<i64>("SELECT last_value FROM reads") - reads;
        let begun = comparisons(&mut client) - begun;
        // Once to find the keys of a batch and once to compute them, and at the end for those that are NULL.
        assert!(
            (ROWS..5 * ROWS).contains(&reads) && begun == in_batches,
            "{name}: {reads} reads of {ROWS} rows, {begun} comparisons in batches"
        );
        client.run(&format!("SELECT pg_tviews_drop('{name}')"));
    }
}

#[test]
fn keys_that_are_null_or_come_twice_are_reported() {
    let cluster = cluster();
    let database = Database::new(&cluster, "compare_bad_keys");
    let mut client = database.client();
    client.run(
        "CREATE TABLE tb_doc (id int, n int);
         CREATE INDEX ON tb_doc (id);
         INSERT INTO tb_doc SELECT i, i FROM generate_series(1, 30000) i;
         INSERT INTO tb_doc SELECT 1000, i FROM generate_series(1, 2000) i;
         ANALYZE tb_doc",
    );
    client.run("SELECT pg_tviews_create('doc', 'SELECT id, n FROM tb_doc')");
    assert!(client.one::<bool>("SELECT pg_tviews_wait()"));
    assert_eq!(
        client.rows(
            "SELECT status, sqlstate, rows_inserted FROM pg_tview_meta_audit WHERE operation = 'populate'"
        ),
        ["PARTIAL|21000|29999"]
    );
    client.run("DELETE FROM tb_doc WHERE id = 1000; INSERT INTO tb_doc VALUES (NULL, 1)");
    client.run("SELECT pg_tviews_refresh('doc')");
    assert!(client.one::<bool>("SELECT pg_tviews_wait()"));
    assert_eq!(
        client.rows("SELECT status, sqlstate FROM pg_tview_meta_audit WHERE operation = 'refresh' ORDER BY audit_id DESC LIMIT 1"),
        ["PARTIAL|23502"]
    );
    assert_eq!(comparisons(&mut client), 2);
}

#[test]
fn changes_that_concern_all_rows_again_and_again_come_to_an_end() {
    let cluster = cluster();
    let (_database, mut client) = open(&cluster, "compare_again");
    client.run("CREATE TABLE tb_rate (rate int); INSERT INTO tb_rate VALUES (1)");
    client.run("SELECT pg_tviews_create('doc', 'SELECT pk_doc, n, slowly(pk_doc, n) * (SELECT max(rate) FROM tb_rate) AS slow FROM tb_doc')");
    client.wait_until(UNDER_WAY, WAIT);
    for rate in 2..5 {
        client.run(&format!("UPDATE tb_rate SET rate = {rate}"));
        std::thread::sleep(Duration::from_millis(200));
    }
    client.run("UPDATE tb_doc SET n = 5 WHERE pk_doc < 10");
    nothing_is_left(&mut client);
    assert_eq!(
        client.one::<i64>("SELECT count(*) FROM tv_doc WHERE slow = 80 AND n = 5"),
        9
    );
}

#[test]
fn a_backlog_given_up_in_the_middle_is_compared() {
    let cluster = Cluster::start(
        Options::preloaded()
            .set("pg_tviews.batch_size", "400")
            .set("pg_tviews.max_backlog", "100"),
    );
    let (_database, mut client) = open(&cluster, "compare_give_up");
    client.wait_until(UNDER_WAY, WAIT);
    client.run("SELECT pg_tviews_pause('doc')");
    client.run("UPDATE tb_doc SET n = 4 WHERE pk_doc <= 200");
    client.wait_until(
        "SELECT count(*) > 0 FROM pg_tview_meta_audit WHERE operation = 'give_up'",
        WAIT,
    );
    assert_eq!(client.one::<i64>("SELECT count(*) FROM pg_tview_comparison"), 0);
    client.run("SELECT pg_tviews_resume('doc')");
    nothing_is_left(&mut client);
}

#[test]
fn a_tview_dropped_in_the_middle_leaves_nothing() {
    let cluster = cluster();
    let (_database, mut client) = open(&cluster, "compare_drop");
    client.wait_until(UNDER_WAY, WAIT);
    client.run("SELECT pg_tviews_drop('doc')");
    assert_eq!(client.one::<i64>("SELECT count(*) FROM pg_tview_comparison"), 0);
    client.run("SELECT pg_tviews_create('doc', 'SELECT pk_doc, n, slowly(pk_doc, n) AS slow FROM tb_doc')");
    client.wait_until(UNDER_WAY, WAIT);
    client.run("DROP TABLE tv_doc");
    client.wait_until("SELECT count(*) = 0 FROM pg_tview_comparison", WAIT);
}
