//! One UPDATE of very many rows: what writer and workers hold in memory.

use crate::harness::Ask;
use crate::processes::peak_memory;
use crate::report::{Reach, Report};
use crate::scale::Scale;
use crate::world::{caught_up, patient, start_cluster};

/// A flat TVIEW over one table.
pub fn measure(scale: &Scale, report: &mut Report) {
    let cluster = start_cluster();
    let mut client = patient(&cluster, "postgres");
    let rows = scale.huge;
    client.run(&format!(
        "CREATE EXTENSION pg_tviews;
         CREATE TABLE tb_huge (pk_huge int PRIMARY KEY, n int NOT NULL);
         INSERT INTO tb_huge SELECT i, i FROM generate_series(1, {rows}) i"
    ));
    client.run("SELECT pg_tviews_create('huge', 'SELECT pk_huge, n FROM tb_huge')");
    caught_up(&mut client);
    let mut pids: Vec<i32> = vec![client.one("SELECT pg_backend_pid()")];
    pids.extend(client.started_workers());
    let peaks = peak_memory(&pids, || {
        client.run("UPDATE tb_huge SET n = n + 1");
        caught_up(&mut client);
    });
    let scenario = format!("{rows}-row UPDATE in one transaction");
    let megabytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    report.add(
        &scenario,
        "MB of the writer",
        megabytes(peaks[0]),
        Reach::AtMost(256.0),
        "",
    );
    let worker = peaks[1..].iter().copied().max().unwrap_or(0);
    report.add(
        &scenario,
        "MB of a worker",
        megabytes(worker),
        Reach::AtMost(256.0),
        "",
    );
    client.assert_views_equal(&["huge"]);
}
