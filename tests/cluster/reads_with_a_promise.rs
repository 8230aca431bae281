//! Reads under a bound: pg_tviews.max_staleness and pg_tviews_require. The truth is a list of commits with the times at
//! which they were acknowledged.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{mpsc, Mutex};
use std::time::{Duration, Instant};

use postgres::error::DbError;
use postgres::Client;

use crate::blog;
use crate::harness::{send_signal, shared, Ask, Cluster, Database, Options, StopMode, WAIT};

/// SQLSTATE of a read that is too late.
const TOO_LATE: &str = "55T01";
/// Rows that writers count up, one writer each.
const COUNTERS: usize = 3;

/// What each writer had committed, and since when it knew.
#[derive(Default)]
struct Truth {
    commits: [Mutex<Vec<(Instant, i64)>>; COUNTERS],
}

impl Truth {
    /// The number that a row must have reached for a reader that began then.
    fn least(&self, counter: usize, began: Instant, bound: Duration) -> i64 {
        let Some(upto) = began.checked_sub(bound) else {
            return 0;
        };
        let commits = self.commits[counter].lock().unwrap();
        let done = commits.partition_point(|(at, _)| *at <= upto);
        done.checked_sub(1).map_or(0, |last| commits[last].1)
    }

    fn write(&self, counter: usize, client: &mut Client, stop: &AtomicBool) {
        for n in 1.. {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            client.run(&format!(
                "UPDATE tb_counter SET n = {n} WHERE pk_counter = {counter}"
            ));
            self.commits[counter].lock().unwrap().push((Instant::now(), n));
        }
    }

    /// Reads with a bound until stopped, in all ways in which an application reads.
    fn read(&self, client: &mut Client, bound: Duration, reads: &AtomicUsize, stop: &AtomicBool) {
        let ways = ways(client);
        let check = |way: &str, began: Instant, rows: Vec<(i64, i64)>| {
            assert_eq!(rows.len(), COUNTERS, "{way}");
            for (counter, n) in rows {
                let least = self.least(counter as usize, began, bound);
                assert!(
                    n >= least,
                    "{way}: read {n}, but {least} was committed {bound:?} before"
                );
            }
            reads.fetch_add(1, Ordering::Relaxed);
        };
        while !stop.load(Ordering::Relaxed) {
            for (way, sql) in ways {
                let began = Instant::now();
                check(way, began, numbers(client.rows(sql)));
            }
            let statement = client
                .prepare("SELECT pk_doubled, n / 2 FROM tv_doubled")
                .unwrap();
            let began = Instant::now();
            let rows = client.query(&statement, &[]).unwrap();
            let rows = rows.iter().map(|row| (row.get(0), row.get(1)));
            check("extended protocol", began, rows.collect());
            let mut transaction = client.transaction().unwrap();
            let began = Instant::now();
            transaction
                .batch_execute("DECLARE c NO SCROLL CURSOR FOR SELECT pk_counter, n FROM tv_counter")
                .unwrap();
            let rows = transaction.query("FETCH ALL FROM c", &[]).unwrap();
            let rows = rows.iter().map(|row| (row.get(0), row.get(1)));
            check("cursor", began, rows.collect());
            transaction.commit().unwrap();
        }
    }
}

fn numbers(rows: Vec<String>) -> Vec<(i64, i64)> {
    let pair = |row: &String| {
        let (counter, n) = row.split_once('|').unwrap();
        (counter.parse().unwrap(), n.parse().unwrap())
    };
    rows.iter().map(pair).collect()
}

/// Statements that return counters and their numbers.
fn ways(client: &mut Client) -> &'static [(&'static str, &'static str)] {
    client.run(
        "PREPARE counters AS SELECT pk_counter, n FROM tv_counter;
         PREPARE doubled(bigint) AS SELECT pk_doubled, n / 2 FROM tv_doubled WHERE pk_doubled >= $1",
    );
    for _ in 0..6 {
        client.run("EXECUTE counters; EXECUTE doubled(0)");
    }
    &[
        ("table", "SELECT pk_counter, n FROM tv_counter"),
        ("TVIEW over the TVIEW", "SELECT pk_doubled, n / 2 FROM tv_doubled"),
        ("both", "SELECT pk_counter, least(c.n, d.n / 2) FROM tv_counter c JOIN tv_doubled d ON pk_doubled = pk_counter"),
        ("view over the table", "SELECT pk_counter, n FROM above"),
        ("prepared statement", "EXECUTE counters"),
        ("prepared statement with a parameter", "EXECUTE doubled(0)"),
        ("function", "SELECT * FROM volatile_counters()"),
        ("INSERT", "INSERT INTO copied SELECT pk_counter, n FROM tv_counter RETURNING *"),
    ]
}

/// Counters, a TVIEW over them and one over that. Each refresh of the first takes as long as the table `knob` says.
fn counters(name: &str) -> (Database<'static>, Client) {
    let database = Database::new(shared(), name);
    let mut client = database.client();
    client.run(
        "CREATE TABLE knob AS SELECT 0.0 AS seconds;
         CREATE TABLE tb_counter (pk_counter bigint PRIMARY KEY, n bigint NOT NULL DEFAULT 0);
         INSERT INTO tb_counter SELECT generate_series(0, 2);
         CREATE TABLE copied (pk_counter bigint, n bigint);
         CREATE FUNCTION slowly(n bigint) RETURNS bigint LANGUAGE plpgsql AS
         $$BEGIN PERFORM pg_sleep((SELECT seconds FROM public.knob)); RETURN n; END$$",
    );
    client.run("SELECT pg_tviews_create('counter', 'SELECT pk_counter, slowly(n) AS n FROM tb_counter')");
    client.run(
        "SELECT pg_tviews_create('doubled', 'SELECT pk_counter AS pk_doubled, n * 2 AS n FROM tv_counter')",
    );
    client.run(
        "CREATE VIEW above AS SELECT * FROM tv_counter;
         CREATE FUNCTION volatile_counters() RETURNS SETOF tv_counter LANGUAGE plpgsql AS
         $$BEGIN RETURN QUERY SELECT * FROM tv_counter; END$$;
         CREATE FUNCTION stable_counters() RETURNS SETOF tv_counter LANGUAGE plpgsql STABLE AS
         $$BEGIN RETURN QUERY SELECT * FROM tv_counter; END$$",
    );
    client.assert_follows(&["counter", "doubled"]);
    (database, client)
}

/// Stops the workers again and again, for moments.
fn disturb(database: &Database, stop: &AtomicBool) {
    let mut client = database.client();
    while !stop.load(Ordering::Relaxed) {
        let workers = client.workers();
        workers.iter().for_each(|pid| send_signal("STOP", *pid));
        std::thread::sleep(Duration::from_millis(150));
        workers.iter().for_each(|pid| send_signal("CONT", *pid));
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn no_read_is_later(name: &str, seconds: &str, disturbed: bool) {
    let (database, mut client) = counters(name);
    client.run(&format!("UPDATE knob SET seconds = {seconds}"));
    let (truth, stop) = (Truth::default(), AtomicBool::new(false));
    let reads: [(u64, AtomicUsize); 3] = [0, 40, 400].map(|bound| (bound, AtomicUsize::new(0)));
    std::thread::scope(|scope| {
        let (database, truth, stop, reads) = (&database, &truth, &stop, &reads);
        for counter in 0..COUNTERS {
            scope.spawn(move || truth.write(counter, &mut database.client(), stop));
        }
        if disturbed {
            scope.spawn(move || disturb(database, stop));
        }
        let mut readers = Vec::new();
        for (bound, reads) in reads {
            readers.push(scope.spawn(move || {
                let mut reader = database.client();
                reader.run(&format!("SET pg_tviews.max_staleness = {bound}"));
                truth.read(&mut reader, Duration::from_millis(*bound), reads, stop);
            }));
        }
        // A reader that fails ends the test immediately.
        let begin = Instant::now();
        let enough = |(_, reads): &(u64, AtomicUsize)| reads.load(Ordering::Relaxed) > 50;
        while (begin.elapsed() < Duration::from_secs(5) || !reads.iter().all(enough))
            && begin.elapsed() < Duration::from_secs(60)
            && !readers.iter().any(|reader| reader.is_finished())
        {
            std::thread::sleep(Duration::from_millis(20));
        }
        stop.store(true, Ordering::Relaxed);
        readers
            .into_iter()
            .for_each(|reader| reader.join().expect("no read was late"));
        assert!(reads.iter().all(enough), "{reads:?}");
    });
    client.assert_follows(&["counter", "doubled"]);
}

#[test]
fn no_read_is_later_than_its_bound_with_writers_at_full_speed() {
    no_read_is_later("bounds_fast", "0", false);
}

#[test]
fn no_read_is_later_than_its_bound_with_slow_workers() {
    no_read_is_later("bounds_slow", "0.03", false);
}

#[test]
fn no_read_is_later_than_its_bound_with_stopped_workers() {
    no_read_is_later("bounds_stopped", "0", true);
}

#[test]
fn a_pool_that_cannot_set_requires() {
    let (database, mut client) = counters("bounds_required");
    let mut writer = database.client();
    for n in 1..200 {
        writer.run(&format!("UPDATE tb_counter SET n = {n} WHERE pk_counter = 0"));
        let entity = if n % 2 == 0 { "counter" } else { "doubled" };
        client.run(&format!("SELECT pg_tviews_require('{entity}', '0')"));
        let sql = match entity {
            "counter" => "SELECT n FROM tv_counter WHERE pk_counter = 0",
            _ => "SELECT n / 2 FROM tv_doubled WHERE pk_doubled = 0",
        };
        assert_eq!(client.one::<i64>(sql), n);
    }
}

/// Two changes that nobody applies: the TVIEW is paused.
fn behind(client: &mut Client) {
    client.run(
        "SELECT pg_tviews_pause('counter');
         UPDATE tb_counter SET n = 7 WHERE pk_counter = 1",
    );
    client.run("UPDATE tb_counter SET n = 8 WHERE pk_counter = 1");
}

fn assert_too_late(error: &DbError, hint: &str) {
    assert_eq!(error.code().code(), TOO_LATE, "{error:?}");
    assert!(error.message().contains("tv_counter"), "{error:?}");
    assert!(
        error
            .detail()
            .is_some_and(|detail| detail.contains("2 changes are pending")),
        "{error:?}"
    );
    assert!(error.hint().is_some_and(|text| text.contains(hint)), "{error:?}");
}

#[test]
fn a_transaction_that_keeps_its_snapshot_fails_immediately() {
    let (database, mut client) = counters("bounds_levels");
    behind(&mut client);
    let mut reader = database.client();
    reader.run("SET pg_tviews.max_staleness = 0; SET pg_tviews.stale_timeout = 0");
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        for sql in [
            "SELECT * FROM tv_counter",
            "SELECT * FROM tv_doubled",
            "SELECT * FROM stable_counters()",
            "SELECT pg_tviews_require('doubled', '0')",
            "COPY tv_counter TO STDOUT",
        ] {
            reader.run(&format!("BEGIN ISOLATION LEVEL {level}"));
            assert_too_late(&reader.fails(sql), "before BEGIN");
            reader.run("ROLLBACK");
        }
        // What is older than the bound is in.
        reader.run(&format!(
            "BEGIN ISOLATION LEVEL {level}; SET LOCAL pg_tviews.max_staleness = '1h'; SELECT * FROM tv_doubled; COMMIT"
        ));
    }
    client.run("SELECT pg_tviews_resume('counter')");
    reader.run("SELECT pg_tviews_require('doubled', '0')");
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        reader.run(&format!("BEGIN ISOLATION LEVEL {level}"));
        assert_eq!(
            reader.one::<i64>("SELECT n FROM tv_counter WHERE pk_counter = 1"),
            8
        );
        client.run("UPDATE tb_counter SET n = n + 1 WHERE pk_counter = 2");
        assert_eq!(
            reader.one::<i64>("SELECT n FROM tv_doubled WHERE pk_doubled = 1"),
            16
        );
        reader.run("COMMIT; SELECT pg_tviews_require('doubled', '0')");
    }
}

#[test]
fn an_imported_snapshot_is_not_taken_for_newer_than_it_is() {
    let (database, mut client) = counters("bounds_imported");
    let (mut exporter, mut reader) = (database.client(), database.client());
    for n in 1..30 {
        client.run(&format!(
            "SELECT pg_tviews_pause('counter'); UPDATE tb_counter SET n = {n} WHERE pk_counter = 0"
        ));
        exporter.run("BEGIN ISOLATION LEVEL REPEATABLE READ");
        let snapshot: String = exporter.one("SELECT pg_export_snapshot()");
        client.run("SELECT pg_tviews_resume('counter')");
        reader.run("SET pg_tviews.max_staleness = 0");
        for _ in 0..3 {
            assert_eq!(
                reader.one::<i64>("SELECT n FROM tv_counter WHERE pk_counter = 0"),
                n
            );
        }
        reader.run(&format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ; SET TRANSACTION SNAPSHOT '{snapshot}'"
        ));
        let error = reader.fails("SELECT n FROM tv_counter");
        assert_eq!(error.code().code(), TOO_LATE, "{error:?}");
        reader.run("ROLLBACK");
        exporter.run("COMMIT");
    }
}

#[test]
fn a_tview_that_is_not_refreshed_fails_with_the_reason() {
    let (database, mut client) = counters("bounds_paused");
    behind(&mut client);
    let mut reader = database.client();
    reader.run("SET pg_tviews.max_staleness = 0");
    for sql in [
        "SELECT * FROM tv_counter",
        "SELECT * FROM tv_doubled",
        "SELECT * FROM volatile_counters()",
        "SELECT pg_tviews_require('doubled', '0')",
    ] {
        let error = reader.fails(sql);
        assert!(error.message().contains("counter is paused"), "{error:?}");
        assert!(
            error.hint().is_some_and(|hint| hint.contains("pg_tviews_resume")),
            "{error:?}"
        );
    }
    reader.run("SET pg_tviews.on_stale = error");
    assert_too_late(
        &reader.fails("SELECT * FROM tv_doubled"),
        "pg_tviews_resume('public.tv_counter')",
    );
    // A function that declares itself STABLE has the snapshot of its caller.
    reader.run("SET pg_tviews.on_stale = wait");
    assert_too_late(&reader.fails("SELECT * FROM stable_counters()"), "VOLATILE");
    // Nothing is asked of statements that read no tv table, or read it without a bound.
    reader.run("SELECT * FROM tb_counter; EXPLAIN SELECT * FROM tv_counter; SET pg_tviews.max_staleness = -1; SELECT * FROM tv_counter");
    client.run("SELECT pg_tviews_resume('counter')");
    client.assert_follows(&["counter", "doubled"]);
    // A paused TVIEW without changes shows all that is committed.
    client
        .run("SELECT pg_tviews_pause('counter'); SET pg_tviews.max_staleness = 0; SELECT * FROM tv_doubled");
}

#[test]
fn a_notice_lets_the_query_read() {
    let (database, mut client) = counters("bounds_notice");
    behind(&mut client);
    let (sender, notices) = mpsc::channel();
    let mut reader = shared().client_with_notices(&database.name, move |notice| {
        let _ = sender.send(notice);
    });
    reader.run("SET pg_tviews.max_staleness = '1 ms'; SET pg_tviews.on_stale = notice");
    assert_eq!(
        reader.one::<i64>("SELECT n FROM tv_counter WHERE pk_counter = 1"),
        0
    );
    let notices: Vec<String> = notices.try_iter().map(|notice| format!("{notice:?}")).collect();
    assert!(
        notices
            .iter()
            .any(|notice| notice.contains("tv_counter is later than 1 ms") && notice.contains("2 changes")),
        "{notices:?}"
    );
}

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

#[test]
fn a_standby_reports_but_does_not_wait() {
    let primary = Cluster::start(Options::preloaded());
    let database = Database::new(&primary, "bounds_standby");
    let mut client = database.client();
    blog::create(&mut client);
    client.assert_follows(&blog::ENTITIES);
    let standby = Cluster::start_backup(&primary, &["-R"], Options::copied());
    let mut reader = standby.client(&database.name);
    let caught_up = |client: &mut Client| {
        let now: String = client.one("SELECT pg_current_wal_insert_lsn()::text");
        let mut reader = standby.client("postgres");
        reader.wait_until(&format!("SELECT pg_last_wal_replay_lsn() >= '{now}'"), WAIT);
    };
    caught_up(&mut client);
    reader.run("SET pg_tviews.max_staleness = 0; SELECT * FROM tv_feed");
    client.run("SELECT pg_tviews_pause('post'); UPDATE tb_post SET title = 'new'");
    caught_up(&mut client);
    reader.run("SELECT * FROM tv_user");
    let error = reader.fails("SELECT * FROM tv_post");
    assert_eq!(error.code().code(), TOO_LATE, "{error:?}");
    assert!(
        error.detail().is_some_and(|detail| detail.contains("standby")),
        "{error:?}"
    );
    let error = reader.fails("SELECT pg_tviews_require('post', '0')");
    assert_eq!(error.code().code(), TOO_LATE, "{error:?}");
    reader.run(
        "SELECT pg_tviews_require('post', '1h'); SET pg_tviews.max_staleness = '1h'; SELECT * FROM tv_post",
    );
    for sql in [
        "SELECT pg_tviews_token()",
        "SELECT pg_tviews_wait_for('1-1-1-1-3:3:')",
    ] {
        assert!(reader.fails(sql).message().contains("during recovery"), "{sql}");
    }
    // After a promotion the old timeline is another one.
    client.run("SELECT pg_tviews_resume('post')");
    let token: String = client.one("SELECT pg_tviews_token()");
    caught_up(&mut client);
    reader.run("SELECT pg_promote()");
    let error = reader.fails(&format!("SELECT pg_tviews_wait_for('{token}')"));
    assert!(error.message().contains("another timeline"), "{error:?}");
    let token: String = reader.one("SELECT pg_tviews_token()");
    assert!(reader.one::<bool>(&format!("SELECT pg_tviews_wait_for('{token}')")));
}

#[test]
fn changes_that_were_given_up_are_late() {
    let cluster = Cluster::start(Options::preloaded().set("pg_tviews.max_backlog", "5"));
    let database = Database::new(&cluster, "bounds_given_up");
    let mut client = database.client();
    client.run(
        "CREATE TABLE tb_counter (pk_counter bigint PRIMARY KEY, n bigint NOT NULL DEFAULT 0);
         INSERT INTO tb_counter SELECT generate_series(0, 2)",
    );
    client.run("SELECT pg_tviews_create('counter', 'SELECT pk_counter, n FROM tb_counter')");
    let mut reader = database.client();
    reader.run("SET pg_tviews.max_staleness = 0; SELECT * FROM tv_counter; SELECT * FROM tv_counter");
    client.run("SELECT pg_tviews_pause('counter')");
    for n in 1..=20 {
        client.run(&format!("UPDATE tb_counter SET n = {n} WHERE pk_counter = 1"));
    }
    client.wait_until(
        "SELECT EXISTS (SELECT 1 FROM pg_tview_meta_audit WHERE operation = 'give_up')",
        Duration::from_secs(60),
    );
    client.assert_queue_empties();
    for _ in 0..2 {
        let error = reader.fails("SELECT * FROM tv_counter");
        assert!(error.message().contains("is paused"), "{error:?}");
    }
    client.run("SELECT pg_tviews_resume('counter')");
    assert_eq!(
        reader.one::<i64>("SELECT n FROM tv_counter WHERE pk_counter = 1"),
        20
    );
}

#[test]
fn dead_keys_are_reported_and_not_waited_for() {
    let database = Database::new(shared(), "bounds_dead_keys");
    let mut client = database.client();
    client.run("CREATE TABLE tb_part (pk_part int PRIMARY KEY, n int NOT NULL); INSERT INTO tb_part VALUES (1, 1), (2, 2)");
    client.run("SELECT pg_tviews_create('part', 'SELECT pk_part, 10 / n AS n FROM tb_part')");
    client.run("UPDATE tb_part SET n = 0 WHERE pk_part = 1");
    client.wait_until("SELECT count(*) = 1 FROM pg_tview_dead_letter", WAIT);
    let (sender, notices) = mpsc::channel();
    let mut reader = shared().client_with_notices(&database.name, move |notice| {
        let _ = sender.send(notice);
    });
    reader.run("SET pg_tviews.max_staleness = 0");
    for n in [5, 10] {
        client.run(&format!("UPDATE tb_part SET n = {n} WHERE pk_part = 2"));
        assert_eq!(
            reader.one::<i32>("SELECT n FROM tv_part WHERE pk_part = 2"),
            10 / n
        );
        let notices: Vec<String> = notices
            .try_iter()
            .map(|notice| notice.message().to_string())
            .collect();
        assert!(
            notices
                .iter()
                .any(|notice| notice.contains("tv_part is not up to date")),
            "{notices:?}"
        );
    }
}
