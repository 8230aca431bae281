//! What reading the metrics costs.

use std::time::{Duration, Instant};

use postgres::Client;

use super::shares;
use crate::harness::{shared, Ask};

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
