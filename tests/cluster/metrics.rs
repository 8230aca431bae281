//! What pg_tview_metrics and pg_tview_server_metrics say about work that really happened.

use std::time::{Duration, Instant};

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
fn failures_are_counted_by_class() {
    let (database, mut client) = shares(shared(), "metrics_failures");
    client.run("UPDATE tb_item SET divisor = 0 WHERE pk_item = 3");
    client.wait_until(
        "SELECT failures_data > 0 AND dead_letter_keys = 1 FROM pg_tview_metrics",
        WAIT,
    );
    assert_eq!(metric(&mut client, "failures_view, failed_seconds > 0"), "0|t");
    client.run("UPDATE tb_item SET divisor = 1 WHERE pk_item = 3");
    client.wait_until("SELECT dead_letter_keys = 0 FROM pg_tview_metrics", WAIT);
    client.run("BEGIN; LOCK TABLE tv_item IN SHARE MODE");
    let mut writer = database.client();
    writer.run("UPDATE tb_item SET name = 'late' WHERE pk_item = 1");
    // The table is held: that is no failure, and the changes wait.
    client.wait_until(
        "SELECT pending_commits >= 1 AND lag_seconds > 0.2 FROM pg_tview_metrics",
        WAIT,
    );
    client.run("COMMIT");
    client.wait_until(
        "SELECT pending_commits = 0 AND lag_seconds = 0 FROM pg_tview_metrics",
        WAIT,
    );
}

#[test]
fn a_lock_on_rows_counts_as_such() {
    let (database, mut client) = shares(shared(), "metrics_lock");
    let mut holder = database.client();
    holder.run("BEGIN; SELECT * FROM tv_item WHERE pk_item = 1 FOR UPDATE");
    client.run("UPDATE tb_item SET name = 'held' WHERE pk_item = 1");
    client.wait_until("SELECT failures_lock > 0 FROM pg_tview_metrics", WAIT);
    holder.run("COMMIT");
    client.assert_follows(&["item"]);
    assert_eq!(
        metric(&mut client, "failures_data + failures_view + failures_server"),
        "0"
    );
}

#[test]
fn what_a_paused_tview_waits_for_is_counted() {
    let (_database, mut client) = shares(shared(), "metrics_paused");
    // A worker has to know the TVIEW: what was committed before counts as absorbed then.
    client.run("UPDATE tb_item SET name = 'known' WHERE pk_item = 1");
    client.wait_until(
        "SELECT refreshes > 0 AND pending_commits = 0 FROM pg_tview_metrics",
        WAIT,
    );
    client.run("SELECT pg_tviews_pause('item')");
    for _ in 0..3 {
        client.run("UPDATE tb_item SET name = name || '+' WHERE pk_item = 1");
    }
    client.wait_until(
        "SELECT state = 'paused' AND pending_commits = 3 AND lag_seconds > 0.3 FROM pg_tview_metrics",
        WAIT,
    );
    client.run("SELECT pg_tviews_resume('item')");
    client.wait_until(
        "SELECT pending_commits = 0 AND lag_seconds = 0 FROM pg_tview_metrics",
        WAIT,
    );
}

#[test]
fn a_suspended_tview_is_late_until_its_view_works() {
    let (_database, mut client) = shares(shared(), "metrics_suspended");
    client.run("DROP VIEW v_item; UPDATE tb_item SET name = 'waits' WHERE pk_item = 1");
    client.wait_until(
        "SELECT state = 'suspended' AND lag_seconds > 0.3 AND pending_commits > 0 FROM pg_tview_metrics",
        WAIT,
    );
    client.run("CREATE VIEW v_item AS SELECT pk_item, jsonb_build_object('name', name) AS data FROM tb_item");
    client.wait_until(
        "SELECT state = 'active' AND lag_seconds = 0 AND pending_commits = 0 FROM pg_tview_metrics",
        WAIT,
    );
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

/// The best of some calls: the machine may be busy.
fn fastest(client: &mut Client, query: &str) -> Duration {
    let mut best = Duration::MAX;
    for _ in 0..30 {
        let begin = Instant::now();
        client.rows(query);
        best = best.min(begin.elapsed());
    }
    best
}

#[test]
fn reading_metrics_is_cheap_with_many_tviews_a_backlog_and_jit() {
    let (_database, mut client) = shares(shared(), "metrics_cost");
    let plan = "EXPLAIN (FORMAT TEXT) SELECT * FROM pg_tview_metrics";
    for setting in [
        "jit = on",
        "jit_above_cost = 0",
        "jit_inline_above_cost = 0",
        "jit_optimize_above_cost = 0",
    ] {
        client.run(&format!("SET {setting}"));
    }
    // A scan of a function without a projection: nothing to compile.
    assert!(
        client.rows(plan)[0].starts_with("Function Scan on pg_tviews_metrics"),
        "{:?}",
        client.rows(plan)
    );
    let empty = fastest(&mut client, "SELECT * FROM pg_tview_metrics");
    client.run("SELECT pg_tviews_pause('item')");
    for _ in 0..300 {
        client.run("UPDATE tb_item SET name = name || '+'");
    }
    let backlog = fastest(&mut client, "SELECT * FROM pg_tview_metrics");
    assert!(
        backlog < empty * 5 + Duration::from_millis(5),
        "{empty:?} without a backlog, {backlog:?} with one"
    );
}

/// How many pages reading the metrics takes, once it is planned.
fn pages(client: &mut Client) -> i64 {
    client.rows("SELECT * FROM pg_tview_metrics");
    let plan = client.rows("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT * FROM pg_tview_metrics");
    let plan: serde_json::Value = serde_json::from_str(&plan.join("\n")).expect("JSON");
    let plan = &plan[0]["Plan"];
    let of = |kind: &str| plan[kind].as_i64().expect("a number of pages");
    of("Shared Hit Blocks") + of("Shared Read Blocks")
}

#[test]
fn reading_metrics_reads_few_pages_for_each_tview_and_none_for_a_backlog() {
    let (_database, mut client) = shares(shared(), "metrics_pages");
    let create = |client: &mut Client, numbers: std::ops::RangeInclusive<u32>| {
        for n in numbers {
            client.run(&format!(
                "SELECT pg_tviews_create('more{n}', 'SELECT pk_item AS pk_more{n}, name FROM tb_item')"
            ));
        }
        assert!(client.one::<bool>("SELECT pg_tviews_wait()"));
        client.run("VACUUM ANALYZE pg_tview_definition");
    };
    create(&mut client, 1..=10);
    let few = pages(&mut client);
    create(&mut client, 11..=50);
    let many = pages(&mut client);
    assert!(
        many <= few + 40 * 12,
        "{few} pages with 11 TVIEWs, {many} with 51"
    );
    client.run("SELECT pg_tviews_pause('item')");
    for _ in 0..300 {
        client.run("UPDATE tb_item SET name = name || '+'");
    }
    let backlog = pages(&mut client);
    assert!(
        backlog <= many + 20,
        "{many} pages without a backlog, {backlog} with one"
    );
}

/// Two members of a group, of which the second fails for a divisor of 0.
fn group<'a>(cluster: &'a Cluster, name: &str) -> (Database<'a>, Client) {
    let database = Database::new(cluster, name);
    let mut client = database.client();
    client.run(
        "CREATE TABLE tb_a (pk_a int PRIMARY KEY, n int NOT NULL);
         CREATE TABLE tb_b (pk_b int PRIMARY KEY, n int NOT NULL);
         INSERT INTO tb_a SELECT i, 1 FROM generate_series(1, 20) i;
         INSERT INTO tb_b SELECT i, 1 FROM generate_series(1, 20) i;
         SELECT pg_tviews_create('a', 'SELECT pk_a, n FROM tb_a');
         SELECT pg_tviews_create('b', 'SELECT pk_b, n, 100 / n AS share FROM tb_b');
         UPDATE pg_tview_meta SET refresh_group = 'both'",
    );
    client.started_workers();
    client.assert_follows(&["a", "b"]);
    client.wait_until(
        "SELECT count(*) = 2 AND count(counted_since) = 2 AND sum(pending_commits) = 0 FROM pg_tview_metrics",
        WAIT,
    );
    (database, client)
}

#[test]
fn each_member_of_a_group_is_counted() {
    let (_database, mut client) = group(shared(), "metrics_group");
    let values = "refreshes, rows_updated, changes_read, keys_refreshed, latency_count, latency_sum, recompute_seconds, commit_seconds";
    client.run(&format!(
        "CREATE TABLE before AS SELECT entity_name, {values} FROM pg_tview_metrics;
         CREATE TABLE audited AS SELECT coalesce(max(audit_id), 0) AS audit_id FROM pg_tview_meta_audit"
    ));
    let together = "SELECT count(DISTINCT entity_name) = 2 FROM pg_tview_meta_audit
                     WHERE operation = 'refresh' AND position::text = (SELECT position::text FROM pg_tview_meta_audit
                                                    WHERE operation = 'refresh' ORDER BY audit_id DESC LIMIT 1)";
    let (begin, mut writes) = (Instant::now(), 0);
    loop {
        client.run("BEGIN; UPDATE tb_a SET n = n + 1 WHERE pk_a <= 3; UPDATE tb_b SET n = n + 1 WHERE pk_b <= 5; COMMIT");
        writes += 1;
        client.assert_follows(&["a", "b"]);
        if client.one::<bool>(together) {
            break;
        }
        assert!(begin.elapsed() < WAIT, "not refreshed together");
    }
    let counted = "SELECT bool_and(m.refreshes - b.refreshes = a.refreshes AND m.latency_count - b.latency_count = a.refreshes
                     AND m.latency_sum > b.latency_sum AND m.recompute_seconds > b.recompute_seconds
                     AND m.commit_seconds > b.commit_seconds AND m.pending_commits = 0 AND m.lag_seconds = 0)
                   FROM pg_tview_metrics m JOIN before b USING (entity_name)
                   JOIN (SELECT entity_name, count(*) AS refreshes FROM pg_tview_meta_audit
                          WHERE operation = 'refresh' AND audit_id > (SELECT audit_id FROM audited) GROUP BY 1) a USING (entity_name)";
    client.wait_until(counted, WAIT);
    let rows = "SELECT entity_name, m.rows_updated - b.rows_updated, m.changes_read - b.changes_read, m.keys_refreshed - b.keys_refreshed
                  FROM pg_tview_metrics m JOIN before b USING (entity_name) ORDER BY 1";
    let expected =
        [("a", 3 * writes), ("b", 5 * writes)].map(|(name, rows)| format!("{name}|{rows}|{rows}|{rows}"));
    assert_eq!(client.rows(rows), expected);
}

#[test]
fn what_a_group_has_rolled_back_is_counted_as_time_only() {
    let (_database, mut client) = group(shared(), "metrics_group_failed");
    client
        .run("CREATE TABLE before AS SELECT entity_name, rows_updated, failed_seconds FROM pg_tview_metrics");
    client.run(
        "BEGIN; UPDATE tb_a SET n = 2 WHERE pk_a <= 3; UPDATE tb_b SET n = pk_b - 1 WHERE pk_b <= 2; COMMIT",
    );
    client.wait_until("SELECT sum(dead_letter_keys) = 1 FROM pg_tview_metrics", WAIT);
    client.run("SELECT pg_tviews_wait()");
    client.wait_until(
        "SELECT sum(pending_commits) = 0 AND sum(lag_seconds) = 0 FROM pg_tview_metrics",
        WAIT,
    );
    let rows = "SELECT entity_name, m.rows_updated - b.rows_updated, m.failed_seconds > b.failed_seconds, failures_data > 0
                  FROM pg_tview_metrics m JOIN before b USING (entity_name) ORDER BY 1";
    assert_eq!(client.rows(rows), ["a|3|t|f", "b|0|t|t"]);
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

#[test]
fn an_attempt_of_a_group_that_fails_is_counted_for_the_member_that_fails() {
    let (_database, mut client) = group(shared(), "metrics_group_attempts");
    client.run(
        "CREATE TABLE in_the_way (); CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS
         $$BEGIN IF to_regclass('public.in_the_way') IS NOT NULL THEN RAISE 'in the way' USING ERRCODE = '40P01'; END IF; RETURN new; END$$;
         CREATE TRIGGER fail BEFORE UPDATE ON tv_b FOR EACH ROW EXECUTE FUNCTION fail()",
    );
    client.run("BEGIN; UPDATE tb_a SET n = 2 WHERE pk_a = 1; UPDATE tb_b SET n = 2 WHERE pk_b = 1; COMMIT");
    client.wait_until(
        "SELECT failures_lock > 0 FROM pg_tview_metrics WHERE entity_name = 'b'",
        WAIT,
    );
    client.run("DROP TABLE in_the_way");
    client.assert_follows(&["a", "b"]);
    assert_eq!(
        client.rows("SELECT failures_lock FROM pg_tview_metrics WHERE entity_name = 'a'"),
        ["0"]
    );
}
