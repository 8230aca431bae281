//! A member that cannot be refreshed, or is refreshed in another way, stops no other one.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use postgres::Client;

use super::{create, open, StopAtEnd, MEMBERS};
use crate::harness::{shared, Ask, Cluster, Database, Options, WAIT};

/// Whether `pg_tview_status` says that the members agree.
const CONSISTENT: &str = "SELECT bool_and(consistent) FROM pg_tview_status WHERE refresh_group = 'shop'";

#[test]
fn a_broken_member_does_not_stop_the_others() {
    let database = Database::new(shared(), "groups_broken");
    let mut client = database.client();
    client.run("CREATE FUNCTION scale(n int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN n; END'");
    create(&mut client);
    client.run("SELECT pg_tviews_create('c', 'SELECT pk_a AS pk_c, scale(n) AS n FROM tb_a')");
    client.run("UPDATE pg_tview_meta SET refresh_group = 'shop' WHERE entity_name = 'c'");
    client.started_workers();
    client.assert_follows(&["c"]);
    client.run(
        "CREATE OR REPLACE FUNCTION scale(n int) RETURNS int LANGUAGE plpgsql AS $$BEGIN RAISE 'broken'; END$$",
    );
    client.wait_until(
        "SELECT state = 'suspended' FROM pg_tview_meta WHERE entity_name = 'c'",
        WAIT,
    );
    for n in 1..4 {
        client.run(&format!(
            "UPDATE tb_a SET n = {n} WHERE pk_a < 4; UPDATE tb_b SET n = {n} WHERE pk_b < 4"
        ));
        for member in MEMBERS {
            assert!(
                client.one::<bool>(&format!("SELECT pg_tviews_wait('{member}')")),
                "{member}"
            );
        }
        client.assert_views_equal(&MEMBERS);
        assert!(!client.one::<bool>(CONSISTENT));
        assert!(client.one::<bool>("SELECT pg_tviews_consistent('{a,b,total,pair}')"));
    }
    client
        .run("CREATE OR REPLACE FUNCTION scale(n int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN n; END'");
    client.wait_until(
        "SELECT state = 'active' FROM pg_tview_meta WHERE entity_name = 'c'",
        WAIT,
    );
    client.wait_until(CONSISTENT, WAIT);
    client.assert_follows(&["a", "b", "total", "pair", "c"]);
    assert_refreshed_together(&mut client, &["a", "b", "total", "pair", "c"]);
}

/// Changes something until all of them are refreshed in one transaction.
#[track_caller]
fn assert_refreshed_together(client: &mut Client, members: &[&str]) {
    let begin = Instant::now();
    loop {
        client.run("UPDATE tb_a SET n = n + 1 WHERE pk_a = 1; UPDATE tb_b SET n = n + 1 WHERE pk_b = 1");
        client.assert_follows(members);
        let together: i64 = client.one(
            "SELECT count(DISTINCT entity_name) FROM pg_tview_meta_audit
              WHERE operation = 'refresh'
                AND position::text = (SELECT position::text FROM pg_tview_meta_audit WHERE operation = 'refresh'
                                       ORDER BY audit_id DESC LIMIT 1)",
        );
        if together == members.len() as i64 {
            return;
        }
        assert!(begin.elapsed() < WAIT, "{together} of {members:?}");
    }
}

#[test]
fn a_key_that_fails_does_not_stop_the_group() {
    let database = Database::new(shared(), "groups_dead_key");
    let mut client = database.client();
    create(&mut client);
    client.run("SELECT pg_tviews_create('c', 'SELECT pk_a AS pk_c, 100 / (n - 66) AS n FROM tb_a')");
    client.run("UPDATE pg_tview_meta SET refresh_group = 'shop' WHERE entity_name = 'c'");
    client.started_workers();
    client.assert_follows(&["c"]);
    assert_refreshed_together(&mut client, &["a", "b", "total", "pair", "c"]);
    client.run("UPDATE tb_a SET n = 66 WHERE pk_a = 9");
    client.wait_until("SELECT count(*) = 1 FROM pg_tview_dead_letter", WAIT);
    // The attempt with the others counts, and that alone.
    let failures: i64 =
        client.one("SELECT failures_data::bigint FROM pg_tview_metrics WHERE entity_name = 'c'");
    assert!(failures >= 2, "{failures}");
    client.run("SELECT pg_tviews_wait()");
    client.assert_views_equal(&MEMBERS);
    assert!(client.one::<bool>(CONSISTENT));
    let begin = Instant::now();
    loop {
        client.run("UPDATE tb_a SET n = n + 1 WHERE pk_a = 2");
        client.run("SELECT pg_tviews_wait()");
        let together: bool = client.one(
            "SELECT count(DISTINCT position::text) = 1 AND count(DISTINCT audit_id) = 4
               FROM (SELECT DISTINCT ON (entity_name) entity_name, audit_id, position FROM pg_tview_meta_audit
                      WHERE operation = 'refresh' AND entity_name IN ('a', 'c', 'total', 'pair')
                      ORDER BY entity_name, audit_id DESC) newest",
        );
        if together {
            break;
        }
        assert!(begin.elapsed() < WAIT, "not refreshed together");
    }
    client.run("UPDATE tb_a SET n = 1 WHERE pk_a = 9");
    client.assert_follows(&["a", "b", "total", "pair", "c"]);
}

#[test]
fn progress_ends_with_the_refresh() {
    let (_database, mut client) = open("groups_progress");
    assert_refreshed_together(&mut client, &MEMBERS);
    client.run("UPDATE tb_a SET n = n + 1; UPDATE tb_b SET n = n + 1");
    client.run("CALL pg_tviews_drain()");
    client.wait_until(
        "SELECT count(*) = 0 FROM pg_tview_progress WHERE datname = current_database()",
        WAIT,
    );
}

#[test]
fn a_paused_member_does_not_stop_the_others() {
    let (_database, mut client) = open("groups_paused");
    client.run("SELECT pg_tviews_pause('b')");
    client.run("UPDATE tb_a SET n = 1 WHERE pk_a = 1; UPDATE tb_b SET n = 1 WHERE pk_b = 1");
    assert!(client.one::<bool>("SELECT pg_tviews_wait('a')"));
    client.assert_views_equal(&["a"]);
    assert!(!client.one::<bool>(CONSISTENT));
    assert_eq!(client.rows("SELECT n FROM tv_b WHERE pk_b = 1"), ["0"]);
    client.run("SELECT pg_tviews_resume('b')");
    client.assert_follows(&MEMBERS);
    client.wait_until(CONSISTENT, WAIT);
    assert_refreshed_together(&mut client, &MEMBERS);
}

#[test]
fn a_member_that_is_redefined_or_dropped_does_not_stop_the_others() {
    let (_database, mut client) = open("groups_redefined");
    client.run("SELECT pg_tviews_create('b', 'SELECT pk_b, n, n * 2 AS twice FROM tb_b')");
    client.run("UPDATE tb_a SET n = 1 WHERE pk_a = 1; UPDATE tb_b SET n = 1 WHERE pk_b = 1");
    client.assert_follows(&MEMBERS);
    assert_eq!(
        client.rows("SELECT refresh_group FROM pg_tview_meta WHERE entity_name = 'b'"),
        ["shop"]
    );
    assert_refreshed_together(&mut client, &MEMBERS);
    client.run("SELECT pg_tviews_drop('pair'); SELECT pg_tviews_drop('total'); SELECT pg_tviews_drop('b')");
    client.run("UPDATE tb_a SET n = 2 WHERE pk_a = 1");
    client.assert_follows(&["a"]);
    assert!(client.one::<bool>(CONSISTENT));
    client.run("UPDATE pg_tview_meta SET refresh_group = NULL");
    client.run("UPDATE tb_a SET n = 3 WHERE pk_a = 1");
    client.assert_follows(&["a"]);
    assert_eq!(
        client.one::<i64>("SELECT count(consistent) FROM pg_tview_status"),
        0
    );
}

#[test]
fn a_backlog_is_applied_alone_and_then_they_agree_again() {
    let cluster = Cluster::start(Options::preloaded().set("pg_tviews.batch_size", "10"));
    let database = Database::new(&cluster, "groups_backlog");
    let mut client = database.client();
    create(&mut client);
    client.started_workers();
    client.run("INSERT INTO tb_a SELECT i, 0 FROM generate_series(41, 3000) i; INSERT INTO tb_b SELECT i, 0 FROM generate_series(41, 3000) i");
    client.assert_follows(&MEMBERS);
    // Several batches in one transaction.
    client.run("UPDATE tb_b SET n = n + 1 WHERE pk_b BETWEEN 100 AND 130; UPDATE tb_a SET n = n + 1 WHERE pk_a BETWEEN 100 AND 130");
    client.assert_follows(&MEMBERS);
    // More than a transaction is to do.
    client.run("UPDATE tb_a SET n = n + 1; UPDATE tb_b SET n = n + 1");
    client.assert_follows(&MEMBERS);
    client.wait_until(CONSISTENT, WAIT);
    client.assert_queue_empties();
}

#[test]
fn a_locked_member_does_not_stop_the_others_for_long() {
    let (database, mut client) = open("groups_locked");
    let mut holder = database.client();
    holder.run("BEGIN; LOCK TABLE tv_b IN SHARE MODE");
    client.run("UPDATE tb_a SET n = 1 WHERE pk_a = 1; UPDATE tb_b SET n = 1 WHERE pk_b = 1");
    assert!(client.one::<bool>("SELECT pg_tviews_wait('a')"));
    client.assert_views_equal(&["a"]);
    assert!(!client.one::<bool>(CONSISTENT));
    holder.run("COMMIT");
    client.assert_follows(&MEMBERS);
    assert_refreshed_together(&mut client, &MEMBERS);
}

#[test]
fn a_trigger_that_changes_a_source_is_not_lost() {
    let (_database, mut client) = open("groups_trigger");
    // The last member writes what the first one reads, twice.
    client.run(
        "CREATE FUNCTION back() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
             IF NEW.n < 6 AND NEW.pk_pair = 1 THEN
                 UPDATE public.tb_a SET n = n + 1 WHERE pk_a = 2;
                 UPDATE public.tb_b SET n = n + 2 WHERE pk_b = 1;
             END IF;
             RETURN NULL; END$$;
         CREATE TRIGGER back AFTER UPDATE ON tv_pair FOR EACH ROW EXECUTE FUNCTION back()",
    );
    client.run("UPDATE tb_b SET n = 1 WHERE pk_b = 1");
    client.wait_until("SELECT n >= 6 FROM tv_b WHERE pk_b = 1", WAIT);
    client.assert_follows(&MEMBERS);
    client.wait_until(CONSISTENT, WAIT);
    client.assert_follows(&MEMBERS);
    client.assert_queue_empties();
}

#[test]
fn what_a_preview_has_shown_early_is_not_one_moment() {
    let (_database, mut client) = open("groups_preview");
    client.run("BEGIN; UPDATE tb_a SET n = 5 WHERE pk_a = 1; UPDATE tb_b SET n = 5 WHERE pk_b = 1");
    assert_eq!(client.rows("SELECT n FROM tv_a WHERE pk_a = 1"), ["5"]);
    // Its own rows are committed with the transaction.
    client.run("SELECT pg_tviews_pause('b'); COMMIT");
    assert_eq!(client.rows("SELECT n FROM tv_b WHERE pk_b = 1"), ["0"]);
    assert!(!client.one::<bool>("SELECT pg_tviews_consistent('{a,b}')"));
    client.run("SELECT pg_tviews_resume('b')");
    client.assert_follows(&MEMBERS);
    client.wait_until(CONSISTENT, WAIT);
}

#[test]
fn a_drain_keeps_a_group_together() {
    let cluster = Cluster::start(Options::without_preload());
    let database = Database::new(&cluster, "groups_drain");
    let mut client = database.client();
    create(&mut client);
    client.run("CALL pg_tviews_drain()");
    for (n, call) in ["CALL pg_tviews_drain()", "CALL pg_tviews_drain('b')"]
        .into_iter()
        .enumerate()
    {
        client.run(&format!("UPDATE tb_a SET n = {n} + 1 WHERE pk_a = 1"));
        client.run(&format!("UPDATE tb_b SET n = {n} + 1 WHERE pk_b = 1"));
        // Nothing of it is in any.
        assert!(client.one::<bool>(CONSISTENT));
        client.run(call);
        client.assert_views_equal(&MEMBERS);
        assert!(client.one::<bool>(CONSISTENT));
        let positions = client.rows(
            "SELECT count(*), count(DISTINCT position::text) FROM (SELECT * FROM pg_tview_meta_audit ORDER BY audit_id DESC LIMIT 4) a",
        );
        assert_eq!(positions, ["4|1"], "{call}");
        assert_eq!(
            client.one::<i64>("SELECT count(*) FROM pg_tview_queue"),
            0,
            "{call}"
        );
    }
    a_drain_ends_when_it_is_cancelled(&database);
}

/// Also while the plan of a member is being made.
fn a_drain_ends_when_it_is_cancelled(database: &Database) {
    let mut client = database.client();
    client.run(
        "CREATE FUNCTION slow() RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN PERFORM pg_sleep(2); RETURN 1; END'",
    );
    client.run("SELECT pg_tviews_create('slow', 'SELECT pk_a AS pk_slow, slow() AS n FROM tb_a')");
    client.run("CALL pg_tviews_drain()");
    client.run("UPDATE pg_tview_meta SET refresh_group = 'shop' WHERE entity_name = 'slow'");
    client.run("UPDATE tb_a SET n = n + 1");
    // This one has no plan yet.
    let mut other = database.client();
    other.run("SET statement_timeout = '300ms'");
    let error = other.fails("CALL pg_tviews_drain()");
    assert_eq!(error.code().code(), "57014", "{error:?}");
    other.run("RESET statement_timeout");
    other.run("CALL pg_tviews_drain()");
    client.assert_views_equal(&MEMBERS);
}

#[test]
fn large_groups_of_rows_run_along_in_a_group() {
    let cluster = Cluster::start(Options::preloaded().set("pg_tviews.running_threshold", "2"));
    let database = Database::new(&cluster, "groups_running");
    let mut client = database.client();
    client.run(
        "CREATE TABLE tb_item (pk_item int PRIMARY KEY, kind int NOT NULL, n int NOT NULL);
         INSERT INTO tb_item SELECT i, i % 5, i FROM generate_series(1, 2000) i;
         CREATE INDEX ON tb_item (kind);
         CREATE TABLE tb_kind (pk_kind int PRIMARY KEY, name text);
         INSERT INTO tb_kind SELECT i, 'kind ' || i FROM generate_series(0, 4) i;
         SELECT pg_tviews_create('item', 'SELECT pk_item, kind, n FROM tb_item');
         CREATE INDEX ON tv_item (kind);
         SELECT pg_tviews_create('kind', 'SELECT pk_kind, name, (SELECT count(*) FROM tv_item WHERE kind = pk_kind) AS items,
             (SELECT sum(n) FROM tv_item WHERE kind = pk_kind) AS n FROM tb_kind');
         SELECT pg_tviews_create('base', 'SELECT pk_kind AS pk_base, (SELECT sum(n) FROM tb_item WHERE kind = pk_kind) AS n FROM tb_kind');
         UPDATE pg_tview_meta SET refresh_group = 'items'",
    );
    client.started_workers();
    client.assert_follows(&["item", "kind", "base"]);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _end = StopAtEnd(&stop);
        for writer in 0..2 {
            let (database, stop) = (&database, &stop);
            scope.spawn(move || {
                let mut client = database.client();
                for n in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let row = 1 + 2 * (n * 37 % 1000) + writer;
                    client.run(&format!(
                        "UPDATE tb_item SET n = n + {n}, kind = (kind + {n} % 3) % 5 WHERE pk_item = {row}"
                    ));
                }
            });
        }
        let mut reader = database.client();
        for _ in 0..400 {
            let wrong = reader.rows(
                "SELECT * FROM tv_kind JOIN tv_base ON pk_base = pk_kind WHERE tv_kind.n IS DISTINCT FROM tv_base.n",
            );
            assert!(wrong.is_empty(), "{wrong:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    client.assert_follows(&["item", "kind", "base"]);
    let reads: i64 = client.one("SELECT sum(stored_group_reads)::bigint FROM pg_tview_status");
    assert!(reads > 0, "no stored group was read");
}
