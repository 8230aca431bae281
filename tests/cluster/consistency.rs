//! What a reader can rely on: pg_tviews_wait for all and for one key, pg_tviews_pending.

use std::time::{Duration, Instant};

use postgres::Client;

use crate::blog;
use crate::harness::{shared, Ask, Cluster, Database, Load, Options, Plan, Random, StopMode, WAIT};

/// Far less than pg_tviews_wait waits by itself.
const PROMPT: Duration = Duration::from_secs(10);

#[test]
fn wait_is_never_early_when_commits_overtake_each_other() {
    let (database, mut reader) = blog::open(shared(), "overtaking");
    let mut writers: Vec<Client> = (0..4).map(|_| database.client()).collect();
    for round in 0..250 {
        // The first to write is the last to commit; each commit is looked at at once.
        for (number, writer) in writers.iter_mut().enumerate() {
            let user = number + 1;
            writer.run(&format!(
                "BEGIN; UPDATE tb_user SET name = 'u{round}' WHERE pk_user = {user}; UPDATE tb_post SET title = 't{round}' WHERE fk_user = {user}"
            ));
        }
        for number in (0..writers.len()).rev() {
            writers[number].run("COMMIT");
            assert!(
                reader.one::<bool>("SELECT pg_tviews_wait()"),
                "gave up in round {round}"
            );
            reader.assert_views_equal(&blog::ENTITIES);
        }
    }
}

#[test]
fn wait_for_a_key_is_never_early() {
    let (database, mut reader) = blog::open(shared(), "early_key");
    reader.run("INSERT INTO tb_user (pk_user, name) VALUES (1000, 'watched')");
    let mut writer = database.client();
    let plan = blog::writers_who_delete_nothing(shared(), &database.name);
    let random = Random::announced("wait_for_a_key_is_never_early");
    let mut check = |rounds: std::ops::Range<u32>| {
        for i in rounds {
            writer.run(&format!("UPDATE tb_user SET name = 'v{i}' WHERE pk_user = 1000"));
            assert!(
                reader.one::<bool>("SELECT pg_tviews_wait('feed', 1000)"),
                "gave up in round {i}"
            );
            let seen = reader.rows("SELECT data->>'name' FROM tv_feed WHERE pk_feed = 1000");
            assert_eq!(seen, [format!("v{i}")], "early");
        }
    };
    check(0..1000);
    Load::during(&plan, 2, &random, |_| check(1000..1100));
}

#[test]
fn wait_for_a_key_does_not_wait_for_others() {
    let (database, mut client) = blog::open(shared(), "locked_other");
    client.assert_follows(&blog::ENTITIES);
    let mut holder = database.client();
    holder.run("BEGIN; SELECT * FROM tv_post WHERE pk_post = 7 FOR UPDATE");
    client.run("UPDATE tb_post SET title = 'held up' WHERE pk_post = 7");
    assert!(!client.one::<bool>("SELECT pg_tviews_wait('post', timeout => '300 ms')"));
    assert!(!client.one::<bool>("SELECT pg_tviews_wait('post', 7, '300 ms')"));
    let begin = Instant::now();
    assert!(client.one::<bool>("SELECT pg_tviews_wait('post', 8)"));
    assert!(client.one::<bool>("SELECT pg_tviews_wait('post', '9')"));
    assert!(begin.elapsed() < PROMPT, "took {:?}", begin.elapsed());
    assert_eq!(
        client.rows("SELECT key_text FROM pg_tviews_pending('post')"),
        ["7"]
    );
    // A refresh goes around the row that is held.
    client.run("UPDATE tb_post SET title = 'as well' WHERE pk_post = 8");
    assert!(client.one::<bool>("SELECT pg_tviews_wait('post', 8)"));
    assert!(!client.one::<bool>("SELECT pg_tviews_wait('post', 7, '300 ms')"));
    holder.run("COMMIT");
    assert!(client.one::<bool>("SELECT pg_tviews_wait('post', 7)"));
    assert_eq!(
        client.rows("SELECT data->>'title' FROM tv_post WHERE pk_post = 8"),
        ["as well"]
    );
    client.assert_follows(&blog::ENTITIES);
    assert_eq!(
        client.one::<i64>("SELECT count(*) FROM pg_tviews_pending('post')"),
        0
    );
}

#[test]
fn wait_for_a_key_in_a_backlog_ends_with_its_batch() {
    let cluster = Cluster::start(Options::preloaded().set("pg_tviews.batch_size", "1000"));
    let database = Database::new(&cluster, "backlog_key");
    let mut client = database.client();
    client.run(
        "CREATE TABLE tb_doc (pk_doc int PRIMARY KEY, n int NOT NULL);
         INSERT INTO tb_doc SELECT i, 0 FROM generate_series(1, 5000) i;
         CREATE FUNCTION slowly(n int) RETURNS int LANGUAGE plpgsql AS
         $$BEGIN PERFORM pg_sleep(n * 0.0004); RETURN n; END$$;",
    );
    client.run("SELECT pg_tviews_create('doc', 'SELECT pk_doc, slowly(n) AS n FROM tb_doc')");
    client.assert_follows(&["doc"]);
    client.run("UPDATE tb_doc SET n = 1 WHERE pk_doc <= 4900");
    assert!(client.one::<bool>("SELECT pg_tviews_wait('doc', 5000)"));
    assert!(client.one::<i64>("SELECT count(*) FROM pg_tviews_pending('doc')") > 0);
    assert!(client.one::<bool>("SELECT pg_tviews_wait('doc', 1)"));
    assert_eq!(client.rows("SELECT n FROM tv_doc WHERE pk_doc = 1"), ["1"]);
    client.assert_follows(&["doc"]);
}

#[test]
fn dead_keys_are_told_of() {
    let database = Database::new(shared(), "dead_told");
    let mut client = database.client();
    client.run("CREATE TABLE tb_part (pk_part int PRIMARY KEY, pieces int); INSERT INTO tb_part SELECT i, i FROM generate_series(1, 50) i");
    client.run("SELECT pg_tviews_create('part', 'SELECT pk_part, 100 / pieces AS each FROM tb_part')");
    client.run("UPDATE tb_part SET pieces = 0 WHERE pk_part = 3");
    client.wait_until("SELECT count(*) = 1 FROM pg_tview_dead_letter", WAIT);
    client.run("UPDATE tb_part SET pieces = 10 WHERE pk_part = 4");
    assert!(client.one::<bool>("SELECT pg_tviews_wait('part')"));
    assert!(client.one::<bool>("SELECT pg_tviews_wait('part', 4)"));
    assert_eq!(client.rows("SELECT each FROM tv_part WHERE pk_part = 4"), ["10"]);
    let begin = Instant::now();
    let error = client.fails("SELECT pg_tviews_wait('part', 3)");
    assert!(begin.elapsed() < PROMPT);
    assert_eq!(error.code().code(), "55000");
    assert!(
        error.detail().is_some_and(|detail| detail.contains("22012")),
        "{error:?}"
    );
    assert_eq!(
        client.rows("SELECT key_text FROM pg_tviews_pending('part')"),
        ["3"]
    );
    client.run("UPDATE tb_part SET pieces = 5 WHERE pk_part = 3");
    assert!(client.one::<bool>("SELECT pg_tviews_wait('part', 3)"));
    client.assert_follows(&["part"]);
}

#[test]
fn what_happens_to_a_tview_during_a_wait_ends_it() {
    let database = Database::new(shared(), "meanwhile");
    let mut client = database.client();
    blog::create_slow(&mut client);
    client.run("CREATE VIEW over AS SELECT pk_slow, n FROM v_slow");
    for (number, (command, message)) in [
        ("SELECT pg_tviews_pause('slow')", "paused"),
        ("DROP VIEW v_slow CASCADE", "suspended"),
        ("DROP TABLE tv_slow CASCADE", "dropped meanwhile"),
    ]
    .into_iter()
    .enumerate()
    {
        for call in ["pg_tviews_wait('slow')", "pg_tviews_wait('slow', 1)"] {
            client.run("DROP TABLE IF EXISTS knob, tb_slow, tv_slow CASCADE; DROP FUNCTION IF EXISTS slowly");
            blog::create_slow(&mut client);
            client.assert_follows(&["slow"]);
            let mut holder = database.client();
            holder.run("BEGIN; SELECT * FROM tv_slow FOR UPDATE");
            client.run(&format!("UPDATE tb_slow SET n = {}", number + 2));
            let error = std::thread::scope(|scope| {
                let mut waiter = database.client();
                let waiting = scope.spawn(move || {
                    waiter.run("SET statement_timeout = '20s'");
                    waiter.fails(&format!("SELECT {call}"))
                });
                until_somebody_waits(&mut client);
                let mut blocker = database.client();
                if command.contains("tv_slow") {
                    // The refresh waits for its source now, and locks nothing meanwhile.
                    blocker.run("BEGIN; LOCK TABLE tb_slow IN ACCESS EXCLUSIVE MODE");
                    holder.run("COMMIT");
                }
                client.run(command);
                let _ = holder.batch_execute("COMMIT");
                waiting.join().expect("an error")
            });
            // A refresh may have been faster than the command.
            assert!(error.message().contains(message), "{command}: {error:?}");
        }
    }
}

/// Until a session of this database sleeps in pg_tviews_wait.
fn until_somebody_waits(client: &mut Client) {
    client.wait_until(
        "SELECT count(*) > 0 FROM pg_stat_activity
          WHERE datname = current_database() AND backend_type = 'client backend' AND wait_event = 'Extension'",
        WAIT,
    );
}

#[test]
fn wait_ends_with_its_statement() {
    let (database, mut client) = blog::open(shared(), "ends");
    let mut holder = database.client();
    holder.run("BEGIN; SELECT * FROM tv_user FOR UPDATE");
    client.run("UPDATE tb_user SET name = 'x' WHERE pk_user = 1");
    client.run("SET statement_timeout = '300 ms'");
    for call in [
        "pg_tviews_wait()",
        "pg_tviews_wait('user', '1 hour')",
        "pg_tviews_wait('user', 1)",
    ] {
        let begin = Instant::now();
        let error = client.fails(&format!("SELECT {call}"));
        assert_eq!(error.code().code(), "57014", "{error:?}");
        assert_eq!(error.detail(), None);
        assert!(begin.elapsed() < PROMPT);
    }
    client.run("SET statement_timeout = 0");
    let pid: i32 = client.one("SELECT pg_backend_pid()");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(move || client.fails("SELECT pg_tviews_wait('user', 1)"));
        let mut other = database.client();
        until_somebody_waits(&mut other);
        assert!(other.one::<bool>(&format!("SELECT pg_cancel_backend({pid})")));
        assert_eq!(waiting.join().expect("an error").code().code(), "57014");
    });
}

#[test]
fn wait_in_repeatable_read() {
    let (database, mut client) = blog::open(shared(), "kept_snapshot");
    client.assert_follows(&blog::ENTITIES);
    let mut writer = database.client();
    // Each statement its own transaction: what follows sees it.
    client.run("SET default_transaction_isolation = 'repeatable read'");
    for i in 0..50 {
        writer.run(&format!("UPDATE tb_user SET name = 'v{i}' WHERE pk_user = 5"));
        assert!(client.one::<bool>("SELECT pg_tviews_wait('user', 5)"));
        let seen = client.rows("SELECT data->>'name' FROM tv_user WHERE pk_user = 5");
        assert_eq!(seen, [format!("v{i}")]);
    }
    // One transaction: right, or an error; never a wait.
    for i in 0..50 {
        writer.run(&format!("UPDATE tb_user SET name = 'w{i}' WHERE pk_user = 5"));
        client.run("BEGIN");
        let right = match client.query_one("SELECT pg_tviews_wait('user')", &[]) {
            Ok(row) => row.get::<_, bool>(0),
            Err(error) => {
                assert_eq!(error.code().map(|code| code.code()), Some("25001"), "{error:?}");
                false
            }
        };
        if right {
            let seen = client.rows("SELECT data->>'name' FROM tv_user WHERE pk_user = 5");
            assert_eq!(seen, [format!("w{i}")]);
        }
        client.run("ROLLBACK");
    }
}

#[test]
fn wait_says_soon_that_nobody_works() {
    let cluster = Cluster::start(Options::preloaded());
    let database = Database::new(&cluster, "nobody");
    let mut client = database.client();
    blog::create(&mut client);
    client.assert_follows(&blog::ENTITIES);
    for (off, on) in [
        ("pg_tviews.enabled = off", "pg_tviews.enabled = on"),
        ("pg_tviews.workers = 0", "pg_tviews.workers = 2"),
    ] {
        client.run(&format!("ALTER SYSTEM SET {off}"));
        client.run("SELECT pg_reload_conf()");
        std::thread::sleep(Duration::from_secs(1));
        client.run("UPDATE tb_user SET name = name || '+'");
        for call in [
            "pg_tviews_wait()",
            "pg_tviews_wait('user', 1)",
            "pg_tviews_wait('feed', '1 hour')",
        ] {
            let begin = Instant::now();
            let error = client.fails(&format!("SELECT {call}"));
            assert!(begin.elapsed() < PROMPT, "{off}: took {:?}", begin.elapsed());
            assert!(error.message().contains("nothing is applying"), "{error:?}");
        }
        client.run(&format!("ALTER SYSTEM SET {on}"));
        client.run("SELECT pg_reload_conf()");
        // No false alarm while the news spreads.
        client.assert_follows(&blog::ENTITIES);
    }
}

#[test]
fn wait_raises_no_false_alarm_at_server_start() {
    let cluster = Cluster::start(Options::preloaded());
    {
        let database = Database::new(&cluster, "starting");
        blog::create(&mut database.client());
        std::mem::forget(database);
    }
    for mode in [StopMode::Fast, StopMode::Immediate, StopMode::Immediate] {
        let mut client = cluster.client("starting");
        client.run(
            "UPDATE tb_user SET score = score + 1; UPDATE tb_post SET likes = likes + 1 WHERE pk_post < 5",
        );
        cluster.restart(mode);
        let mut client = cluster.client("starting");
        client.run("UPDATE tb_user SET name = name || '+' WHERE pk_user = 1");
        assert!(client.one::<bool>("SELECT pg_tviews_wait('user', 1)"));
        client.assert_follows(&blog::ENTITIES);
        for entity in blog::ENTITIES {
            assert_eq!(
                client.one::<i64>(&format!("SELECT count(*) FROM pg_tviews_pending('{entity}')")),
                0
            );
        }
    }
}

#[test]
fn pending_names_every_row_that_is_behind() {
    let (database, mut reader) = blog::open(shared(), "named_behind");
    let plan = Plan {
        cluster: shared(),
        database: &database.name,
        statements: &blog::STATEMENTS,
        crashes: false,
    };
    let random = Random::announced("pending_names_every_row_that_is_behind");
    let mut behind = 0;
    Load::during(&plan, 3, &random, |_| {
        for round in 0..300 {
            let (entity, key) = [
                ("user", "pk_user"),
                ("post", "pk_post"),
                ("feed", "pk_feed"),
                ("total", "pk_total"),
            ][round % 4];
            // View, table and pending keys of one snapshot.
            let found = reader.rows(&format!(
                "SELECT count(*), count(*) FILTER (WHERE p.key IS NULL)
                   FROM (SELECT {key}, data FROM v_{entity}) v FULL JOIN (SELECT {key}, data FROM tv_{entity}) t USING ({key})
                   LEFT JOIN pg_tviews_pending('{entity}') p ON p.key_text = {key}::text
                  WHERE v.data IS DISTINCT FROM t.data"
            ));
            let counts: Vec<u32> = found[0]
                .split('|')
                .map(|n| n.parse().expect("a number"))
                .collect();
            behind += counts[0];
            assert_eq!(
                counts[1], 0,
                "{entity} is behind in rows that are not named, round {round}"
            );
        }
    });
    assert!(behind > 0, "nothing was ever behind");
    reader.assert_follows(&blog::ENTITIES);
    for entity in blog::ENTITIES {
        assert_eq!(
            reader.one::<i64>(&format!("SELECT count(*) FROM pg_tviews_pending('{entity}')")),
            0
        );
    }
}

#[test]
fn wait_for_a_key_of_a_tview_over_a_tview() {
    let (database, mut client) = blog::open(shared(), "chained_key");
    client.run(
        "SELECT pg_tviews_create('names', 'SELECT pk_user AS id, data->>''name'' AS name FROM tv_user')",
    );
    let mut writer = database.client();
    for i in 0..300 {
        writer.run(&format!("UPDATE tb_user SET name = 'v{i}' WHERE pk_user = 5"));
        assert!(client.one::<bool>("SELECT pg_tviews_wait('names', '5')"));
        assert_eq!(
            client.rows("SELECT name FROM tv_names WHERE id = 5"),
            [format!("v{i}")],
            "early"
        );
    }
}

#[test]
fn a_standby_shows_what_was_waited_for_on_the_primary() {
    let primary = Cluster::start(Options::preloaded());
    let (database, mut client) = blog::open(&primary, "waited_there");
    let standby = Cluster::start_backup(&primary, &["-R"], Options::copied());
    let mut there = standby.client(&database.name);
    for i in 0..20 {
        client.run(&format!("UPDATE tb_user SET name = 'v{i}' WHERE pk_user = 5"));
        assert!(client.one::<bool>("SELECT pg_tviews_wait('feed', 5)"));
        let position = client.rows("SELECT pg_current_wal_insert_lsn()");
        there.wait_until(
            &format!("SELECT pg_last_wal_replay_lsn() >= '{}'", position[0]),
            WAIT,
        );
        let seen = there.rows("SELECT data->>'name' FROM tv_feed WHERE pk_feed = 5");
        assert_eq!(seen, [format!("v{i}")]);
    }
    for call in [
        "pg_tviews_wait()",
        "pg_tviews_wait('feed', 5)",
        "pg_tviews_wait('feed', '5 seconds')",
    ] {
        let error = there.fails(&format!("SELECT {call}"));
        assert!(error.message().contains("recovery"), "{error:?}");
    }
    let health = "SELECT status, message LIKE '%this server is a standby%' FROM pg_tviews_health_check() WHERE component = 'workers'";
    assert_eq!(there.rows(health), ["OK|t"]);
    assert_eq!(client.rows(health), ["OK|f"]);
    for call in [
        "pg_tviews_create('feed')",
        "pg_tviews_drop('feed')",
        "pg_tviews_drop('none', if_exists => true)",
        "pg_tviews_auto_convert()",
        "pg_tviews_refresh('feed')",
        "pg_tviews_refresh('feed', '{5}')",
        "pg_tviews_pause('feed')",
        "pg_tviews_resume('feed')",
        "pg_tviews_retry()",
    ] {
        let error = there.fails(&format!("SELECT {call}"));
        assert_eq!(error.code().code(), "25006", "{call}: {error:?}");
    }
    for (command, name) in [
        ("CALL pg_tviews_drain()", "pg_tviews_drain()"),
        ("UPDATE pg_tview_meta SET max_latency = '1 s'", "UPDATE"),
    ] {
        let error = there.fails(command);
        assert_eq!(error.code().code(), "25006", "{command}");
        let said = error.message();
        assert!(
            said.starts_with(&format!("cannot execute {name} ")),
            "{command}: {said}"
        );
    }
    client.run("UPDATE tb_user SET name = 'x' WHERE pk_user = 5; SELECT pg_tviews_pause('feed')");
    client.run("UPDATE tb_user SET name = 'y' WHERE pk_user = 5");
    there.wait_until(
        "SELECT count(*) = 1 FROM pg_tviews_pending('feed') WHERE key_text = '5'",
        WAIT,
    );
}
