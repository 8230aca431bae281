//! A TVIEW that is redefined while other sessions hold its rows, wait for its locks, or cancel it.

use crate::harness::{Ask, Cluster, Database, Options, WAIT};
use crate::redefined_at_once::{nothing_is_left, redefine, slow, CLOSE, OPEN, ROWS, SHOWN, SLOW_ROWS};
use crate::slow_documents::cluster;

/// With the gate closed, all rows take about a quarter of a minute, but only where rows are left out that other
/// sessions hold: the wait for each row is limited to 5 ms there. How often it was called there is in `rest`.
const TRICKLE_OF_REST: &str = "CREATE SEQUENCE rest;
     CREATE FUNCTION trickle(pk int) RETURNS int LANGUAGE plpgsql IMMUTABLE COST 1 AS
     $$BEGIN
         IF current_setting('lock_timeout') = '5ms' THEN
             PERFORM nextval('public.rest');
             IF NOT pg_try_advisory_xact_lock_shared(77) THEN PERFORM pg_sleep(0.005); END IF;
         END IF;
         RETURN 0;
     END$$";

fn trickles(more: i32, rest: &str) -> String {
    format!(
        "SELECT pg_tviews_create('doc',
             'SELECT pk_doc, n, slowly(pk_doc, n) + trickle(pk_doc) + {more} AS slow FROM tb_doc {rest}')"
    )
}

#[test]
fn it_gives_way_where_a_row_is_held() {
    let cluster = cluster();
    let (database, mut client) = slow(&cluster, "at_once_held_ddl");
    client.run(TRICKLE_OF_REST);
    let mut holder = database.client();
    holder.run("BEGIN; SELECT FROM tv_doc WHERE pk_doc = 5 FOR UPDATE");
    client.run(CLOSE);
    client.run(&trickles(1, ""));
    client.wait_until("SELECT is_called FROM rest", WAIT);
    database.client().run("ALTER TABLE tb_doc ADD COLUMN more int");
    assert_eq!(client.rows(SHOWN), ["100"], "DDL did not wait for the end");
    client.run(OPEN);
    holder.run("COMMIT");
    nothing_is_left(&mut client);
    assert_eq!(client.rows(SHOWN), ["101"]);
}

#[test]
fn a_key_that_comes_twice_leaves_the_old_rows_where_a_row_is_held() {
    let cluster = cluster();
    let (database, mut client) = slow(&cluster, "at_once_held_twice");
    client.run(TRICKLE_OF_REST);
    let mut holder = database.client();
    holder.run("BEGIN; SELECT FROM tv_doc WHERE pk_doc = 5 FOR UPDATE");
    client.run(&trickles(
        1,
        "UNION ALL SELECT pk_doc, n, 0 FROM tb_doc WHERE pk_doc = 2950",
    ));
    // The rows were computed once without the row that is held, and a second time.
    let tried =
        format!("SELECT last_value > {SLOW_ROWS} + 10 OR EXISTS (SELECT FROM pg_tview_comparison) FROM rest");
    client.wait_until(&tried, WAIT);
    assert_eq!(client.rows(SHOWN), ["100"]);
    holder.run("COMMIT");
    client.wait_until(
        "SELECT state = 'suspended' AND last_error LIKE '21000: %' FROM pg_tview_status",
        WAIT,
    );
    assert_eq!(client.rows(SHOWN), ["100"]);
    client.run(&redefine(2));
    nothing_is_left(&mut client);
    assert_eq!(client.rows(SHOWN), ["102"]);
}

/// A cancel reaches the session while it asks whether another session waits for it.
#[test]
fn a_drain_that_is_cancelled_while_it_asks_ends() {
    let cluster = cluster();
    let (database, mut client) = slow(&cluster, "at_once_cancel_asking");
    client.run("ALTER SYSTEM SET pg_tviews.workers = 0");
    client.run("SELECT pg_reload_conf()");
    client.wait_until(
        "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'pg_tviews worker'",
        WAIT,
    );
    client.run(&redefine(1).replace("gate(pk_doc)", "slowly(pk_doc, n) + slowly(pk_doc, n)"));
    let mut locker = database.client();
    locker.run("BEGIN; LOCK pg_catalog.pg_locks IN ACCESS EXCLUSIVE MODE");
    let mut drain = database.client();
    let pid: i32 = drain.one("SELECT pg_backend_pid()");
    std::thread::scope(|scope| {
        let drain = scope.spawn(|| drain.fails("CALL pg_tviews_drain()"));
        let asks = format!("SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = {pid}");
        client.wait_until(&asks, WAIT);
        client.run(&format!("SELECT pg_cancel_backend({pid})"));
        let error = drain.join().expect("the drain failed");
        assert_eq!(error.code().code(), "57014", "{error:?}");
        assert!(error.message().contains("user request"), "{error:?}");
    });
    assert_eq!(client.rows(SHOWN), ["100"]);
    locker.run("COMMIT");
    client.run("CALL pg_tviews_drain()");
    assert_eq!(client.rows(SHOWN), ["301"]);
}

/// Also where nothing is shown of what the session does.
#[test]
fn a_session_that_drains_gives_way() {
    let cluster = Cluster::start(Options::without_preload().set("pg_tviews.batch_size", "400"));
    let database = Database::new(&cluster, "at_once_drain_ddl");
    let mut client = database.client();
    client.run(&format!(
        "CREATE TABLE tb_doc (pk_doc int PRIMARY KEY, n int NOT NULL);
         INSERT INTO tb_doc SELECT i, 1 FROM generate_series(1, {ROWS}) i;
         CREATE FUNCTION slowly(pk int) RETURNS int LANGUAGE plpgsql IMMUTABLE COST 1 AS
         $$BEGIN IF pk % 10 = 0 AND NOT pg_try_advisory_xact_lock_shared(77) THEN PERFORM pg_sleep(0.005); END IF; RETURN 100; END$$;
         SELECT pg_tviews_create('doc', 'SELECT pk_doc, n, slowly(pk_doc) AS slow FROM tb_doc')"
    ));
    client.run("CALL pg_tviews_drain()");
    client.run("SELECT pg_tviews_create('doc', 'SELECT pk_doc, n, slowly(pk_doc) + 1 AS slow FROM tb_doc')");
    client.run(CLOSE);
    let mut drain = database.client();
    let pid: i32 = drain.one("SELECT pg_backend_pid()");
    std::thread::scope(|scope| {
        let drain = scope.spawn(|| drain.run("CALL pg_tviews_drain()"));
        let computes = format!("SELECT wait_event = 'PgSleep' FROM pg_stat_activity WHERE pid = {pid}");
        client.wait_until(&computes, WAIT);
        database.client().run("ALTER TABLE tb_doc ADD COLUMN more int");
        assert_eq!(client.rows(SHOWN), ["100"], "DDL did not wait for the end");
        client.run(OPEN);
        drain.join().expect("the drain went on");
    });
    assert_eq!(client.rows(SHOWN), ["101"]);
}

/// The keys of all rows are looked for before rows are computed without those that other sessions hold.
#[test]
fn it_gives_way_while_it_looks_for_the_keys() {
    let cluster = cluster();
    let (database, mut client) = slow(&cluster, "at_once_held_keys");
    // With the gate closed, the query takes about a quarter of a minute in a worker. The statements that
    // compute rows, and that find the keys of one batch, have these names in them.
    client.run(
        "CREATE SEQUENCE visits;
         CREATE FUNCTION is_shown(pk int) RETURNS bool LANGUAGE plpgsql IMMUTABLE COST 1 AS
         $$DECLARE
             context text;
         BEGIN
             GET DIAGNOSTICS context = PG_CONTEXT;
             IF context !~ 'fresh|in_view' AND NOT pg_try_advisory_xact_lock_shared(77) THEN
                 PERFORM nextval('public.visits'), pg_sleep(0.005);
             END IF;
             RETURN true;
         END$$",
    );
    let mut holder = database.client();
    holder.run("BEGIN; SELECT FROM tv_doc WHERE pk_doc = 5 FOR UPDATE");
    client.run(CLOSE);
    client.run(
        "SELECT pg_tviews_create('doc', 'SELECT pk_doc, n, 101 AS slow FROM tb_doc WHERE is_shown(pk_doc)')",
    );
    client.wait_until("SELECT last_value > 10 FROM visits", WAIT);
    database.client().run("ALTER TABLE tb_doc ADD COLUMN more int");
    let visits: i32 = client.one("SELECT last_value::int FROM visits");
    assert!(
        visits < SLOW_ROWS,
        "DDL did not wait for the end of the query: {visits} rows"
    );
    assert_eq!(client.rows(SHOWN), ["100"]);
    client.run(OPEN);
    holder.run("COMMIT");
    nothing_is_left(&mut client);
    assert_eq!(client.rows(SHOWN), ["101"]);
}
