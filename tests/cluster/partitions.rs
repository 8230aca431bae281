//! Refreshes of a source with more partitions than a transaction has places for in the lock table.

use postgres::Client;

use crate::harness::{Ask, Cluster, Database, Options, WAIT};

/// Twice as many as there are places.
const TABLE: &str = "
CREATE TABLE tb_part (pk_part int PRIMARY KEY, grp int, n int) PARTITION BY RANGE (pk_part);
DO $$ BEGIN FOR i IN 0..127 LOOP
    EXECUTE format('CREATE TABLE tb_part_%s PARTITION OF tb_part FOR VALUES FROM (%s) TO (%s)', i, i * 10, i * 10 + 10);
END LOOP; END $$;
INSERT INTO tb_part SELECT i, i % 10, i FROM generate_series(0, 1279) i;
CREATE FUNCTION held(n int) RETURNS int STABLE LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN n; END'";

/// A server whose refreshes wait long, and leave the drain to the test.
fn cluster() -> Cluster {
    Cluster::start(
        Options::preloaded()
            .set("pg_tviews.lock_timeout", "20s")
            .set("deadlock_timeout", "60s")
            .set("pg_tviews.enabled", "off"),
    )
}

fn open<'c>(cluster: &'c Cluster, name: &str, query: &str) -> (Database<'c>, Client) {
    let database = Database::new(cluster, name);
    let mut client = database.client();
    client.run(TABLE);
    client.run(&format!("SELECT pg_tviews_create('part', $q${query}$q$)"));
    client.run("CALL pg_tviews_drain()");
    client.assert_views_equal(&["part"]);
    (database, client)
}

/// Runs the drain in another session while `meanwhile` has the process id of that.
fn while_drained(database: &Database, meanwhile: impl FnOnce(i32)) {
    let mut drains = database.client();
    let pid: i32 = drains.one("SELECT pg_backend_pid()");
    std::thread::scope(|scope| {
        let drain = scope.spawn(move || drains.run("CALL pg_tviews_drain()"));
        meanwhile(pid);
        drain.join().expect("the drain ends");
    });
}

#[test]
fn a_refresh_by_key_locks_those_it_reads() {
    let cluster = cluster();
    let (database, mut client) = open(&cluster, "few", "SELECT pk_part, held(n) AS n FROM tb_part");
    for times in 1..=3 {
        client.run("UPDATE tb_part SET n = n + 1 WHERE pk_part IN (5, 15)");
        client.run("SELECT pg_advisory_lock(7)");
        while_drained(&database, |pid| {
            client.wait_until(
                &format!("SELECT wait_event = 'advisory' FROM pg_stat_activity WHERE pid = {pid}"),
                WAIT,
            );
            let held: i64 = client.one(&format!(
                "SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation WHERE l.pid = {pid} AND c.relname LIKE 'tb\\_part%'"
            ));
            client.run("SELECT pg_advisory_unlock(7)");
            assert!(held < 10, "{held} locks, the {times}. time");
        });
        client.assert_views_equal(&["part"]);
    }
    // Everything may have changed: all of them are read.
    client.run("SELECT pg_tviews_refresh('part')");
    client.run("CALL pg_tviews_drain()");
    client.assert_views_equal(&["part"]);
}

/// A rewrite is not versioned: to a snapshot that is older the table is empty.
#[test]
fn one_that_is_rewritten_meanwhile_is_read_again() {
    let cluster = cluster();
    let (database, mut client) = open(&cluster, "rewritten", "SELECT pk_part, n FROM tb_part");
    let mut user = database.client();
    user.run("BEGIN; ALTER TABLE tb_part_1 SET UNLOGGED");
    client.run("UPDATE tb_part SET n = -1 WHERE pk_part = 5; UPDATE tb_part SET n = -2 WHERE pk_part = 25");
    client.run("SELECT pg_tviews_refresh('part', '{15}')");
    while_drained(&database, |pid| {
        client.wait_until(
            &format!(
                "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = {pid} AND NOT granted AND relation = 'tb_part_1'::regclass)"
            ),
            WAIT,
        );
        user.run("COMMIT");
    });
    client.assert_views_equal(&["part"]);
    assert_eq!(
        client.rows("SELECT sum(rows_deleted), sum(rows_inserted) FROM pg_tview_meta_audit WHERE operation = 'refresh'"),
        ["0|0"]
    );
}
