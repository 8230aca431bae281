//! What pg_tview_metrics and pg_tview_server_metrics say about work that really happened.

mod failures;
mod groups;
mod reading;

use std::time::Duration;

use postgres::Client;

use crate::blog;
use crate::harness::{shared, Ask, Cluster, Database, Options, WAIT};
use crate::slow_documents;

/// A TVIEW that fails for a divisor of 0.
const SHARES: &str = "CREATE TABLE tb_item (pk_item int PRIMARY KEY, name text, divisor int NOT NULL DEFAULT 1);
    INSERT INTO tb_item SELECT i, 'item ' || i, 1 FROM generate_series(1, 20) i;
    SELECT pg_tviews_create('item', 'SELECT pk_item, jsonb_build_object(''name'', name, ''share'', 100 / divisor) AS data FROM tb_item')";

fn shares<'a>(cluster: &'a Cluster, name: &str) -> (Database<'a>, Client) {
    let database = Database::new(cluster, name);
    let mut client = database.client();
    client.run(SHARES);
    client.assert_follows(&["item"]);
    // Counting begins once a worker knows the TVIEW.
    client.wait_until("SELECT counted_since IS NOT NULL FROM pg_tview_metrics", WAIT);
    (database, client)
}

fn metric(client: &mut Client, expression: &str) -> String {
    client.rows(&format!(
        "SELECT {expression} FROM pg_tview_metrics WHERE entity_name = 'item'"
    ))[0]
        .clone()
}

#[test]
fn rows_changes_and_refreshes_are_counted_once() {
    let (database, mut client) = shares(shared(), "metrics_rows");
    let counted = ["rows_inserted", "rows_updated", "rows_deleted", "changes_read"];
    let mut read =
        || counted.map(|column| client.one::<i64>(&format!("SELECT {column} FROM pg_tview_metrics")));
    let before = read();
    let mut writer = database.client();
    writer.run("UPDATE tb_item SET name = name || '+' WHERE pk_item <= 5");
    writer.run("DELETE FROM tb_item WHERE pk_item > 18");
    writer.run("INSERT INTO tb_item SELECT i, 'new', 1 FROM generate_series(101, 103) i");
    writer.assert_follows(&["item"]);
    writer.wait_until("SELECT pending_commits = 0 FROM pg_tview_metrics", WAIT);
    let after = read();
    let written: Vec<i64> = after
        .iter()
        .zip(before)
        .map(|(after, before)| after - before)
        .collect();
    assert_eq!(written, [3, 5, 2, 10]);
    // As many as the audit has, which counts them in their own transaction.
    client.wait_until(
        "SELECT m.refreshes + 1 >= s.refreshes AND m.refreshes <= s.refreshes
           FROM pg_tview_metrics m JOIN pg_tview_status s USING (tview_oid)",
        WAIT,
    );
}

#[test]
fn every_phase_takes_time_and_latency_is_measured_to_the_commit() {
    let (_database, mut client) = shares(shared(), "metrics_phases");
    let count: i64 = client.one("SELECT latency_count FROM pg_tview_metrics");
    client.run("UPDATE tb_item SET name = name || '+'");
    client.assert_follows(&["item"]);
    let phases = "SELECT lock_seconds > 0 AND read_log_seconds > 0 AND find_keys_seconds > 0 AND recompute_seconds > 0
                     AND record_seconds > 0 AND commit_seconds > 0 AND failed_seconds = 0 FROM pg_tview_metrics";
    // Rows are visible a moment before they are counted.
    client.wait_until(phases, WAIT);
    client.wait_until(
        &format!("SELECT latency_count > {count} FROM pg_tview_metrics"),
        WAIT,
    );
    let shape = "cardinality(latency_bounds) = cardinality(latency_buckets), latency_sum > 0, latency_buckets[14] <= latency_count";
    assert_eq!(metric(&mut client, shape), "t|t|t");
    let cumulative = "SELECT bool_and(n <= next) FROM (SELECT n, lead(n, 1, n) OVER (ORDER BY i) AS next
        FROM pg_tview_metrics, unnest(latency_buckets) WITH ORDINALITY b(n, i)) steps";
    assert!(client.one::<bool>(cumulative));
    // The audit row is written before the commit: what it says is less.
    let total = "SELECT m.latency_sum >= (SELECT sum(extract(epoch FROM a.finished_at - a.oldest_change_at))
                   FROM pg_tview_meta_audit a WHERE a.tview_oid = m.tview_oid AND a.operation = 'refresh') FROM pg_tview_metrics m";
    assert!(client.one::<bool>(total));
}

#[test]
fn a_drain_of_a_session_is_counted() {
    let cluster = Cluster::start(Options::preloaded());
    let (_database, mut client) = shares(&cluster, "metrics_drain");
    client.run("ALTER SYSTEM SET pg_tviews.enabled = off");
    client.run("SELECT pg_reload_conf()");
    client.wait_until("SELECT NOT refreshing FROM pg_tview_server_metrics", WAIT);
    // A worker that has not read the file yet still applies the first ones.
    let stays = (0..60).any(|n| {
        client.run(&format!(
            "UPDATE tb_item SET name = 'drained {n}' WHERE pk_item = 1"
        ));
        std::thread::sleep(Duration::from_millis(500));
        client.one("SELECT pending_commits = 1 FROM pg_tview_metrics")
    });
    assert!(stays, "workers go on");
    let before: i64 = client.one("SELECT rows_updated FROM pg_tview_metrics");
    client.run("CALL pg_tviews_drain()");
    assert_eq!(metric(&mut client, "pending_commits, lag_seconds"), "0|0");
    assert_eq!(
        client.one::<i64>("SELECT rows_updated FROM pg_tview_metrics"),
        before + 1
    );
}

#[test]
fn counters_survive_workers_and_begin_anew_with_the_server() {
    let cluster = Cluster::start(Options::preloaded());
    let (database, mut client) = shares(&cluster, "metrics_survive");
    client.run("UPDATE tb_item SET name = 'counted' WHERE pk_item = 1");
    client.assert_follows(&["item"]);
    client.wait_until("SELECT rows_updated = 1 FROM pg_tview_metrics", WAIT);
    for pid in client.started_workers() {
        client.run(&format!("SELECT pg_terminate_backend({pid})"));
    }
    client.run("UPDATE tb_item SET name = 'again' WHERE pk_item = 1");
    client.assert_follows(&["item"]);
    client.wait_until("SELECT rows_updated = 2 FROM pg_tview_metrics", WAIT);
    drop(client);
    cluster.restart(crate::harness::StopMode::Fast);
    let mut client = database.client();
    client.wait_until(
        "SELECT coalesce(rows_updated, 0) = 0 AND counted_since >= s.server_started_at
                         FROM pg_tview_metrics m, pg_tview_server_metrics s",
        WAIT,
    );
    drop(client);
}

#[test]
fn the_row_of_the_server_tells_workers_launcher_and_log() {
    let (database, mut client) = blog::open(shared(), "metrics_server");
    client.assert_follows(&blog::ENTITIES);
    client.started_workers();
    let row = "SELECT preloaded, launcher_alive, refreshing, in_recovery, workers_configured, workers_running, worker_slots,
                      worker_slots_used >= 3, tviews FROM pg_tview_server_metrics";
    assert_eq!(client.rows(row), ["t|t|t|f|2|2|64|t|4"]);
    let mut old = database.client();
    old.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM tb_user");
    client.run("UPDATE tb_user SET name = 'x' WHERE pk_user = 1");
    client.wait_until(
        "SELECT xmin_age >= 1 AND xmin_seconds > 0.1 AND queue_bytes > 0 FROM pg_tview_server_metrics",
        WAIT,
    );
    old.run("COMMIT");
}

#[test]
fn a_backlog_that_workers_share_is_counted_once() {
    let cluster = slow_documents::cluster();
    let (_database, mut client) = slow_documents::create(&cluster, "metrics_shared", (2_000, 2, 100));
    client.assert_follows(&["doc"]);
    client.started_workers();
    client.wait_until("SELECT pending_commits = 0 FROM pg_tview_metrics", WAIT);
    let counted = "SELECT refreshes, rows_updated, rows_deleted, changes_read, keys_refreshed, latency_count FROM pg_tview_metrics";
    client.run(&format!("CREATE TABLE before AS {counted}"));
    client.run("UPDATE tb_doc SET n = 2 WHERE pk_doc > 10; DELETE FROM tb_doc WHERE pk_doc <= 10");
    client.wait_until("SELECT count(*) > 0 FROM pg_tview_backlog_part", WAIT);
    client.wait_until(
        "SELECT pending_commits = 0 AND lag_seconds = 0 FROM pg_tview_metrics",
        2 * WAIT,
    );
    let difference = "SELECT m.refreshes - b.refreshes, m.rows_updated - b.rows_updated, m.rows_deleted - b.rows_deleted,
                             m.changes_read - b.changes_read, m.keys_refreshed - b.keys_refreshed, m.latency_count - b.latency_count
                        FROM pg_tview_metrics m, before b";
    assert_eq!(client.rows(difference), ["1|1990|10|2000|2000|1"]);
}
