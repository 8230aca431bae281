//! The change feed: a consumer that follows it has the rows of the TVIEW, whatever happens in between.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use postgres::fallible_iterator::FallibleIterator;
use postgres::{Client, Error, IsolationLevel};

use crate::blog;
use crate::harness::{
    send_signal, shared, Ask, Cluster, Database, Load, Options, Plan, Random, StopMode, WAIT,
};

/// Housekeeping comes after ten seconds.
const TRIM: Duration = Duration::from_secs(60);

/// TVIEWs that are mirrored, with their key.
const MIRRORED: [(&str, &str); 3] = [("user", "pk_user"), ("post", "pk_post"), ("total", "pk_total")];

fn feed_on(client: &mut Client, entity: &str) {
    client.run(&format!(
        "UPDATE pg_tview_meta SET feed = true WHERE entity_name = '{entity}'"
    ));
}

/// What the feed has for a consumer, acknowledged.
fn take(client: &mut Client, consumer: &str) -> Vec<String> {
    let rows = client.rows(&format!(
        "SELECT entity_name, operation, key, token FROM pg_tviews_changes('{consumer}', 10000)"
    ));
    let mut changes = Vec::new();
    for row in &rows {
        let (change, token) = row.rsplit_once('|').expect("four columns");
        client.run(&format!("SELECT pg_tviews_ack('{consumer}', '{token}')"));
        changes.push(change.to_owned());
    }
    changes
}

/// Rows by table and key, as a program outside the database has them.
#[derive(Default)]
struct Mirror {
    rows: BTreeMap<(String, i64), String>,
}

impl Mirror {
    /// Subscribes and reads the tables, in one transaction.
    fn begin(client: &mut Client) -> Mirror {
        let mut mirror = Mirror::default();
        let mut transaction = client
            .build_transaction()
            .isolation_level(IsolationLevel::RepeatableRead)
            .start()
            .expect("a transaction");
        transaction
            .batch_execute("SELECT pg_tviews_subscribe('mirror', '{user,post,total}')")
            .expect("subscribed");
        for (entity, key) in MIRRORED {
            let rows = transaction
                .query(&format!("SELECT {key}::bigint, data::text FROM tv_{entity}"), &[])
                .expect("rows");
            for row in rows {
                mirror.rows.insert((entity.to_owned(), row.get(0)), row.get(1));
            }
        }
        transaction.commit().expect("committed");
        mirror
    }

    /// Applies some changes, in one transaction with their acknowledgement. The mirror has them only once that is
    /// committed. Returns how many there were.
    fn follow(&mut self, client: &mut Client, max_rows: i32) -> Result<usize, Error> {
        let mut transaction = client
            .build_transaction()
            .isolation_level(IsolationLevel::RepeatableRead)
            .start()?;
        let changes = transaction.query(
            "SELECT entity_name, key::text, token FROM pg_tviews_changes('mirror', $1)",
            &[&max_rows],
        )?;
        let Some(last) = changes.last() else {
            return Ok(0);
        };
        let mut rows = self.rows.clone();
        for change in &changes {
            let (entity, key): (String, Option<String>) = (change.get(0), change.get(1));
            let column = MIRRORED
                .iter()
                .find(|(name, _)| *name == entity)
                .expect("subscribed")
                .1;
            let exists: bool = transaction
                .query_one("SELECT to_regclass($1) IS NOT NULL", &[&format!("tv_{entity}")])?
                .get(0);
            let filter = match &key {
                Some(key) => format!("{column} = ('{key}'::jsonb->>'{column}')::bigint"),
                None => "true".to_owned(),
            };
            rows.retain(|(of, at), _| match &key {
                Some(key) => *of != entity || !key.ends_with(&format!(" {at}}}")),
                None => *of != entity,
            });
            if exists {
                let sql = format!("SELECT {column}::bigint, data::text FROM tv_{entity} WHERE {filter}");
                for row in transaction.query(&sql, &[])? {
                    rows.insert((entity.clone(), row.get(0)), row.get(1));
                }
            }
        }
        let token: String = last.get(2);
        transaction.execute("SELECT pg_tviews_ack('mirror', $1)", &[&token])?;
        transaction.commit()?;
        self.rows = rows;
        Ok(changes.len())
    }

    /// Follows until it is to end, through crashes.
    fn follow_until(&mut self, cluster: &Cluster, database: &str, end: &AtomicBool) -> usize {
        let (mut client, mut taken) = (None, 0);
        while !end.load(Ordering::Relaxed) {
            let mut connection = match client.take() {
                Some(connection) => connection,
                None => match cluster.try_client(database, "postgres") {
                    Ok(connection) => connection,
                    Err(_) => {
                        std::thread::sleep(Duration::from_millis(50));
                        continue;
                    }
                },
            };
            match self.follow(&mut connection, 7) {
                Ok(some) => {
                    taken += some;
                    client = Some(connection);
                }
                // A deadlock with DDL, perhaps; a lost connection is replaced.
                Err(_) if !connection.is_closed() => client = Some(connection),
                Err(_) => {}
            }
            std::thread::sleep(Duration::from_millis(3));
        }
        taken
    }

    /// Follows to the end, and compares.
    #[track_caller]
    fn assert_equal(&mut self, client: &mut Client) {
        while self.follow(client, 1000).expect("follows") > 0 {}
        let mut now = Mirror::default();
        for (entity, key) in MIRRORED {
            if !client.one::<bool>(&format!("SELECT to_regclass('tv_{entity}') IS NOT NULL")) {
                continue;
            }
            for row in client
                .query(&format!("SELECT {key}::bigint, data::text FROM tv_{entity}"), &[])
                .expect("rows")
            {
                now.rows.insert((entity.to_owned(), row.get(0)), row.get(1));
            }
        }
        for (key, row) in &now.rows {
            assert_eq!(self.rows.get(key), Some(row), "{key:?} in the mirror");
        }
        assert_eq!(self.rows.len(), now.rows.len(), "the mirror has more rows");
    }
}

/// Writers that also read what they have written, so that rows are written by previews, too.
fn statements() -> Vec<&'static str> {
    let reads = ["SELECT count(*) FROM tv_post", "SELECT data FROM tv_total"];
    blog::STATEMENTS.into_iter().chain(reads).collect()
}

#[test]
fn a_mirror_equals_the_tviews_after_crashes() {
    let cluster = Cluster::start(
        Options::preloaded()
            .set("restart_after_crash", "on")
            .set("pg_tviews.batch_size", "20"),
    );
    let (database, mut client) = blog::open(&cluster, "feed_mirror");
    for (entity, _) in MIRRORED {
        feed_on(&mut client, entity);
    }
    let statements = statements();
    let plan = Plan {
        statements: &statements,
        ..blog::writers_through_crashes(&cluster, &database.name)
    };
    let random = Random::announced("a_mirror_equals_the_tviews_after_crashes");
    let mut mirror = Mirror::begin(&mut client);
    let end = AtomicBool::new(false);
    let taken = std::thread::scope(|scope| {
        let following = scope.spawn(|| mirror.follow_until(&cluster, &database.name, &end));
        Load::during(&plan, 3, &random, |load| {
            for round in 0..3 {
                load.let_pass(60);
                match round {
                    0 => send_signal("KILL", client.started_workers()[0]),
                    1 => {
                        cluster.stop(StopMode::Immediate);
                        cluster.start_server();
                    }
                    _ => send_signal("KILL", client.started_workers()[1]),
                }
                std::thread::sleep(Duration::from_millis(500));
                client = cluster.client_after_recovery(&database.name);
                load.let_pass(30);
            }
        });
        end.store(true, Ordering::Relaxed);
        following.join().expect("followed")
    });
    assert!(taken > 50, "{taken} changes");
    client.assert_follows(&blog::ENTITIES);
    mirror.assert_equal(&mut client);
}

#[test]
fn a_mirror_follows_truncation_redefinition_and_creation() {
    let (database, mut client) = blog::open(shared(), "feed_ddl");
    for (entity, _) in MIRRORED {
        feed_on(&mut client, entity);
    }
    let mut mirror = Mirror::begin(&mut client);
    let mut other = database.client();
    let mut step = |client: &mut Client, sql: &str| {
        other.run(sql);
        client.run("SELECT pg_tviews_wait()");
        mirror.assert_equal(client);
        mirror.rows.len()
    };
    step(&mut client, "DELETE FROM tb_post WHERE pk_post > 25");
    assert_eq!(step(&mut client, "TRUNCATE tb_post"), 11);
    step(
        &mut client,
        "INSERT INTO tb_post (pk_post, fk_user, title) SELECT i, 1, 't' || i FROM generate_series(1, 50) i",
    );
    let upper = blog::TVIEWS[0].1.replace("'name', name", "'name', upper(name)");
    step(
        &mut client,
        &format!("SELECT pg_tviews_create('user', $${upper}$$)"),
    );
    assert_eq!(
        step(
            &mut client,
            "SELECT pg_tviews_drop('feed'), pg_tviews_drop('post')"
        ),
        11
    );
    step(
        &mut client,
        &format!(
            "SELECT pg_tviews_create('post', $${}$$); UPDATE pg_tview_meta SET feed = true WHERE entity_name = 'post'",
            blog::TVIEWS[1].1
        ),
    );
    assert_eq!(
        step(&mut client, "UPDATE tb_post SET likes = 7 WHERE pk_post < 9"),
        61
    );
    step(&mut client, "DROP TABLE tv_total");
}

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

/// The payloads of notifications that arrive, until none does for so many milliseconds.
fn notified(client: &mut Client, milliseconds: u64) -> Vec<String> {
    let mut notifications = client.notifications();
    let arriving = notifications.timeout_iter(Duration::from_millis(milliseconds));
    arriving
        .map(|notification| Ok(notification.payload().to_owned()))
        .collect()
        .expect("connected")
}

#[test]
fn workers_notify_consumers_if_they_are_to() {
    let cluster = Cluster::start(Options::preloaded());
    let (database, mut client) = blog::open(&cluster, "feed_notify");
    feed_on(&mut client, "user");
    let mut listener = database.client();
    listener.run("LISTEN pg_tviews");
    client.run("UPDATE tb_user SET name = 'off' WHERE pk_user = 1");
    client.run("SELECT pg_tviews_wait()");
    client.run("ALTER SYSTEM SET pg_tviews.feed_notify = on");
    client.run("SELECT pg_reload_conf()");
    client.wait_until(
        "SELECT setting = 'on' FROM pg_settings WHERE name = 'pg_tviews.feed_notify'",
        WAIT,
    );
    let mut heard: Vec<String> = Vec::new();
    let mut last = String::new();
    // Workers read the setting a moment later than this session.
    for n in 0..200 {
        client.run(&format!(
            "UPDATE tb_user SET name = 'on {n}' WHERE pk_user = 1; UPDATE tb_post SET likes = likes + 1"
        ));
        client.run("SELECT pg_tviews_wait()");
        last = format!("on {n}");
        heard.extend(notified(&mut listener, 20));
        if heard.len() > 3 {
            break;
        }
    }
    // The last one follows, however soon after another.
    heard.extend(notified(&mut listener, 500));
    assert!(heard.len() > 3, "{heard:?}");
    assert!(heard.iter().all(|payload| payload == "user"), "{heard:?}");
    assert_eq!(
        client.rows("SELECT data->>'name' FROM tv_user WHERE pk_user = 1"),
        [last]
    );
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

#[test]
fn what_was_acknowledged_goes_and_an_absent_consumer_starts_anew() {
    let cluster = Cluster::start(Options::preloaded());
    let (database, mut client) = blog::open(&cluster, "feed_trim");
    feed_on(&mut client, "user");
    feed_on(&mut client, "post");
    let mut early = database.client();
    early.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1");
    client.run("SELECT pg_tviews_subscribe('present'), pg_tviews_subscribe('posts', '{post}')");
    client.run("UPDATE tb_user SET score = 1, name = 'first' WHERE pk_user = 1");
    client.run("SELECT pg_tviews_wait('user')");
    assert!(take(&mut client, "present").contains(&r#"user|UPDATE|{"pk_user": 1}"#.to_owned()));
    // Rows of posts follow from users; the rest is acknowledged by all, but a session may not see it yet.
    take(&mut client, "posts");
    client.run("SELECT pg_tviews_wait()");
    std::thread::sleep(Duration::from_secs(15));
    let token: String = early.one("SELECT pg_tviews_subscribe('early')");
    early.run("COMMIT");
    assert!(take(&mut client, "early").contains(&r#"user|UPDATE|{"pk_user": 1}"#.to_owned()));
    take(&mut client, "present");
    take(&mut client, "posts");
    client.wait_until("SELECT count(*) = 0 FROM pg_tview_change", TRIM);
    client.wait_until("SELECT count(*) = 3 FROM pg_tview_acknowledgement", TRIM);
    // An absent consumer keeps changes until they are too old.
    client.run("UPDATE tb_user SET name = 'second' WHERE pk_user = 1");
    client.run("SELECT pg_tviews_wait()");
    take(&mut client, "present");
    let behind =
        "SELECT rows_behind > 0 AND state = 'active' FROM pg_tview_consumer WHERE consumer = 'early'";
    assert!(client.one::<bool>(behind));
    client.run("ALTER SYSTEM SET pg_tviews.feed_retention = '1s'");
    client.run("SELECT pg_reload_conf()");
    client.wait_until(
        "SELECT state = 'resnapshot' FROM pg_tview_consumer WHERE consumer = 'early'",
        TRIM,
    );
    assert_eq!(
        client.one::<String>("SELECT state FROM pg_tview_consumer WHERE consumer = 'present'"),
        "active"
    );
    assert_eq!(client.one::<i64>("SELECT count(*) FROM pg_tview_change"), 0);
    for call in [
        "pg_tviews_changes('early')".to_owned(),
        format!("pg_tviews_ack('early', '{token}')"),
    ] {
        let error = client.fails(&format!("SELECT {call}"));
        assert_eq!(error.code().code(), "55000");
        assert!(error
            .hint()
            .is_some_and(|hint| hint.contains("pg_tviews_subscribe('early'")));
    }
    client.run("SELECT pg_tviews_subscribe('early')");
    client.run("UPDATE tb_user SET name = 'third' WHERE pk_user = 1");
    client.run("SELECT pg_tviews_wait('user')");
    assert!(take(&mut client, "early").contains(&r#"user|UPDATE|{"pk_user": 1}"#.to_owned()));
}

#[test]
fn the_feed_does_not_outgrow_its_size() {
    let cluster = Cluster::start(Options::preloaded().set("pg_tviews.feed_max_size", "1MB"));
    let database = Database::new(&cluster, "feed_size");
    let mut client = database.client();
    client.run(
        "CREATE TABLE tb_item (pk_item text PRIMARY KEY, n int);
         INSERT INTO tb_item SELECT md5(i::text), 0 FROM generate_series(1, 5000) i;
         SELECT pg_tviews_create('item', 'SELECT pk_item, n FROM tb_item')",
    );
    feed_on(&mut client, "item");
    client.run("SELECT pg_tviews_subscribe('absent')");
    for n in 1..12 {
        client.run(&format!("UPDATE tb_item SET n = {n}"));
        client.run("SELECT pg_tviews_wait()");
    }
    client.wait_until("SELECT state = 'resnapshot' FROM pg_tview_consumer", TRIM);
    client.wait_until(
        "SELECT coalesce(sum(pg_column_size(keys)), 0) < 1024 * 1024 FROM pg_tview_change",
        TRIM,
    );
}
