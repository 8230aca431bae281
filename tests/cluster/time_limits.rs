//! Refreshes that take too long, or wait for somebody else's locks.

use std::time::{Duration, Instant};

use postgres::Client;

use crate::harness::{Ask, Cluster, Database, Options, WAIT};

/// A view that takes as long as `tb_task` says for each row.
fn tasks(client: &mut Client) {
    client.run(
        "CREATE TABLE tb_task (pk_task int PRIMARY KEY, n int NOT NULL DEFAULT 0, seconds float8 NOT NULL DEFAULT 0);
         INSERT INTO tb_task SELECT i FROM generate_series(1, 200) AS i;
         CREATE FUNCTION taking(seconds float8, n int) RETURNS int LANGUAGE plpgsql AS
         $$BEGIN IF seconds > 0 THEN PERFORM pg_sleep(seconds); END IF; RETURN n; END$$;
         SELECT pg_tviews_create('task', 'SELECT pk_task, taking(seconds, n) AS n FROM tb_task');
         SELECT pg_tviews_create('plain', 'SELECT pk_task AS id, n FROM tb_task')",
    );
    client.assert_follows(&["task", "plain"]);
    client.started_workers();
}

#[test]
fn a_key_that_takes_too_long_does_not_keep_the_others() {
    let options = Options::preloaded()
        .set("pg_tviews.refresh_timeout", "300ms")
        .set("pg_tviews.retry_limit", "2")
        .set("pg_tviews.retry_backoff", "50ms");
    let cluster = Cluster::start(options);
    let database = Database::new(&cluster, "slow_key");
    let mut client = database.client();
    tasks(&mut client);
    client.run("UPDATE tb_task SET n = 1, seconds = CASE WHEN pk_task = 42 THEN 1000 ELSE 0 END");
    // Other TVIEWs are not concerned at all.
    let took = client.wait_until("SELECT count(*) = 200 FROM tv_plain WHERE n = 1", WAIT);
    assert!(
        took < Duration::from_secs(2),
        "waited {took:?} behind a slow TVIEW"
    );
    client.wait_until("SELECT count(*) = 199 FROM tv_task WHERE n = 1", WAIT);
    assert_eq!(
        client.rows("SELECT key, sqlstate, message FROM pg_tview_dead_letter"),
        ["{\"pk_task\": 42}|57014|computing rows took longer than pg_tviews.refresh_timeout (300 ms)"]
    );
    // Each failure until then is told, and the pause grows with what each attempt takes.
    assert_eq!(
        client.rows("SELECT count(*) FROM pg_tview_meta_audit WHERE entity_name = 'task' AND status = 'ERROR' AND sqlstate = '57014'"),
        ["2"]
    );
    assert!(client
        .one::<bool>("SELECT next_retry_at - last_failed_at >= interval '2.9 s' FROM pg_tview_dead_letter"));
    // It is tried again, alone: the others go on at once, without a failure of theirs.
    client.wait_until("SELECT attempts >= 2 FROM pg_tview_dead_letter", WAIT);
    client.run("UPDATE tb_task SET n = 2 WHERE pk_task <> 42");
    let took = client.wait_until("SELECT count(*) = 199 FROM tv_task WHERE n = 2", WAIT);
    assert!(took < Duration::from_secs(2), "waited {took:?} behind a dead key");
    assert_eq!(
        client
            .rows("SELECT count(*) FROM pg_tview_meta_audit WHERE entity_name = 'task' AND status = 'ERROR'"),
        ["2"]
    );
    client.run("UPDATE tb_task SET seconds = 0 WHERE pk_task = 42");
    client.assert_follows(&["task", "plain"]);
    client.wait_until("SELECT count(*) = 0 FROM pg_tview_dead_letter", WAIT);
}

#[test]
fn a_backlog_that_takes_too_long_as_a_whole_is_worked_off_in_parts() {
    let options = Options::preloaded()
        .set("pg_tviews.refresh_timeout", "400ms")
        .set("pg_tviews.retry_limit", "1")
        .set("pg_tviews.retry_backoff", "50ms");
    let cluster = Cluster::start(options);
    let database = Database::new(&cluster, "slow_whole");
    let mut client = database.client();
    tasks(&mut client);
    client.run("UPDATE tb_task SET n = 1, seconds = 0.01");
    client.wait_until("SELECT count(*) = 200 FROM tv_task WHERE n = 1", WAIT);
    assert_eq!(client.one::<i64>("SELECT count(*) FROM pg_tview_dead_letter"), 0);
    client.run("UPDATE tb_task SET seconds = 0");
    client.assert_follows(&["task", "plain"]);
}

#[test]
fn without_a_limit_a_refresh_takes_the_time_it_needs() {
    let cluster = Cluster::start(Options::preloaded());
    let database = Database::new(&cluster, "no_limit");
    let mut client = database.client();
    assert_eq!(client.rows("SHOW pg_tviews.refresh_timeout"), ["0"]);
    tasks(&mut client);
    client.run("ALTER DATABASE no_limit SET statement_timeout = '100ms'");
    client.run("UPDATE tb_task SET n = 1, seconds = 2 WHERE pk_task = 1");
    let took = client.wait_until("SELECT n = 1 FROM tv_task WHERE pk_task = 1", WAIT);
    assert!(took > Duration::from_secs(2), "{took:?}");
    assert_eq!(
        client.rows("SELECT count(*) FROM pg_tview_meta_audit WHERE status = 'ERROR'"),
        ["0"]
    );
}

/// Sessions lock rows of tv tables and what their foreign keys point at, in an order that crosses that of a refresh.
#[test]
fn in_a_deadlock_with_a_session_the_refresh_gives_way() {
    let cluster = Cluster::start(Options::preloaded().set("deadlock_timeout", "1s"));
    let database = Database::new(&cluster, "deadlock");
    let mut client = database.client();
    client.run(
        "CREATE TABLE tb_group (pk_group int PRIMARY KEY, name text);
         CREATE TABLE tb_item (pk_item int PRIMARY KEY, fk_group int, n int);
         CREATE TABLE label (pk_label int PRIMARY KEY);
         INSERT INTO label SELECT generate_series(0, 1000);
         CREATE TABLE tv_item (pk_item int PRIMARY KEY, label int REFERENCES label, n int);
         INSERT INTO tb_item SELECT i, 1, 0 FROM generate_series(1, 100) AS i;
         SELECT pg_tviews_create('item', 'SELECT pk_item, n AS label, n FROM tb_item')",
    );
    client.assert_follows(&["item"]);
    client.started_workers();
    let mut user = database.client();
    user.run("SET deadlock_timeout = '10s'");
    let waits = "SELECT count(*) > 0 FROM pg_stat_activity WHERE backend_type = 'pg_tviews worker' AND wait_event_type = 'Lock'";
    let scenes = [
        // A row of the table that the refresh comes to late, then one it has written already.
        (
            "SELECT FROM tv_item WHERE pk_item = 90 FOR UPDATE",
            "SELECT FROM tv_item WHERE pk_item IN (1, 2, 50, 100) FOR UPDATE",
        ),
        // A row that the foreign key of the table looks at, then rows of the table.
        (
            "SELECT FROM label WHERE pk_label IN ({n}) FOR UPDATE",
            "SELECT FROM tv_item FOR UPDATE",
        ),
    ];
    let mut n = 0;
    for (first, second) in scenes {
        for _ in 0..3 {
            n += 1;
            user.run("BEGIN");
            user.rows(&first.replace("{n}", &n.to_string()));
            client.run(&format!("UPDATE tb_item SET n = {n}"));
            client.wait_until(waits, WAIT);
            let begin = Instant::now();
            // Fails the test if this session is the one that gives way.
            user.rows(second);
            assert!(begin.elapsed() < Duration::from_secs(9), "{:?}", begin.elapsed());
            user.run("COMMIT");
            client.assert_follows(&["item"]);
        }
    }
    // Being in the way is no failure.
    assert_eq!(
        client.rows("SELECT count(*) FROM pg_tview_meta_audit WHERE status <> 'SUCCESS'"),
        ["0"]
    );
}

#[test]
fn a_refresh_waits_for_a_lock_as_long_as_it_is_told() {
    let cluster = Cluster::start(Options::preloaded().set("pg_tviews.lock_timeout", "4s"));
    let database = Database::new(&cluster, "lock_timeout");
    let mut client = database.client();
    tasks(&mut client);
    let mut user = database.client();
    user.run("BEGIN");
    user.rows("SELECT FROM tv_task WHERE pk_task = 7 FOR UPDATE");
    client.run("UPDATE tb_task SET n = 1");
    let waiting = "SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid)
                    WHERE a.backend_type = 'pg_tviews worker' AND NOT l.granted AND clock_timestamp() - l.waitstart";
    client.wait_until(&format!("EXISTS ({waiting} > '2s')"), WAIT);
    client.wait_until(&format!("NOT EXISTS ({waiting} > '2s')"), WAIT);
    user.run("COMMIT");
    client.assert_follows(&["task", "plain"]);
}
