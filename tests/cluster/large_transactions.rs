//! Transactions of unusual size or shape: bounded memory in writer and workers, nothing lost, nothing left behind.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use postgres::Client;

use crate::blog;
use crate::harness::{shared, Ask, Cluster, Database, Options, WAIT};

/// The most memory of its own, in MB, that one of the processes held while `body` ran. PostgreSQL's own share of a
/// large transaction, its queue of trigger events, is in it.
fn most_memory(processes: &[i32], body: impl FnOnce()) -> u64 {
    /// Ends the watcher, also when `body` panics.
    struct Done<'a>(&'a AtomicBool);
    impl Drop for Done<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut most = 0;
            while !done.load(Ordering::Relaxed) {
                most = processes
                    .iter()
                    .map(|pid| private_memory(*pid))
                    .fold(most, u64::max);
                std::thread::sleep(Duration::from_millis(5));
            }
            most / 1024
        });
        let end = Done(&done);
        body();
        drop(end);
        watcher.join().expect("the watcher ends")
    })
}

/// In kB, without shared memory.
fn private_memory(pid: i32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.unwrap_or(0)
}

fn open(name: &str, rows: u32) -> (Cluster, Client) {
    let cluster = Cluster::start(Options::preloaded());
    let mut client = cluster.client("postgres");
    client.run(&format!("CREATE DATABASE {name}"));
    let mut client = cluster.client(name);
    client.run(&format!(
        "CREATE EXTENSION pg_tviews;
         SET statement_timeout = '10min';
         CREATE TABLE tb_item (pk_item int PRIMARY KEY, fk_box int NOT NULL, n int NOT NULL);
         INSERT INTO tb_item SELECT i, i % 1000, 0 FROM generate_series(1, {rows}) i;
         CREATE INDEX ON tb_item (fk_box);
         ANALYZE tb_item"
    ));
    client.run(
        "SELECT pg_tviews_create('box', 'SELECT fk_box AS pk_box, sum(n) AS n FROM tb_item GROUP BY fk_box')",
    );
    client.assert_follows(&["box"]);
    (cluster, client)
}

/// How many rows the test of a large update has.
fn rows() -> u32 {
    let asked = std::env::var("PG_TVIEWS_TEST_ROWS").ok();
    asked.and_then(|rows| rows.parse().ok()).unwrap_or(300_000)
}

#[test]
fn large_update_takes_bounded_memory() {
    let (_cluster, mut client) = open("large_update", rows());
    let mut processes = client.started_workers();
    processes.push(client.one("SELECT pg_backend_pid()"));
    let memory = most_memory(&processes, || {
        client.run("UPDATE tb_item SET n = n + 1");
        assert!(client.one::<bool>("SELECT pg_tviews_wait('box', '10 minutes')"));
    });
    println!(
        "large_update_takes_bounded_memory: {memory} MB for {} rows",
        rows()
    );
    client.assert_views_equal(&["box"]);
    // 16 bytes for each of PostgreSQL's trigger events, and what does not grow.
    let allowed = 100 + u64::from(rows()) * 16 / 1_000_000;
    assert!(memory <= allowed, "{memory} MB, more than {allowed}");
}

#[test]
fn large_update_rolled_back_leaves_nothing() {
    let (_cluster, mut client) = open("large_rollback", 200_000);
    let refreshes = "SELECT count(*) FROM pg_tview_meta_audit";
    let before = client.rows(refreshes);
    client.run("BEGIN; UPDATE tb_item SET n = n + 1");
    client.run("ROLLBACK");
    client.assert_follows(&["box"]);
    assert_eq!(client.rows("SELECT count(*) FROM pg_tview_queue"), ["0"]);
    assert_eq!(client.rows(refreshes), before, "a refresh of what never happened");
    client.run("UPDATE tb_item SET n = 5 WHERE pk_item = 1");
    client.assert_follows(&["box"]);
}

#[test]
fn savepoints_a_thousand_deep() {
    let (_database, mut client): (Database, Client) = blog::open(shared(), "deep_savepoints");
    client.run("INSERT INTO tb_user (pk_user, name) SELECT i, 'deep' FROM generate_series(1001, 2000) i");
    client.assert_follows(&blog::ENTITIES);
    let change =
        |i| format!("SAVEPOINT s{i}; UPDATE tb_user SET name = 'level {i}' WHERE pk_user = 1000 + {i};");
    let all: String = (1..=1000).map(change).collect();
    // Half of them is taken back, and something comes after.
    client.run(&format!(
        "BEGIN; {all} ROLLBACK TO s501; UPDATE tb_user SET name = 'last' WHERE pk_user = 2000; COMMIT"
    ));
    client.assert_follows(&blog::ENTITIES);
    let names = "SELECT count(*) FILTER (WHERE data->>'name' LIKE 'level %'), count(*) FILTER (WHERE data->>'name' = 'deep')
                   FROM tv_user WHERE pk_user > 1000";
    assert_eq!(client.rows(names), ["500|499"]);
    client.run(&format!("BEGIN; {all} ROLLBACK"));
    client.run(&format!("BEGIN; {all} COMMIT"));
    client.assert_follows(&blog::ENTITIES);
    client.wait_until("SELECT count(*) = 0 FROM pg_tview_queue", WAIT);
}

#[test]
fn savepoints_ten_thousand_deep_end_soon() {
    let database = Database::new(shared(), "deeper_savepoints");
    let mut client = database.client();
    client.run(
        "CREATE TABLE tb_s (pk_s int PRIMARY KEY, v text); INSERT INTO tb_s SELECT i, 'a' FROM generate_series(1, 10000) AS i;
         SELECT pg_tviews_create('s', 'SELECT pk_s, v FROM tb_s')",
    );
    client.assert_follows(&["s"]);
    let change = |i| format!("SAVEPOINT s{i}; UPDATE tb_s SET v = 'b' WHERE pk_s = {i};");
    client.run("BEGIN");
    for thousand in 0..10 {
        client.run(
            &(1..=1000)
                .map(|i| change(1000 * thousand + i))
                .collect::<String>(),
        );
    }
    // Half a second; it took half a minute where each level that ended handed on all keys of those inside of it.
    let begun = Instant::now();
    client.run("ROLLBACK TO s5001");
    client.run("COMMIT");
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(12), "{took:?}");
    client.assert_follows(&["s"]);
    assert_eq!(client.one::<i64>("SELECT count(*) FROM tv_s WHERE v = 'b'"), 5000);
}
