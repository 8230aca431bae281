//! Back-pressure: sessions that write sources of a TVIEW that is later than its `throttle_lag` are delayed a little, and nobody
//! else is.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::Arc;
use std::time::{Duration, Instant};

use postgres::Client;

use crate::harness::{shared, Ask, Database, WAIT};

/// The longest delay of a transaction.
const MOST: Duration = Duration::from_millis(100);

/// A TVIEW over two tables, and one over a third table without a `throttle_lag`; the role writes all of them.
fn open(name: &str, role: &str) -> (Database<'static>, Client) {
    let database = Database::new(shared(), name);
    let mut client = database.client();
    client.run(&format!(
        "DROP ROLE IF EXISTS {role};
         CREATE ROLE {role} LOGIN;
         CREATE TABLE tb_a (pk_a int PRIMARY KEY, name text);
         CREATE TABLE tb_b (pk_b int PRIMARY KEY, name text);
         CREATE TABLE tb_c (pk_c int PRIMARY KEY, name text);
         CREATE TABLE tb_p (pk_p int PRIMARY KEY, name text) PARTITION BY RANGE (pk_p);
         CREATE TABLE leaf PARTITION OF tb_p FOR VALUES FROM (0) TO (100);
         INSERT INTO tb_a VALUES (1, ''); INSERT INTO tb_b VALUES (1, ''); INSERT INTO tb_c VALUES (1, ''); INSERT INTO tb_p VALUES (1, '');
         GRANT ALL ON tb_a, tb_b, tb_c, tb_p, leaf TO {role};
         SELECT pg_tviews_create('a', 'SELECT a.pk_a, a.name, b.name AS b, p.name AS p
                                         FROM tb_a a LEFT JOIN tb_b b ON b.pk_b = a.pk_a LEFT JOIN tb_p p ON p.pk_p = a.pk_a');
         SELECT pg_tviews_create('c', 'SELECT pk_c, name FROM tb_c')"
    ));
    client.assert_follows(&["a", "c"]);
    client.started_workers();
    (database, client)
}

/// How long a script takes, at the least of several times.
fn least(client: &mut Client, script: &str) -> Duration {
    let time = |_| {
        let begin = Instant::now();
        client.run(script);
        begin.elapsed()
    };
    (0..20).map(time).min().unwrap_or_default()
}

const WRITE: &str = "UPDATE tb_a SET name = name || '.' WHERE pk_a = 1";

#[test]
fn writers_of_a_late_tview_are_delayed_and_nobody_else() {
    let (database, mut client) = open("throttle_delays", "throttle_app");
    client.run(
        "GRANT pg_execute_server_program TO throttle_app;
         GRANT TEMPORARY ON DATABASE throttle_delays TO throttle_app;
         GRANT SET ON PARAMETER session_replication_role TO throttle_app",
    );
    let mut app = database.client_as("throttle_app");
    // Without a throttle_lag, nothing is delayed however late it is.
    let mut holder = database.client();
    holder.run("BEGIN; LOCK TABLE tb_b IN ACCESS EXCLUSIVE MODE");
    app.run(WRITE);
    client.wait_until(
        "SELECT lag > interval '300 ms' FROM pg_tview_status WHERE entity_name = 'a'",
        WAIT,
    );
    assert!(least(&mut app, WRITE) < MOST);

    client.run("UPDATE pg_tview_meta SET throttle_lag = '100 ms' WHERE entity_name = 'a'");
    let delayed = |app: &mut Client| {
        let begin = Instant::now();
        app.run(WRITE);
        begin.elapsed() >= MOST
    };
    let begin = Instant::now();
    while !delayed(&mut app) {
        assert!(begin.elapsed() < WAIT, "no writer is delayed");
    }
    // Every way to write it, and a partition below a source.
    for script in [
        WRITE,
        "INSERT INTO tb_a VALUES (2, '') ON CONFLICT DO NOTHING",
        "DELETE FROM tb_a WHERE pk_a = 7",
        "WITH written AS (UPDATE tb_a SET name = '' RETURNING 1) SELECT count(*) FROM written",
        "UPDATE tb_p SET name = '.'",
        "UPDATE leaf SET name = '.'",
        "COPY tb_a FROM PROGRAM 'true'",
    ] {
        assert!(least(&mut app, script) >= MOST, "{script}");
    }
    // Once per transaction.
    let many = format!("BEGIN; {}; COMMIT", vec![WRITE; 20].join("; "));
    assert!(least(&mut app, &many) < MOST * 10);
    // Statements that write nothing of it, and what must not wait.
    for script in [
        "SELECT count(*) FROM tb_a",
        "SELECT name FROM tb_a FOR UPDATE",
        "UPDATE tb_c SET name = '.'",
        "CREATE TEMP TABLE mine (id int); INSERT INTO mine VALUES (1); DROP TABLE mine",
    ] {
        assert!(least(&mut app, script) < MOST, "{script}");
    }
    assert!(least(&mut client, WRITE) < MOST, "a superuser");
    app.run("SET session_replication_role = replica");
    assert!(least(&mut app, WRITE) < MOST, "what replication writes");
    app.run("RESET session_replication_role");
    assert!(least(&mut app, WRITE) >= MOST);

    // Never an error: a timeout of the session that is shorter than the delay leaves time for the statement.
    app.run("SET statement_timeout = '90 ms'");
    let begin = Instant::now();
    while app.batch_execute(WRITE).is_err() {
        assert!(begin.elapsed() < WAIT, "the delay uses up statement_timeout");
    }
    app.run("RESET statement_timeout");

    // Caught up.
    holder.run("ROLLBACK");
    client.assert_follows(&["a"]);
    let begin = Instant::now();
    while delayed(&mut app) {
        assert!(begin.elapsed() < WAIT, "writers are delayed without a cause");
    }
    assert!(least(&mut app, WRITE) < MOST);
}

#[test]
fn a_session_that_is_delayed_shows_what_it_waits_for() {
    let (database, mut client) = open("throttle_shown", "throttle_shown_app");
    client.run("UPDATE pg_tview_meta SET throttle_lag = '1 ms' WHERE entity_name = 'a'");
    let mut holder = database.client();
    holder.run("BEGIN; LOCK TABLE tb_b IN ACCESS EXCLUSIVE MODE");
    let mut app = database.client_as("throttle_shown_app");
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(SeqCst) {
                app.run(WRITE);
            }
        });
        client.wait_until(
            "SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE usename = 'throttle_shown_app' AND query LIKE 'UPDATE tb_a%'
                             AND wait_event_type = 'Extension'
                             AND wait_event = CASE WHEN current_setting('server_version_num')::int < 170000 THEN 'Extension' ELSE 'PgTviewsThrottle' END
                             AND NOT EXISTS (SELECT 1 FROM pg_locks l WHERE l.pid = pg_stat_activity.pid AND l.locktype = 'transactionid'))",
            WAIT,
        );
        // A delay is counted once it is over.
        client.wait_until(
            "SELECT throttled_transactions > 0 AND throttled_seconds > 0 FROM pg_tview_server_metrics",
            WAIT,
        );
        stop.store(true, SeqCst);
    });
}

#[test]
fn paused_and_suspended_tviews_delay_nobody() {
    let (database, mut client) = open("throttle_states", "throttle_states_app");
    client.run("UPDATE pg_tview_meta SET throttle_lag = '1 ms' WHERE entity_name = 'a'");
    let mut app = database.client_as("throttle_states_app");
    client.run("SELECT pg_tviews_pause('a')");
    app.run(WRITE);
    client.wait_until(
        "SELECT lag > interval '300 ms' FROM pg_tview_status WHERE entity_name = 'a'",
        WAIT,
    );
    assert!(least(&mut app, WRITE) < MOST, "paused");
    client.run("SELECT pg_tviews_resume('a')");
    client.assert_follows(&["a"]);
    client.run("DROP VIEW v_a");
    app.run(WRITE);
    client.wait_until(
        "SELECT state = 'suspended' FROM pg_tview_meta WHERE entity_name = 'a'",
        WAIT,
    );
    let begin = Instant::now();
    while least(&mut app, WRITE) >= MOST {
        assert!(begin.elapsed() < WAIT, "suspended");
    }
}

#[test]
fn refreshes_and_previews_in_a_session_are_not_delayed() {
    let (database, mut client) = open("throttle_own_work", "throttle_own_work_app");
    client.run(
        "GRANT USAGE, CREATE ON SCHEMA public TO throttle_own_work_app;
         SET ROLE throttle_own_work_app;
         CREATE TABLE tb_d (pk_d int PRIMARY KEY, name text);
         INSERT INTO tb_d VALUES (1, '');
         SELECT pg_tviews_create('d', 'SELECT pk_d, name FROM tb_d');
         SELECT pg_tviews_create('e', 'SELECT d.pk_d AS pk_e, d.name, a.name AS a, b.name AS b
                                         FROM tv_d d LEFT JOIN tb_a a ON a.pk_a = d.pk_d LEFT JOIN tb_b b ON b.pk_b = d.pk_d');
         UPDATE pg_tview_meta SET throttle_lag = '1 ms' WHERE entity_name = 'e';
         RESET ROLE",
    );
    client.assert_follows(&["d", "e"]);
    let mut holder = database.client();
    holder.run("BEGIN; LOCK TABLE tb_b IN ACCESS EXCLUSIVE MODE");
    let mut app = database.client_as("throttle_own_work_app");
    let begin = Instant::now();
    while least(&mut app, WRITE) < MOST {
        assert!(begin.elapsed() < WAIT, "no writer is delayed");
    }
    // The preview writes tv_d, a source of the late TVIEW.
    let script = "BEGIN; UPDATE tb_d SET name = name || '.'; SELECT count(*) FROM tv_d; COMMIT";
    assert!(least(&mut app, script) < MOST, "a preview");
    assert!(least(&mut app, WRITE) >= MOST);
}

#[test]
fn writers_of_tables_without_the_privilege_trigger_are_not_delayed() {
    let (database, mut client) = open("throttle_rights", "throttle_rights_app");
    client.run(
        "DROP ROLE IF EXISTS throttle_rights_reader;
         CREATE ROLE throttle_rights_reader LOGIN;
         GRANT USAGE, CREATE ON SCHEMA public TO throttle_rights_reader;
         GRANT SELECT ON tb_a, tb_b TO throttle_rights_reader;
         GRANT TRIGGER ON tb_b TO throttle_rights_reader;
         ALTER DATABASE throttle_rights SET pg_tviews.require_trigger_privilege = off",
    );
    let mut reader = database.client_as("throttle_rights_reader");
    reader.run(
        "CREATE TABLE tb_lock (pk_lock int PRIMARY KEY);
         SELECT pg_tviews_create('r', 'SELECT a.pk_a AS pk_r, a.name, b.name AS b FROM tb_a a JOIN tb_b b ON b.pk_b = a.pk_a LEFT JOIN tb_lock ON pk_lock = pk_a');
         UPDATE pg_tview_meta SET throttle_lag = '1 ms' WHERE entity_name = 'r'",
    );
    client.assert_follows(&["r"]);
    let mut holder = database.client();
    holder.run("BEGIN; LOCK TABLE tb_lock IN ACCESS EXCLUSIVE MODE");
    let mut app = database.client_as("throttle_rights_app");
    app.run(WRITE);
    let begin = Instant::now();
    while least(&mut app, "UPDATE tb_b SET name = name || '.'") < MOST {
        assert!(begin.elapsed() < WAIT, "no writer is delayed");
    }
    assert!(
        least(&mut app, WRITE) < MOST,
        "the owner of the TVIEW may only read it"
    );
}

#[test]
fn a_tview_that_is_on_time_delays_nobody() {
    let (database, mut client) = open("throttle_on_time", "throttle_on_time_app");
    client.run(
        "UPDATE pg_tview_meta SET throttle_lag = '1 ms', max_latency = '1 hour' WHERE entity_name = 'a';
         UPDATE pg_tview_meta SET throttle_lag = '1 ms' WHERE entity_name = 'c'",
    );
    let mut holder = database.client();
    holder.run("BEGIN; LOCK TABLE tb_b IN ACCESS EXCLUSIVE MODE");
    holder.run("LOCK TABLE tv_c IN ACCESS EXCLUSIVE MODE");
    let mut app = database.client_as("throttle_on_time_app");
    // Both are as late. Workers have read both columns where writers of tb_c are delayed.
    let begin = Instant::now();
    while least(&mut app, "UPDATE tb_c SET name = name || '.'") < MOST {
        app.run(WRITE);
        assert!(begin.elapsed() < WAIT, "no writer is delayed");
    }
    assert!(least(&mut app, WRITE) < MOST, "a TVIEW within its bound");
}

/// A superuser's session that is told of each subtransaction, and how many there were.
fn told_of_subtransactions(database: &Database) -> (Client, Arc<AtomicU32>) {
    let begun = Arc::new(AtomicU32::new(0));
    let count = begun.clone();
    let mut client = database
        .cluster
        .client_with_notices(&database.name, move |notice| {
            if notice.message().starts_with("StartSubTransaction") {
                count.fetch_add(1, SeqCst);
            }
        });
    client.run("SET client_min_messages = debug5");
    (client, begun)
}

#[test]
fn who_writes_no_late_source_starts_no_subtransaction() {
    let (database, mut client) = open("throttle_strangers", "throttle_strangers_app");
    client.run("UPDATE pg_tview_meta SET throttle_lag = '1 ms' WHERE entity_name = 'a'");
    let mut holder = database.client();
    holder.run("BEGIN; LOCK TABLE tb_b IN ACCESS EXCLUSIVE MODE");
    let mut app = database.client_as("throttle_strangers_app");
    let begin = Instant::now();
    while least(&mut app, WRITE) < MOST {
        assert!(begin.elapsed() < WAIT, "no writer is delayed");
    }
    let stranger = Database::new(shared(), "throttle_elsewhere");
    for database in [&database, &stranger] {
        let (mut session, begun) = told_of_subtransactions(database);
        // That they are told.
        session.run("BEGIN; SAVEPOINT s; COMMIT");
        assert!(begun.load(SeqCst) > 0);
        session.run("CREATE TABLE of_nobody (id int)");
        begun.store(0, SeqCst);
        for script in [
            "COPY of_nobody FROM PROGRAM 'true'",
            "INSERT INTO of_nobody VALUES (1)",
            "UPDATE of_nobody SET id = 2",
        ] {
            session.run(script);
            assert_eq!(begun.load(SeqCst), 0, "{script} in {}", database.name);
        }
    }
    assert!(least(&mut app, WRITE) >= MOST);
}
