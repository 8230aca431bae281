//! Live workers: TVIEWs follow, settings are reloaded, the queue empties, nothing is held back.

use std::time::{Duration, Instant};

use postgres::Client;

use crate::blog;
use crate::harness::{send_signal, shared, Ask, Cluster, Database, Options, StopMode, WAIT};

#[test]
fn tv_follows_its_view_within_the_bound() {
    let (_database, mut client) = blog::open(shared(), "follow");
    client.assert_follows(&blog::ENTITIES);
    let mut delays = Vec::new();
    for i in 0..20 {
        client.run(&format!(
            "UPDATE tb_post SET title = 'round {i}' WHERE pk_post = 7"
        ));
        let seen = format!("SELECT data->>'title' = 'round {i}' FROM tv_post WHERE pk_post = 7");
        delays.push(client.wait_until(&seen, WAIT));
    }
    delays.sort();
    assert!(
        delays[10] < Duration::from_millis(250),
        "median above the bound: {delays:?}"
    );
    client.assert_follows(&blog::ENTITIES);
}

#[test]
fn queue_returns_to_empty() {
    let (_database, mut client) = blog::open(shared(), "queue_empty");
    for i in 0..200 {
        client.run(&format!(
            "UPDATE tb_user SET name = 'n{i}' WHERE pk_user = 1 + {i} % 10"
        ));
    }
    client.assert_follows(&blog::ENTITIES);
    client.assert_queue_empties();
}

#[test]
fn roll_back_leaves_neither_queue_row_nor_change() {
    let (_database, mut client) = blog::open(shared(), "roll_back");
    client.assert_follows(&blog::ENTITIES);
    client.assert_queue_empties();
    let before = client.rows("SELECT * FROM tv_feed ORDER BY 1");
    client.run("BEGIN; UPDATE tb_user SET name = 'never'; DELETE FROM tb_post; ROLLBACK");
    assert_eq!(client.rows("SELECT count(*) FROM pg_tview_queue"), ["0"]);
    client.assert_follows(&blog::ENTITIES);
    assert_eq!(client.rows("SELECT * FROM tv_feed ORDER BY 1"), before);
}

#[test]
fn update_of_a_column_no_tview_reads_is_not_logged() {
    let (_database, mut client) = blog::open(shared(), "irrelevant");
    client.assert_follows(&blog::ENTITIES);
    client.assert_queue_empties();
    let read = "SELECT coalesce(sum(changes_read), 0) FROM pg_tview_meta_audit WHERE changes_read > 0";
    let before = client.rows(read);
    for _ in 0..5 {
        client.run("UPDATE tb_post SET unread = unread + 1; UPDATE tb_post SET title = title");
    }
    client.assert_follows(&blog::ENTITIES);
    assert_eq!(client.rows(read), before);
}

#[test]
fn refresh_without_difference_writes_nothing() {
    let (_database, mut client) = blog::open(shared(), "no_op");
    client.assert_follows(&blog::ENTITIES);
    let versions = "SELECT pk_feed, xmin, ctid FROM tv_feed ORDER BY 1";
    let before = client.rows(versions);
    client.run("UPDATE tb_user SET name = name || '!' WHERE pk_user = 1");
    client.run("UPDATE tb_user SET name = rtrim(name, '!') WHERE pk_user = 1");
    client.run("SELECT pg_tviews_refresh('feed')");
    client.assert_follows(&blog::ENTITIES);
    let after = client.rows(versions);
    assert_eq!(after[1..], before[1..], "rows that did not change were written");
}

#[test]
fn settings_follow_a_reload() {
    let cluster = Cluster::start(Options::preloaded());
    let (_database, mut client) = blog::open(&cluster, "reload");
    let set = |name: &str, value: &str| {
        let mut client = cluster.client("postgres");
        client.run(&format!("ALTER SYSTEM SET pg_tviews.{name} = {value}"));
        client.run("SELECT pg_reload_conf()");
    };
    for wanted in [1, 3, 2] {
        set("workers", &wanted.to_string());
        wait_for_workers(&mut client, wanted);
    }
    set("enabled", "off");
    client.wait_until("SELECT current_setting('pg_tviews.enabled') = 'off'", WAIT);
    // The workers read the file a moment after this session.
    std::thread::sleep(Duration::from_millis(500));
    client.run("UPDATE tb_user SET name = 'later' WHERE pk_user = 1");
    let error = client.fails("SELECT pg_tviews_wait(NULL, '5 s')");
    assert!(error.hint().is_some(), "{error:?}");
    assert_eq!(
        client.rows("SELECT data->>'name' FROM tv_user WHERE pk_user = 1"),
        ["user 1"]
    );
    set("enabled", "on");
    client.wait_until(
        "SELECT data->>'name' = 'later' FROM tv_user WHERE pk_user = 1",
        WAIT,
    );
    set("workers", "0");
    wait_for_workers(&mut client, 0);
    client.run("UPDATE tb_user SET name = 'latest' WHERE pk_user = 1");
    set("workers", "2");
    wait_for_workers(&mut client, 2);
    client.assert_follows(&blog::ENTITIES);
}

#[test]
fn fast_shutdown_interrupts_a_running_refresh() {
    let cluster = Cluster::start(Options::preloaded());
    let database = Database::new(&cluster, "shutdown");
    let mut client = database.client();
    blog::create_slow(&mut client);
    client.run("UPDATE knob SET seconds = 50");
    client.run("UPDATE tb_slow SET n = 2");
    client.wait_until(
        "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'PgSleep'",
        WAIT,
    );
    let took = cluster.stop(StopMode::Fast);
    assert!(took < Duration::from_secs(10), "fast shutdown took {took:?}");
    cluster.start_server();
    let mut client = database.client();
    // The interrupted refresh starts again and sleeps: only then it can be told to be quick.
    client.wait_until(
        "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'PgSleep'",
        WAIT,
    );
    client.run("UPDATE knob SET seconds = 0");
    client.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
    client.wait_until("SELECT n = 2 FROM tv_slow", WAIT);
}

#[test]
fn idle_cluster_stops_at_once() {
    let cluster = Cluster::start(Options::preloaded());
    let (_database, mut client) = blog::open(&cluster, "idle_stop");
    client.assert_follows(&blog::ENTITIES);
    let took = cluster.stop(StopMode::Fast);
    assert!(took < Duration::from_secs(5), "fast shutdown took {took:?}");
    cluster.start_server();
}

#[test]
fn tviews_follow_after_a_restart() {
    let cluster = Cluster::start(Options::preloaded());
    let (database, mut client) = blog::open(&cluster, "restarted");
    client.assert_follows(&blog::ENTITIES);
    cluster.restart(StopMode::Fast);
    let mut client = database.client();
    client.run("UPDATE tb_user SET name = 'after restart'");
    // Without a first look at pg_tviews_wait: the workers start by themselves.
    client.wait_until(
        "SELECT count(*) = 10 FROM tv_user WHERE data->>'name' = 'after restart'",
        WAIT,
    );
    client.assert_follows(&blog::ENTITIES);
}

#[test]
fn terminated_worker_is_replaced() {
    let (_database, mut client) = blog::open(shared(), "replaced");
    client.assert_follows(&blog::ENTITIES);
    for _ in 0..3 {
        let before = client.started_workers();
        for pid in &before {
            send_signal("TERM", *pid);
        }
        client.run("UPDATE tb_user SET score = score + 1");
        let deadline = Instant::now() + WAIT;
        while client.workers().len() != before.len()
            || client.workers().iter().any(|pid| before.contains(pid))
        {
            assert!(Instant::now() < deadline, "workers {before:?} were not replaced");
            std::thread::sleep(Duration::from_millis(20));
        }
        client.assert_follows(&blog::ENTITIES);
    }
}

#[test]
fn idle_workers_hold_no_snapshot() {
    let (_database, mut client) = blog::open(shared(), "idle_xmin");
    client.run("UPDATE tb_user SET score = score + 1");
    client.assert_follows(&blog::ENTITIES);
    client.assert_queue_empties();
    let holding = "SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'pg_tviews%'
                    AND datname = current_database() AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL)";
    client.started_workers();
    // A fallback look may be met now and then; a snapshot that is held is met every time.
    let held = (0..20).filter(|_| {
        std::thread::sleep(Duration::from_millis(50));
        client.one::<i64>(holding) > 0
    });
    let held = held.count();
    assert!(held <= 3, "idle workers held a snapshot in {held} of 20 looks");
}

#[test]
fn refresh_in_progress_is_reported_as_activity() {
    let database = Database::new(shared(), "activity");
    let mut client = database.client();
    blog::create_slow(&mut client);
    client.run("UPDATE knob SET seconds = 1");
    client.run("UPDATE tb_slow SET n = 2");
    client.wait_until(
        "SELECT count(*) = 1 FROM pg_stat_activity
          WHERE datname = current_database() AND backend_type LIKE 'pg_tviews%'
            AND query ILIKE '%refresh%public.tv_slow%' AND state = 'active'",
        Duration::from_secs(10),
    );
    client.run("UPDATE knob SET seconds = 0");
    client.assert_follows(&["slow"]);
}

#[test]
fn slow_tview_does_not_stop_the_others() {
    let (_database, mut client) = blog::open(shared(), "slow_one");
    blog::create_slow(&mut client);
    client.assert_follows(&["user", "slow"]);
    client.run("UPDATE knob SET seconds = 5");
    client.run("UPDATE tb_slow SET n = 3");
    client.run("UPDATE tb_user SET name = 'quick' WHERE pk_user = 1");
    let took = client.wait_until(
        "SELECT data->>'name' = 'quick' FROM tv_user WHERE pk_user = 1",
        WAIT,
    );
    assert!(
        took < Duration::from_secs(3),
        "waited {took:?} behind a slow TVIEW"
    );
}

#[test]
fn database_settings_of_users_do_not_reach_the_workers() {
    let (database, mut client) = blog::open(shared(), "user_settings");
    for setting in [
        "statement_timeout = '1ms'",
        "default_transaction_isolation = 'serializable'",
        "default_transaction_read_only = on",
        "session_replication_role = 'replica'",
        "search_path = ''",
        "idle_in_transaction_session_timeout = '1ms'",
        "row_security = off",
    ] {
        client.run(&format!("ALTER DATABASE {} SET {setting}", database.name));
    }
    for pid in client.started_workers() {
        send_signal("TERM", pid);
    }
    client.run("UPDATE tb_user SET name = 'settings' WHERE pk_user = 3");
    client.wait_until(
        "SELECT data->>'name' = 'settings' FROM tv_user WHERE pk_user = 3",
        WAIT,
    );
    client.assert_follows(&blog::ENTITIES);
}

fn wait_for_workers(client: &mut postgres::Client, wanted: usize) {
    let deadline = Instant::now() + WAIT;
    while client.workers().len() != wanted {
        assert!(
            Instant::now() < deadline,
            "{} workers, not {wanted}",
            client.workers().len()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// TVIEWs `one` and `two`, whose rows take as long as the table `knob` says, and `quick`. Each has a row.
fn two_slow_and_a_quick_one(client: &mut Client, max_latency: &str) {
    client.run(
        "CREATE TABLE knob AS SELECT 0.0 AS seconds;
         CREATE FUNCTION slowly(n int) RETURNS int LANGUAGE plpgsql AS
         $$BEGIN PERFORM pg_sleep((SELECT seconds FROM public.knob)); RETURN n; END$$;",
    );
    for name in ["one", "two", "quick"] {
        let value = if name == "quick" { "n" } else { "slowly(n) AS n" };
        client.run(&format!(
            "CREATE TABLE tb_{name} (pk_{name} int PRIMARY KEY, n int); INSERT INTO tb_{name} VALUES (1, 1)"
        ));
        client.run(&format!(
            "SELECT pg_tviews_create('{name}', 'SELECT pk_{name}, {value} FROM tb_{name}', max_latency => '{max_latency}')"
        ));
    }
    client.assert_follows(&["one", "two", "quick"]);
    client.started_workers();
}

#[test]
fn a_worker_is_there_for_what_is_urgent_while_others_take_long() {
    let database = Database::new(shared(), "urgent");
    let mut client = database.client();
    two_slow_and_a_quick_one(&mut client, "250 ms");
    // Once each, so that it is known how long they take.
    client.run("UPDATE knob SET seconds = 1");
    client.run("UPDATE tb_one SET n = 2; UPDATE tb_two SET n = 2");
    client.assert_follows(&["one", "two", "quick"]);
    client.run("UPDATE knob SET seconds = 6");
    client.run("UPDATE tb_one SET n = 3; UPDATE tb_two SET n = 3");
    client.wait_until(
        "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()",
        WAIT,
    );
    client.run("UPDATE tb_quick SET n = 3");
    assert!(client.one::<bool>("SELECT pg_tviews_wait('quick', timeout => '4 seconds')"));
    client.run("UPDATE knob SET seconds = 0");
    client.assert_follows(&["one", "two", "quick"]);
}

/// Two TVIEWs take long whose refreshes nobody has measured yet, and a third does not keep its bound.
#[test]
fn what_takes_long_occupies_one_worker_also_the_first_time() {
    let database = Database::new(shared(), "long_lane");
    let mut client = database.client();
    two_slow_and_a_quick_one(&mut client, "1 ms");
    client.run("UPDATE tb_quick SET n = 2");
    client.assert_follows(&["quick"]);
    client.run("UPDATE knob SET seconds = 20");
    client.run("UPDATE tb_one SET n = 3");
    client.run("UPDATE tb_two SET n = 3");
    let sleeping =
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()";
    client.wait_until(&format!("({sleeping}) = 1"), WAIT);
    for n in 3..6 {
        client.run(&format!("UPDATE tb_quick SET n = {n}"));
        assert!(client.one::<bool>("SELECT pg_tviews_wait('quick', timeout => '5 seconds')"));
    }
    // The other was found to be long, and given up.
    client.wait_until(&format!("({sleeping}) = 1"), WAIT);
    client.run("UPDATE knob SET seconds = 0");
    client.run("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()");
    client.assert_follows(&["one", "two", "quick"]);
    assert_eq!(client.one::<i64>("SELECT count(*) FROM pg_tview_dead_letter"), 0);
}

/// How often processes have gone to sleep.
fn sleeps(pids: &[i32]) -> u64 {
    let of = |pid: &i32| -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        line.and_then(|number| number.trim().parse().ok())
            .expect("a number")
    };
    pids.iter().map(of).sum()
}

#[test]
fn writers_of_a_paused_tview_wake_nobody() {
    let (_database, mut client) = blog::open(shared(), "wakes_nobody");
    client.assert_follows(&blog::ENTITIES);
    let workers = client.started_workers();
    client.run("SELECT pg_tviews_pause(entity_name) FROM pg_tview_meta");
    let write = "DO $$ BEGIN FOR i IN 1..1000 LOOP UPDATE tb_user SET score = i WHERE pk_user = 1; COMMIT; END LOOP; END $$";
    client.run(write);
    let before = sleeps(&workers);
    client.run(write);
    let woken = sleeps(&workers) - before;
    assert!(woken < 300, "1000 commits woke workers {woken} times");
    client.run("SELECT pg_tviews_resume(entity_name) FROM pg_tview_meta");
    client.assert_follows(&blog::ENTITIES);
}
