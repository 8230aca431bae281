//! How late a change is visible, and what a TVIEW costs its writers; both from one run on a private cluster.
//!
//! `cargo bench --bench latency`, or without a release build `cargo test --bench latency` (the extension must be installed in the server of `PG_CONFIG`).

// The tests use the whole harness, this program a part of it.
#[allow(dead_code, unused_imports)]
#[path = "../cluster/harness/mod.rs"]
mod harness;

use std::time::{Duration, Instant};

use harness::{Ask, Cluster, Options};
use postgres::Client;

const COMMITS: usize = 500;
const SLICES: usize = 10;
const SLICE: Duration = Duration::from_millis(500);

fn main() {
    // Durable commits, as in production: the writer's cost is a share of what it really pays.
    let cluster = Cluster::start(
        Options::preloaded()
            .set("fsync", "on")
            .set("shared_buffers", "256MB"),
    );
    let mut client = cluster.client("postgres");
    client.run(
        "CREATE EXTENSION pg_tviews;
         CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text NOT NULL);
         CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int NOT NULL REFERENCES tb_user, title text NOT NULL);
         CREATE INDEX ON tb_post (fk_user);
         CREATE TABLE tb_plain (LIKE tb_post INCLUDING ALL);
         INSERT INTO tb_user SELECT i, 'user ' || i FROM generate_series(1, 1000) i;
         INSERT INTO tb_post SELECT i, 1 + i % 1000, 'post ' || i FROM generate_series(1, 10000) i;
         INSERT INTO tb_plain SELECT * FROM tb_post;
         ALTER TABLE tb_plain ADD FOREIGN KEY (fk_user) REFERENCES tb_user",
    );
    client.run(
        "SELECT pg_tviews_create('post', $$SELECT p.pk_post, jsonb_build_object('title', p.title, 'author', u.name) AS data
                                            FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user$$)",
    );
    client.assert_follows(&["post"]);
    client.run("VACUUM ANALYZE");
    let mut writer = cluster.client("postgres");
    latency(&mut writer, &mut client);
    client.assert_follows(&["post"]);
    cost(&mut writer, &mut client);
    client.assert_follows(&["post"]);
}

/// One change at a time on an idle system, seen by a reader that asks as fast as it can.
fn latency(writer: &mut Client, reader: &mut Client) {
    let last: i64 = reader.one("SELECT max(audit_id) FROM pg_tview_meta_audit");
    let update = writer
        .prepare("UPDATE tb_post SET title = $1 WHERE pk_post = $2")
        .expect("prepares");
    let look = reader
        .prepare("SELECT data->>'title' = $1 FROM tv_post WHERE pk_post = $2")
        .expect("prepares");
    let mut seen = Vec::with_capacity(COMMITS);
    for i in 0..COMMITS {
        let (title, key) = (format!("bench {i}"), 1 + (i as i32 * 7919) % 10_000);
        writer.execute(&update, &[&title, &key]).expect("updates");
        let committed = Instant::now();
        while !reader
            .query_one(&look, &[&title, &key])
            .expect("reads")
            .get::<_, bool>(0)
        {
            assert!(
                committed.elapsed() < Duration::from_secs(30),
                "change {i} did not arrive"
            );
        }
        seen.push(committed.elapsed().as_secs_f64() * 1000.0);
        // Idle in between, as the figure claims.
        std::thread::sleep(Duration::from_millis(10));
    }
    print_percentiles("commit to visible, polled by a reader", &mut seen);
    reader.run("SELECT pg_tviews_wait()");
    let rows = reader
        .query(
            "SELECT (1000 * extract(epoch FROM finished_at - oldest_change_at))::float8 FROM pg_tview_meta_audit
              WHERE audit_id > $1 AND changes_read > 0 AND oldest_change_at IS NOT NULL",
            &[&last],
        )
        .expect("reads the audit");
    print_percentiles(
        "commit to visible, from the audit",
        &mut rows.iter().map(|row| row.get(0)).collect::<Vec<_>>(),
    );
}

/// Single-row updates with and without a (paused) TVIEW, in alternating slices so that both meet the same noise.
fn cost(writer: &mut Client, client: &mut Client) {
    client.run("SELECT pg_tviews_pause('post')");
    let mut rates = [0.0, 0.0];
    for _ in 0..SLICES {
        for (rate, table) in rates.iter_mut().zip(["tb_plain", "tb_post"]) {
            *rate += updates_per_second(writer, table) / SLICES as f64;
        }
    }
    client.run("SELECT pg_tviews_resume('post')");
    let [without, with] = rates;
    println!(
        "single-row UPDATE: {without:.0} tps without, {with:.0} tps with a TVIEW (paused), ratio {:.3}",
        with / without
    );
}

fn updates_per_second(writer: &mut Client, table: &str) -> f64 {
    let sql = format!("UPDATE {table} SET title = $1 WHERE pk_post = $2");
    let update = writer.prepare(&sql).expect("prepares");
    let begin = Instant::now();
    let mut done = 0;
    while begin.elapsed() < SLICE {
        let key = 1 + (done * 7919) % 10_000;
        writer
            .execute(&update, &[&format!("t {done}"), &key])
            .expect("updates");
        done += 1;
    }
    f64::from(done) / begin.elapsed().as_secs_f64()
}

fn print_percentiles(what: &str, milliseconds: &mut [f64]) {
    milliseconds.sort_by(f64::total_cmp);
    if milliseconds.is_empty() {
        println!("{what}: nothing measured");
        return;
    }
    let at = |share: f64| milliseconds[((milliseconds.len() - 1) as f64 * share).round() as usize];
    println!(
        "{what}: p50 {:.2} ms, p95 {:.2} ms, p99 {:.2} ms, worst {:.2} ms ({} samples)",
        at(0.50),
        at(0.95),
        at(0.99),
        at(1.0),
        milliseconds.len()
    );
}
