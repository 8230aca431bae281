//! Small changes that are committed while a large backlog is worked off are visible before the rest of it, and count as applied
//! only after it.

use postgres::Client;

use crate::harness::{Ask, Cluster, Database, Options, WAIT};
use crate::slow_documents;

/// Keys of a backlog: many batches.
const ROWS: i32 = 6_000;

fn cluster(workers: &str) -> Cluster {
    Cluster::start(
        Options::preloaded()
            .set("pg_tviews.batch_size", "400")
            .set("pg_tviews.workers", workers),
    )
}

/// Documents; `seen` has how many rows of the backlog were left when a new document came.
fn open<'a>(cluster: &'a Cluster, name: &str) -> (Database<'a>, Client) {
    let (database, mut client) = slow_documents::create(cluster, name, (ROWS, 5, 100));
    client.run(&format!(
        "CREATE TABLE seen (pk int, before int);
         CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
             INSERT INTO public.seen SELECT new.pk_doc, count(*) FROM public.tv_doc WHERE n = 1 AND pk_doc <= {ROWS}; RETURN new;
         END$$;
         CREATE TRIGGER see BEFORE INSERT ON tv_doc FOR EACH ROW WHEN (new.pk_doc > {ROWS}) EXECUTE FUNCTION see()"
    ));
    client.assert_follows(&["doc"]);
    let number: i32 = client.one("SELECT current_setting('pg_tviews.workers')::int");
    client.wait_until(
        &format!(
            "SELECT count(*) = {number} FROM pg_stat_activity
              WHERE datname = current_database() AND backend_type = 'pg_tviews worker'"
        ),
        WAIT,
    );
    (database, client)
}

fn before_the_rest(workers: &str, name: &str) {
    let cluster = cluster(workers);
    let (_database, mut client) = open(&cluster, name);
    client.run(&format!("UPDATE tb_doc SET n = 2 WHERE pk_doc <= {ROWS}"));
    client.wait_until("EXISTS (SELECT 1 FROM tv_doc WHERE n = 2)", WAIT);
    // One that is new, one that is gone, and one whose turn in the backlog may come later.
    client.run(&format!("INSERT INTO tb_doc VALUES ({}, 1)", ROWS + 1));
    let token: String = client.one("SELECT pg_tviews_token()");
    client.wait_until("EXISTS (SELECT 1 FROM seen)", WAIT);
    let left: i32 = client.one("SELECT before FROM seen");
    assert!(left > 0, "the rest of the backlog came first");

    // It is visible. That it is applied is reported when the backlog is, and never before.
    let wait = format!("SELECT pg_tviews_wait_for('{token}', 'doc', '1 ms')");
    while !client.one::<bool>(&wait) {}
    assert_eq!(client.one::<i64>("SELECT count(*) FROM tv_doc WHERE n = 1"), 1);
    client.assert_views_equal(&["doc"]);

    // A key of the backlog, changed again and again, and deleted while it may be computed.
    client.run("UPDATE tb_doc SET n = 3");
    client.wait_until("EXISTS (SELECT 1 FROM tv_doc WHERE n = 3)", WAIT);
    for n in 4..20 {
        client.run(&format!("UPDATE tb_doc SET n = {n} WHERE pk_doc IN (5, {ROWS})"));
        client.run(&format!("DELETE FROM tb_doc WHERE pk_doc = {ROWS} - {n}"));
        client.run(&format!("INSERT INTO tb_doc VALUES ({ROWS} + {n}, 1)"));
    }
    client.assert_follows(&["doc"]);
    assert_eq!(
        client.one::<i64>("SELECT count(*) FROM tv_doc"),
        i64::from(ROWS) + 1
    );
    client.assert_queue_empties();
}

#[test]
fn one_worker_applies_a_small_change_before_the_rest_of_a_backlog() {
    before_the_rest("1", "fresh_one_worker");
}

#[test]
fn two_workers_apply_a_small_change_before_the_rest_of_a_backlog() {
    before_the_rest("2", "fresh_two_workers");
}

#[test]
fn a_change_that_fails_is_left_to_the_next_refresh() {
    let cluster = cluster("1");
    let (_database, mut client) = open(&cluster, "fresh_failing");
    client.run("UPDATE tb_doc SET n = 2");
    client.wait_until("EXISTS (SELECT 1 FROM tv_doc WHERE n = 2)", WAIT);
    // Division by zero.
    client.run(&format!("INSERT INTO tb_doc VALUES ({}, 0)", ROWS + 10));
    client.wait_until("EXISTS (SELECT 1 FROM pg_tview_dead_letter)", WAIT);
    client.wait_until("NOT EXISTS (SELECT 1 FROM tv_doc WHERE n = 1)", WAIT);
    client.run(&format!("DELETE FROM tb_doc WHERE pk_doc > {ROWS}"));
    client.assert_follows(&["doc"]);
}
