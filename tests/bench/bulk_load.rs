//! COPY of many rows into a source, with and without `pg_tviews_bulk_load`, beside the same without TVIEWs. The TVIEW is paused:
//! its refresh comes after the load, and would take a CPU from the next.

use crate::compare::{in_turn, milliseconds};
use crate::harness::{Ask, Cluster};
use crate::report::{Reach, Report};
use crate::scale::Scale;
use crate::world::{durable, patient};

const DATABASES: [&str; 2] = ["load_bare", "load_ours"];
const TABLE: &str = "CREATE TABLE tb_item (pk_item int PRIMARY KEY, name text, price numeric)";

/// The statements of one load, after BEGIN.
const WITHOUT: &str = "SELECT 1";
const CALL: &str = "SELECT pg_tviews_bulk_load('tb_item')";
const OFF: &str = "SET LOCAL pg_tviews.capture = off";

/// All ways to load, in turn.
pub fn measure(scale: &Scale, report: &mut Report) {
    let cluster = Cluster::start(durable());
    let mut client = patient(&cluster, "postgres");
    for database in DATABASES {
        client.run(&format!("CREATE DATABASE {database}"));
        patient(&cluster, database).run(TABLE);
    }
    let mut ours = patient(&cluster, DATABASES[1]);
    ours.run(
        "CREATE EXTENSION pg_tviews;
         SELECT pg_tviews_create('item', 'SELECT pk_item, name, price FROM tb_item');
         SELECT pg_tviews_pause('item')",
    );
    let file = cluster.data().join("items").display().to_string();
    let rows = scale.load;
    let write =
        format!("COPY (SELECT n, 'item ' || n, n / 100.0 FROM generate_series(1, {rows}) n) TO '{file}'");
    client.run(&write);

    let load = |database: &str, first: &str| {
        let mut client = patient(&cluster, database);
        client.run("TRUNCATE tb_item; CHECKPOINT");
        let script = format!("BEGIN; {first}; COPY tb_item FROM '{file}'; COMMIT");
        milliseconds(|| client.run(&script))
    };
    let [without, with, off, captured] = in_turn(
        scale.rounds,
        "ms",
        [
            &mut || load(DATABASES[0], WITHOUT),
            &mut || load(DATABASES[1], CALL),
            &mut || load(DATABASES[1], OFF),
            &mut || load(DATABASES[1], WITHOUT),
        ],
    );
    let scenario = format!("COPY of {rows} rows");
    for (how, time, reach) in [
        ("with pg_tviews_bulk_load", with, Reach::AtMost(1.05)),
        ("with capture = off", off, Reach::Nothing),
        ("captured", captured, Reach::Nothing),
    ] {
        let measure = format!("time {how} / without TVIEWs");
        report.ratio(&scenario, &measure, &time, &without, reach);
    }
}
