//! What a consumer gets, and when: nothing is lost, nothing twice but what was not acknowledged.

use super::{feed_on, take};
use crate::blog;
use crate::harness::{shared, Ask, Cluster, Database, Options, StopMode, WAIT};

#[test]
fn what_commits_out_of_order_is_not_lost() {
    let database = Database::new(shared(), "feed_order");
    let mut client = database.client();
    client.run(
        "CREATE TABLE tb_slow (pk_slow int PRIMARY KEY, n int);
         CREATE TABLE tb_fast (pk_fast int PRIMARY KEY, n int);
         INSERT INTO tb_slow VALUES (1, 0); INSERT INTO tb_fast VALUES (1, 0);
         SELECT pg_tviews_create('slow', 'SELECT pk_slow, n FROM tb_slow');
         SELECT pg_tviews_create('fast', 'SELECT pk_fast, n FROM tb_fast');
         CREATE FUNCTION held() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
             WHILE NOT pg_try_advisory_xact_lock_shared(4711) LOOP PERFORM pg_sleep(0.01); END LOOP; RETURN NULL; END$$;
         CREATE TRIGGER held AFTER UPDATE ON tv_slow EXECUTE FUNCTION held();",
    );
    client.started_workers();
    feed_on(&mut client, "slow");
    feed_on(&mut client, "fast");
    client.run("SELECT pg_tviews_subscribe('c')");
    let mut holder = database.client();
    holder.run("SELECT pg_advisory_lock(4711)");
    client.run("UPDATE tb_slow SET n = 1");
    // Its refresh has written, and so has an id, and is still in progress.
    client.wait_until(
        "SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep' AND backend_xid IS NOT NULL",
        WAIT,
    );
    for n in 1..4 {
        client.run(&format!("UPDATE tb_fast SET n = {n}"));
        client.run("SELECT pg_tviews_wait('fast')");
        assert_eq!(take(&mut client, "c"), [r#"fast|UPDATE|{"pk_fast": 1}"#]);
    }
    holder.run("SELECT pg_advisory_unlock(4711)");
    client.run("SELECT pg_tviews_wait('slow')");
    assert_eq!(take(&mut client, "c"), [r#"slow|UPDATE|{"pk_slow": 1}"#]);
    assert!(take(&mut client, "c").is_empty());
}

/// Two programs that work as one consumer: one of the two transactions with the same changes fails.
#[test]
fn effects_are_not_committed_twice() {
    let (database, mut client) = blog::open(shared(), "feed_twice");
    let mut other = database.client();
    feed_on(&mut client, "user");
    client.run("CREATE TABLE effect (key jsonb)");
    client.run("SELECT pg_tviews_subscribe('twice')");
    let work = "CREATE TEMP TABLE done AS SELECT row_number() OVER () AS n, key, token FROM pg_tviews_changes('twice');
                INSERT INTO effect SELECT key FROM done";
    let acknowledge =
        "SELECT pg_tviews_ack('twice', (SELECT token FROM done ORDER BY n DESC LIMIT 1)); DROP TABLE done";
    for isolation in ["READ COMMITTED", "REPEATABLE READ"] {
        client.run("UPDATE tb_user SET name = name || '.' WHERE pk_user = 1; TRUNCATE effect");
        client.assert_follows(&blog::ENTITIES);
        for session in [&mut client, &mut other] {
            session.run(&format!("BEGIN ISOLATION LEVEL {isolation}"));
            session.run(work);
        }
        // A savepoint undoes an acknowledgement of the same transaction.
        client.run("SAVEPOINT s");
        client.run(acknowledge);
        client.run("ROLLBACK TO s");
        client.run(acknowledge);
        client.run("COMMIT");
        assert_eq!(other.fails(acknowledge).code().code(), "40001");
        other.run("ROLLBACK");
        assert_eq!(client.one::<i64>("SELECT count(*) FROM effect"), 1);
        assert_eq!(
            other.one::<i64>("SELECT count(*) FROM pg_tviews_changes('twice')"),
            0
        );
    }
}

#[test]
fn what_was_prepared_is_delivered_when_it_commits() {
    let (_database, mut client) = blog::open(shared(), "feed_prepared");
    feed_on(&mut client, "user");
    client.run("SELECT pg_tviews_subscribe('c')");
    client.run("BEGIN; UPDATE tb_user SET name = 'prepared' WHERE pk_user = 1; SELECT FROM tv_user");
    client.run("PREPARE TRANSACTION 'feed'");
    client.run("UPDATE tb_user SET name = 'other' WHERE pk_user = 2");
    client.run("SELECT pg_tviews_wait('user')");
    assert_eq!(take(&mut client, "c"), [r#"user|UPDATE|{"pk_user": 2}"#]);
    client.run("COMMIT PREPARED 'feed'");
    client.run("SELECT pg_tviews_wait('user')");
    assert_eq!(take(&mut client, "c"), [r#"user|UPDATE|{"pk_user": 1}"#]);
}

#[test]
fn what_was_returned_survives_a_crash() {
    let cluster = Cluster::start(
        Options::preloaded()
            .set("wal_writer_delay", "10s")
            .set("synchronous_commit", "off"),
    );
    let (database, mut client) = blog::open(&cluster, "feed_durable");
    feed_on(&mut client, "user");
    client.run("SELECT pg_tviews_subscribe('c'); CHECKPOINT");
    for n in 0..20 {
        client.run(&format!("UPDATE tb_user SET name = 'name {n}' WHERE pk_user = 1"));
        client.run("SELECT pg_tviews_wait('user')");
    }
    let changes = "SELECT operation, key, token FROM pg_tviews_changes('c')";
    let before = client.rows(changes);
    assert!(!before.is_empty());
    cluster.stop(StopMode::Immediate);
    cluster.start_server();
    let mut client = database.client();
    let after = client.rows(changes);
    let known = |row: &String| {
        after
            .iter()
            .any(|other| row.rsplit_once('|').map(|r| r.0) == other.rsplit_once('|').map(|r| r.0))
    };
    assert!(
        before.len() <= after.len() && before.iter().all(known),
        "{before:?} {after:?}"
    );
    assert_eq!(
        client.rows("SELECT name FROM tb_user WHERE pk_user = 1"),
        ["name 19"]
    );
    let token = before
        .last()
        .and_then(|row| row.rsplit_once('|'))
        .expect("a token")
        .1;
    client.run(&format!("SELECT pg_tviews_ack('c', '{token}')"));
    client.run("UPDATE tb_user SET name = 'after' WHERE pk_user = 2");
    client.run("SELECT pg_tviews_wait('user')");
    assert_eq!(take(&mut client, "c"), [r#"user|UPDATE|{"pk_user": 2}"#]);
}

#[test]
fn workers_that_share_a_backlog_report_all_of_it() {
    let cluster = Cluster::start(Options::preloaded().set("pg_tviews.batch_size", "500"));
    let database = Database::new(&cluster, "feed_backlog");
    let mut client = database.client();
    client.run(
        "CREATE TABLE tb_item (pk_item int PRIMARY KEY, n int);
         INSERT INTO tb_item SELECT i, 0 FROM generate_series(1, 20000) i;
         SELECT pg_tviews_create('item', 'SELECT pk_item, n FROM tb_item')",
    );
    client.started_workers();
    client.run("SELECT pg_tviews_wait()");
    feed_on(&mut client, "item");
    client.run("SELECT pg_tviews_subscribe('c')");
    client.run(
        "UPDATE tb_item SET n = 1 WHERE pk_item % 4 = 0; DELETE FROM tb_item WHERE pk_item % 4 = 1;
                INSERT INTO tb_item SELECT i, 0 FROM generate_series(20001, 21000) i",
    );
    client.run("SELECT pg_tviews_wait()");
    let several: bool = client.one("SELECT count(DISTINCT xid) > 3 FROM pg_tview_change");
    assert!(several, "in several transactions");
    let keys =
        "SELECT operation, count(*), count(DISTINCT k) FROM pg_tview_change, jsonb_array_elements(keys) k
                 WHERE operation <> 'EVERYTHING' GROUP BY 1 ORDER BY 1";
    assert_eq!(
        client.rows(keys),
        ["DELETE|5000|5000", "INSERT|1000|1000", "UPDATE|5000|5000"]
    );
    // All rows compared, in batches: what stays as it is is not reported.
    let before: i64 = client.one("SELECT count(*) FROM pg_tview_change");
    client.run("SELECT pg_tviews_refresh('item')");
    client.run("SELECT pg_tviews_wait()");
    assert_eq!(client.one::<i64>("SELECT count(*) FROM pg_tview_change"), before);
    // Rows that were written directly are put right, and that is reported.
    client.run("SET pg_tviews.allow_table_writes = on; UPDATE tv_item SET n = 9 WHERE pk_item % 1000 = 2; DELETE FROM tv_item WHERE pk_item = 7");
    client.run("SELECT pg_tviews_refresh('item')");
    client.run("SELECT pg_tviews_wait()");
    let reported = client.rows(&format!("SELECT operation, count(*) FROM pg_tview_change, jsonb_array_elements(keys) k WHERE change_id > {before} GROUP BY 1 ORDER BY 1"));
    assert_eq!(reported, ["INSERT|1", "UPDATE|21"]);
}

#[test]
fn too_many_keys_are_everything() {
    let cluster = Cluster::start(Options::preloaded().set("pg_tviews.feed_max_keys", "3"));
    let (_database, mut client) = blog::open(&cluster, "feed_many");
    feed_on(&mut client, "user");
    client.run("SELECT pg_tviews_subscribe('c')");
    client.run("UPDATE tb_user SET name = 'few' WHERE pk_user < 4");
    client.run("SELECT pg_tviews_wait('user')");
    assert_eq!(take(&mut client, "c").len(), 3);
    client.run("UPDATE tb_user SET name = 'many' WHERE pk_user < 5");
    client.run("SELECT pg_tviews_wait('user')");
    assert_eq!(take(&mut client, "c"), ["user|EVERYTHING|~"]);
}

#[test]
fn turning_it_on_waits_for_sessions_that_have_written_rows() {
    let (database, mut client) = blog::open(shared(), "feed_on");
    client.run("SELECT pg_tviews_wait()");
    let mut writer = database.client();
    writer.run("BEGIN; UPDATE tb_user SET name = 'unseen' WHERE pk_user = 1; SELECT FROM tv_user");
    client.run("SET lock_timeout = '300ms'");
    let error = client.fails("UPDATE pg_tview_meta SET feed = true WHERE entity_name = 'user'");
    assert_eq!(error.code().code(), "55P03");
    assert!(!client.one::<bool>("SELECT feed FROM pg_tview_meta WHERE entity_name = 'user'"));
    writer.run("COMMIT");
    feed_on(&mut client, "user");
    client.run("SELECT pg_tviews_subscribe('c')");
    // From the next change on, whichever process writes it, and however lately it has planned.
    for n in 0..20 {
        client.run(&format!("UPDATE tb_user SET name = 'on {n}' WHERE pk_user = 1"));
        client.run("SELECT pg_tviews_wait('user')");
        assert_eq!(take(&mut client, "c"), [r#"user|UPDATE|{"pk_user": 1}"#]);
        client.run("UPDATE pg_tview_meta SET feed = false WHERE entity_name = 'user'");
        client.run(&format!("UPDATE tb_user SET name = 'off {n}' WHERE pk_user = 1"));
        client.run("SELECT pg_tviews_wait('user')");
        assert!(take(&mut client, "c").is_empty());
        feed_on(&mut client, "user");
        assert_eq!(take(&mut client, "c"), ["user|EVERYTHING|~"]);
    }
}
