//! A crash at any point loses nothing: afterwards tv equals v, and follows again.

use crate::blog;
use crate::harness::{send_signal, Ask, Cluster, Load, Options, Random, StopMode, WAIT};

/// A cluster that recovers by itself after a backend was killed.
fn cluster() -> Cluster {
    Cluster::start(
        Options::preloaded()
            .set("restart_after_crash", "on")
            .set("checkpoint_timeout", "30s"),
    )
}

/// Nothing was lost, and new changes come through.
#[track_caller]
fn assert_recovered(cluster: &Cluster, database: &str) {
    let mut client = cluster.client_after_recovery(database);
    client.wait_until("SELECT count(*) > 0 FROM pg_stat_activity WHERE backend_type LIKE 'pg_tviews%' AND datname = current_database()", WAIT);
    client.assert_follows(&blog::ENTITIES);
    client.run("INSERT INTO tb_user (name) VALUES ('after the crash')");
    client.assert_follows(&blog::ENTITIES);
    client.assert_queue_empties();
}

#[test]
fn killed_worker() {
    let cluster = cluster();
    let (database, mut client) = blog::open(&cluster, "kill_worker");
    let random = Random::announced("killed_worker");
    let plan = blog::writers_through_crashes(&cluster, &database.name);
    for round in 0..2 {
        let commits = Load::during(&plan, 2, &random.branch(round), |load| {
            load.let_pass(20);
            let workers = client.started_workers();
            cluster.kill(*workers.first().expect("a worker"), &mut client, &database.name);
            load.let_pass(20);
        });
        assert!(commits >= 40);
        assert_recovered(&cluster, &database.name);
    }
}

#[test]
fn killed_worker_in_the_middle_of_a_refresh() {
    let cluster = cluster();
    let (database, mut client) = blog::open(&cluster, "kill_refresh");
    blog::create_slow(&mut client);
    client.assert_follows(&["slow"]);
    client.run("UPDATE knob SET seconds = 20");
    client.run("UPDATE tb_slow SET n = 42");
    let sleeping = "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
    client.wait_until(sleeping, WAIT);
    let pid = client.one("SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep' LIMIT 1");
    client.run("UPDATE knob SET seconds = 0");
    cluster.kill(pid, &mut client, &database.name);
    client.wait_until("SELECT n = 42 FROM tv_slow", WAIT);
    assert_recovered(&cluster, &database.name);
}

#[test]
fn killed_writer_in_the_middle_of_its_transaction() {
    let cluster = cluster();
    let (database, mut client) = blog::open(&cluster, "kill_writer");
    client.assert_follows(&blog::ENTITIES);
    let mut writer = database.client();
    let pid = writer.one("SELECT pg_backend_pid()");
    client.run("UPDATE tb_user SET name = 'committed' WHERE pk_user = 1");
    writer.run("BEGIN; UPDATE tb_user SET name = 'never committed'; DELETE FROM tb_post WHERE pk_post < 10");
    cluster.kill(pid, &mut client, &database.name);
    assert_recovered(&cluster, &database.name);
    let names = client.rows("SELECT data->>'name' FROM tv_user WHERE pk_user < 3 ORDER BY pk_user");
    assert_eq!(names, ["committed", "user 2"]);
}

#[test]
fn killed_launcher() {
    let cluster = cluster();
    let (database, mut client) = blog::open(&cluster, "kill_launcher");
    client.assert_follows(&blog::ENTITIES);
    let launcher =
        "SELECT pid FROM pg_stat_activity WHERE backend_type LIKE 'pg_tviews%' AND datname IS NULL";
    let before: i32 = client.one(launcher);
    // An orderly end of the launcher must not leave the databases unattended.
    send_signal("TERM", before);
    client.wait_until(
        &format!("SELECT count(*) = 1 AND min(pid) <> {before} FROM ({launcher}) l"),
        WAIT,
    );
    for pid in client.workers() {
        send_signal("TERM", pid);
    }
    client.run("UPDATE tb_user SET name = 'under a new launcher'");
    assert_recovered(&cluster, &database.name);
}

/// Whoever is killed: the next in line goes on.
#[test]
fn any_process_killed_in_a_loop_under_load() {
    let cluster = cluster();
    let (database, mut client) = blog::open(&cluster, "kill_loop");
    let plan = blog::writers_through_crashes(&cluster, &database.name);
    let random = Random::announced("any_process_killed_in_a_loop_under_load");
    let victims = [
        "backend_type = 'pg_tviews launcher'",
        "backend_type = 'pg_tviews worker' AND datname = current_database()",
        "backend_type = 'client backend' AND state <> 'idle'",
        "backend_type = 'client backend' AND state = 'idle in transaction'",
        "backend_type IN ('checkpointer', 'walwriter', 'background writer')",
    ];
    Load::during(&plan, 3, &random, |load| {
        for (round, victim) in victims.iter().enumerate() {
            client.started_workers();
            load.let_pass(5 + random.branch(round as u64).upto(20));
            let find = format!(
                "SELECT pid FROM pg_stat_activity WHERE {victim} AND pid <> pg_backend_pid() LIMIT 1"
            );
            client.wait_until(&format!("SELECT count(*) > 0 FROM ({find}) found"), WAIT);
            // A writer may have ended its transaction since: another of its kind will do.
            if let Some(pid) = client.rows(&find).first() {
                cluster.kill(pid.parse().expect("a number"), &mut client, &database.name);
            }
        }
        load.let_pass(10);
    });
    assert_recovered(&cluster, &database.name);
}

#[test]
fn immediate_stop_under_load() {
    stop_under_load("stop_load", "on");
}

/// Commits that the server did not wait for may be gone, and with them what a refresh made of them.
#[test]
fn immediate_stop_of_writers_that_do_not_wait_for_the_disk() {
    stop_under_load("stop_load_async", "off");
}

fn stop_under_load(name: &str, synchronous_commit: &str) {
    let cluster = Cluster::start(
        Options::preloaded()
            .set("checkpoint_timeout", "30s")
            .set("wal_writer_delay", "2s")
            .set("synchronous_commit", synchronous_commit),
    );
    let (database, mut client) = blog::open(&cluster, name);
    // The tables themselves are not to be lost.
    client.run("CHECKPOINT");
    let random = Random::announced(name);
    let plan = blog::writers_through_crashes(&cluster, &database.name);
    for round in 0..3 {
        Load::during(&plan, 3, &random.branch(round), |load| {
            load.let_pass(40);
            cluster.restart(StopMode::Immediate);
            load.let_pass(10);
        });
        assert_recovered(&cluster, &database.name);
    }
}

#[test]
fn immediate_stop_while_populating() {
    let cluster = cluster();
    let (database, mut client) = blog::open(&cluster, "stop_populating");
    client.run(
        "CREATE TABLE tb_big (pk_big int PRIMARY KEY, n int NOT NULL DEFAULT 0);
         INSERT INTO tb_big SELECT generate_series(1, 150000)",
    );
    client.run("SELECT pg_tviews_create('big', 'SELECT pk_big, n FROM tb_big')");
    client.run("UPDATE tb_big SET n = 1 WHERE pk_big < 10");
    cluster.restart(StopMode::Immediate);
    let mut client = database.client();
    client.run("DELETE FROM tb_big WHERE pk_big < 5");
    client.assert_follows(&["big"]);
    assert_recovered(&cluster, &database.name);
}

/// PostgreSQL empties them without telling anyone.
#[test]
fn unlogged_tables_are_empty_after_a_crash() {
    let cluster = cluster();
    let (database, mut client) = blog::open(&cluster, "unlogged");
    client.run(
        "CREATE UNLOGGED TABLE tb_seen (pk_seen int PRIMARY KEY, n int);
         CREATE TABLE tb_part (pk_part int PRIMARY KEY) PARTITION BY RANGE (pk_part);
         CREATE TABLE tb_part_kept PARTITION OF tb_part FOR VALUES FROM (0) TO (10);
         CREATE UNLOGGED TABLE tb_part_lost PARTITION OF tb_part FOR VALUES FROM (10) TO (20);
         CREATE UNLOGGED TABLE tv_cache (pk_cache bigint PRIMARY KEY, name text);
         INSERT INTO tb_seen VALUES (1, 1);
         INSERT INTO tb_part VALUES (1), (11);
         SELECT pg_tviews_create('seen', 'SELECT pk_seen, n FROM tb_seen');
         SELECT pg_tviews_create('part', 'SELECT pk_part FROM tb_part');
         SELECT pg_tviews_create('cache', 'SELECT pk_user AS pk_cache, name FROM tb_user')",
    );
    let entities = ["seen", "part", "cache"];
    client.assert_follows(&entities);
    cluster.restart(StopMode::Immediate);
    let mut client = database.client();
    client.wait_until("SELECT count(*) = 10 FROM tv_cache", WAIT);
    client.wait_until("SELECT count(*) = 0 FROM tv_seen", WAIT);
    client.wait_until("SELECT array_agg(pk_part) = '{1}' FROM tv_part", WAIT);
    client.assert_follows(&entities);
    assert_recovered(&cluster, &database.name);
}
