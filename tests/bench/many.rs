//! Many TVIEWs in one database: what they cost while nothing happens, and when a few of their sources change.

use std::time::{Duration, Instant};

use postgres::Client;

use crate::harness::{Ask, Cluster};
use crate::latency::{report_percentiles, Probe};
use crate::load::Load;
use crate::processes::cpu_seconds;
use crate::report::{Reach, Report};
use crate::scale::Scale;
use crate::world::{caught_up, patient, start_cluster};

/// TVIEWs over each source.
const EACH: i32 = 5;
/// Sources that change.
const BUSY: i32 = 10;
const DATABASE: &str = "postgres";

/// The busy sources alone first; then with all the others beside them.
pub fn measure(scale: &Scale, report: &mut Report) {
    let cluster = start_cluster();
    let mut client = patient(&cluster, DATABASE);
    client.run("CREATE EXTENSION pg_tviews");
    create(&mut client, 1..=BUSY);
    let few = busy(&cluster, &mut client, scale, "few");
    create(&mut client, BUSY + 1..=scale.many_sources);

    let total = scale.many_sources * EACH;
    let names = format!("{total} TVIEWs on {} sources", scale.many_sources);
    metrics(&mut client, &names, report);
    let pids = ours(&cluster, &mut client);
    // Statistics and trimming of what was just created are not what idle means.
    std::thread::sleep(Duration::from_secs(3));
    let (before, begin) = (cpu_seconds(&pids), Instant::now());
    std::thread::sleep(scale.idle);
    let share = 100.0 * (cpu_seconds(&pids) - before) / begin.elapsed().as_secs_f64();
    report.add(
        &format!("{names}, idle"),
        "% of a core",
        share,
        Reach::AtMost(1.0),
        format!("{} processes", pids.len()),
    );

    let mut many = busy(&cluster, &mut client, scale, "many");
    let scenario = format!("{names}, 200 tx/s on {BUSY}");
    report_percentiles(report, &scenario, &mut many.seen, (250.0, 250.0), None);
    report.add(
        &scenario,
        &format!("CPU of workers / with {} TVIEWs", BUSY * EACH),
        many.cpu / few.cpu,
        Reach::AtMost(1.5),
        format!("{:.0} / {:.0} % of a core", 100.0 * many.cpu, 100.0 * few.cpu),
    );
    let entities: Vec<String> = (1..=BUSY).map(|source| format!("s{source}_1")).collect();
    caught_up(&mut client);
    client.assert_views_equal(&entities.iter().map(String::as_str).collect::<Vec<_>>());
}

/// What reading the metrics takes, beside a query of PostgreSQL's catalogs that returns a row for each table and view.
fn metrics(client: &mut Client, names: &str, report: &mut Report) {
    let mut median = |query: &str| {
        let mut times: Vec<f64> = (0..50)
            .map(|_| {
                let begin = Instant::now();
                client.query(query, &[]).expect("the query runs");
                begin.elapsed().as_secs_f64() * 1000.0
            })
            .collect();
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    let catalogs = median(
        "SELECT c.oid, n.nspname, c.relname, c.relkind, c.reltuples, pg_get_userbyid(c.relowner) AS owner,
                obj_description(c.oid) AS comment
           FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace",
    );
    let metrics = median("SELECT * FROM pg_tview_metrics");
    let scenario = format!("{names}, SELECT * FROM pg_tview_metrics");
    report.add(&scenario, "ms, median", metrics, Reach::AtMost(5.0), "");
    let seen = format!("{metrics:.2} ms / {catalogs:.2} ms");
    report.add(
        &scenario,
        "time / a list of all tables from the catalogs",
        metrics / catalogs,
        Reach::Nothing,
        seen,
    );
}

fn create(client: &mut Client, sources: std::ops::RangeInclusive<i32>) {
    for source in sources {
        client.run(&format!(
            "CREATE TABLE tb_source{source} (id int PRIMARY KEY, a text, b text);
             INSERT INTO tb_source{source} SELECT i, 'a', 'b' FROM generate_series(1, 200) i"
        ));
        for number in 1..=EACH {
            client.run(&format!(
                "SELECT pg_tviews_create('s{source}_{number}',
                     'SELECT id, jsonb_build_object(''a'', a, ''b'', b, ''n'', {number}) AS data FROM tb_source{source}')"
            ));
        }
    }
    caught_up(client);
    client.run("VACUUM ANALYZE");
}

struct Busy {
    seen: Vec<f64>,
    /// Share of a core.
    cpu: f64,
}

/// 200 transactions per second spread over the busy sources.
fn busy(cluster: &Cluster, client: &mut Client, scale: &Scale, name: &str) -> Busy {
    eprintln!("{name} TVIEWs under load");
    // A variable cannot name a table.
    let cases: String = (1..=BUSY)
        .map(|n| format!("\\if :n = {n}\nUPDATE tb_source{n} SET a = 'a ' || :r WHERE id = :id;\n\\endif\n"))
        .collect();
    let script =
        format!("\\set n random(1, {BUSY})\n\\set id random(1, 100)\n\\set r random(1, 1000000)\n{cases}");
    let load = Load::new(cluster, DATABASE, 2, &script).at(200);
    let probe = Probe {
        cluster,
        database: DATABASE,
        update: "UPDATE tb_source1 SET a = $1 WHERE id = $2",
        look: "SELECT data->>'a' = $1 FROM tv_s1_1 WHERE id = $2",
        keys: 101..200,
        pause: Duration::from_millis(20),
        look_every: Duration::from_micros(500),
    };
    load.run(Duration::from_secs(1));
    caught_up(client);
    let pids = ours(cluster, client);
    let time = scale.steady.min(Duration::from_secs(30));
    let (before, begin) = (cpu_seconds(&pids), Instant::now());
    let running = load.start(time);
    let seen = probe.commits_for(time - Duration::from_millis(500));
    Load::finish(running);
    let cpu = (cpu_seconds(&pids) - before) / begin.elapsed().as_secs_f64();
    caught_up(client);
    Busy { seen, cpu }
}

/// Launcher and workers.
fn ours(cluster: &Cluster, client: &mut Client) -> Vec<i32> {
    client.started_workers();
    let mut anywhere = patient(cluster, DATABASE);
    let rows = anywhere.query(
        "SELECT pid FROM pg_stat_activity WHERE backend_type LIKE 'pg_tviews%'",
        &[],
    );
    rows.expect("reads activity")
        .iter()
        .map(|row| row.get(0))
        .collect()
}
