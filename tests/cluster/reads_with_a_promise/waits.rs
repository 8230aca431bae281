//! A read that would be late waits for a refresh, if a refresh can come.

use super::{behind, counters, TOO_LATE};
use crate::blog;
use crate::harness::{shared, Ask, Cluster, Database, Options, StopMode};

#[test]
fn a_query_waits_no_longer_than_it_may() {
    let (database, mut client) = counters("bounds_timeout");
    client.run("UPDATE knob SET seconds = 5; UPDATE tb_counter SET n = 1");
    let mut reader = database.client();
    reader.run("SET pg_tviews.max_staleness = 0; SET pg_tviews.stale_timeout = '200 ms'");
    let error = reader.fails("SELECT * FROM tv_counter");
    assert_eq!(error.code().code(), TOO_LATE, "{error:?}");
    assert!(
        error
            .detail()
            .is_some_and(|detail| detail.contains("pg_tviews.stale_timeout")),
        "{error:?}"
    );
    reader.run("SET pg_tviews.stale_timeout = 0; SET statement_timeout = '200 ms'");
    for sql in [
        "SELECT * FROM tv_counter",
        "SELECT pg_tviews_require('counter', '0')",
    ] {
        let error = reader.fails(sql);
        assert_eq!(error.code().code(), "57014", "{error:?}");
    }
    client.run("UPDATE knob SET seconds = 0");
    client.assert_follows(&["counter"]);
}

#[test]
fn a_role_has_a_bound() {
    let (database, mut client) = counters("bounds_role");
    client.run(
        "CREATE ROLE bounded_app LOGIN; ALTER ROLE bounded_app SET pg_tviews.max_staleness = '0';
         GRANT SELECT ON tv_counter TO bounded_app;
         CREATE FUNCTION bounded() RETURNS bigint LANGUAGE sql SET pg_tviews.max_staleness = '0' AS 'SELECT sum(n)::bigint FROM tv_counter'",
    );
    let (mut app, mut other) = (database.client_as("bounded_app"), database.client());
    for n in 1..50 {
        client.run(&format!("UPDATE tb_counter SET n = {n}"));
        if n % 2 == 0 {
            assert_eq!(app.rows("SELECT DISTINCT n FROM tv_counter"), [n.to_string()]);
        } else {
            assert_eq!(other.one::<i64>("SELECT bounded()"), 3 * n);
        }
    }
    // Who may not read the table does not wait, and learns nothing.
    behind(&mut client);
    let error = app.fails("SELECT * FROM tv_doubled");
    assert_eq!(error.code().code(), "42501", "{error:?}");
    let error = app.fails("SELECT pg_tviews_require('doubled', '0')");
    assert_eq!(error.code().code(), "42501", "{error:?}");
    drop((app, other));
    client.run("DROP OWNED BY bounded_app; DROP ROLE bounded_app");
}

#[test]
fn locks_and_snapshots_of_the_transaction_do_not_stop_the_refresh() {
    let (database, mut client) = counters("bounds_locks");
    let mut reader = database.client();
    reader.run("SET pg_tviews.max_staleness = 0; BEGIN; SELECT * FROM tv_counter; DECLARE old CURSOR FOR SELECT n FROM tv_counter");
    for n in 1..20 {
        client.run(&format!("UPDATE tb_counter SET n = {n}"));
        assert_eq!(reader.rows("SELECT DISTINCT n FROM tv_counter"), [n.to_string()]);
    }
    assert_eq!(reader.rows("FETCH ALL FROM old"), ["0", "0", "0"]);
    // It has recomputed a row to see its own change, and holds that row.
    reader.run("UPDATE tb_counter SET n = 100 WHERE pk_counter = 0");
    assert_eq!(
        reader.one::<i64>("SELECT n FROM tv_counter WHERE pk_counter = 0"),
        100
    );
    client.run("UPDATE tb_counter SET n = 50 WHERE pk_counter = 1");
    assert_eq!(
        reader.rows("SELECT n FROM tv_counter ORDER BY 1"),
        ["19", "50", "100"]
    );
    reader.run("ROLLBACK");
    assert_eq!(
        reader.rows("SELECT n FROM tv_counter ORDER BY 1"),
        ["19", "19", "50"]
    );
}

#[test]
fn a_query_does_not_wait_for_a_refresh_that_waits_for_its_transaction() {
    let (database, mut client) = blog::open(shared(), "bounds_crossing");
    client.assert_follows(&blog::ENTITIES);
    let mut reader = database.client();
    reader.run("SET pg_tviews.max_staleness = 0; SET pg_tviews.stale_timeout = 0");
    // The row of post 10 is recomputed to show the change, and is then locked.
    reader.run("BEGIN; UPDATE tb_post SET likes = 7 WHERE pk_post = 10");
    let likes = "SELECT (data->>'likes')::bigint FROM tv_post WHERE pk_post = 10";
    assert_eq!(reader.one::<i64>(likes), 7);
    client.run(
        "UPDATE tb_user SET name = 'new' WHERE pk_user = (SELECT fk_user FROM tb_post WHERE pk_post = 10)",
    );
    let error = reader.fails(likes);
    assert!(
        error
            .message()
            .contains("waits for a lock that this transaction holds"),
        "{error:?}"
    );
    assert_eq!(error.code().code(), "25001", "{error:?}");
    reader.run("ROLLBACK");
    assert_eq!(
        reader.rows("SELECT data->'author'->>'name' FROM tv_post WHERE pk_post = 10"),
        ["new"]
    );
}

#[test]
fn a_prepared_transaction_counts_from_its_commit() {
    let cluster = Cluster::start(Options::preloaded().set("max_prepared_transactions", "10"));
    let database = Database::new(&cluster, "bounds_two_phase");
    let mut client = database.client();
    client.run(
        "CREATE TABLE tb_counter (pk_counter bigint PRIMARY KEY, n bigint NOT NULL DEFAULT 0);
         INSERT INTO tb_counter SELECT generate_series(0, 2)",
    );
    client.run("SELECT pg_tviews_create('counter', 'SELECT pk_counter, n FROM tb_counter')");
    let mut reader = database.client();
    let read = "SELECT n FROM tv_counter WHERE pk_counter = 0";
    reader.run("SET pg_tviews.max_staleness = 0");
    for n in 1..30 {
        client.run(&format!(
            "BEGIN; UPDATE tb_counter SET n = {n} WHERE pk_counter = 0; PREPARE TRANSACTION 'p'"
        ));
        for _ in 0..3 {
            assert_eq!(reader.one::<i64>(read), n - 1);
        }
        client.run("COMMIT PREPARED 'p'");
        assert_eq!(reader.one::<i64>(read), n);
    }
    // Prepared before the server started.
    client.run("BEGIN; UPDATE tb_counter SET n = 100 WHERE pk_counter = 0; PREPARE TRANSACTION 'p'");
    cluster.restart(StopMode::Fast);
    let (mut client, mut reader) = (database.client(), database.client());
    reader.run("SET pg_tviews.max_staleness = 0");
    for _ in 0..3 {
        assert_eq!(reader.one::<i64>(read), 29);
    }
    client.run("COMMIT PREPARED 'p'");
    assert_eq!(reader.one::<i64>(read), 100);
}

#[test]
fn rows_that_wait_for_a_comparison_are_late() {
    let database = Database::new(shared(), "bounds_comparison");
    let mut client = database.client();
    client.run(
        "CREATE TABLE tb_big (pk_big int PRIMARY KEY, n int NOT NULL DEFAULT 0);
         INSERT INTO tb_big SELECT generate_series(1, 60000)",
    );
    let mut reader = database.client();
    reader.run("SET pg_tviews.max_staleness = '1 min'");
    // Never filled is late under any bound.
    client.run("SELECT pg_tviews_create('big', 'SELECT pk_big, n FROM tb_big')");
    assert_eq!(reader.one::<i64>("SELECT count(*) FROM tv_big"), 60000);
    reader.run("SET pg_tviews.max_staleness = 0");
    for round in 1..4 {
        // The rows of a TRUNCATE leave the queue before all rows are compared.
        client.run(&format!(
            "BEGIN; TRUNCATE tb_big; INSERT INTO tb_big SELECT i, {round} FROM generate_series(1, 60000) i; COMMIT"
        ));
        assert_eq!(
            reader.rows("SELECT count(*), min(n), max(n) FROM tv_big"),
            [format!("60000|{round}|{round}")]
        );
    }
}
