//! A read that would be late, and that no waiting can help, says so.

use std::sync::mpsc;
use std::time::Duration;

use postgres::Client;

use super::{assert_too_late, behind, counters, TOO_LATE};
use crate::blog;
use crate::harness::{shared, Ask, Cluster, Database, Options, WAIT};

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
