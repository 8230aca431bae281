//! Databases that share the eight worker slots that PostgreSQL comes with: how late each is, and what is left for parallel
//! queries.

use std::time::Duration;

use postgres::Client;

use crate::harness::{Ask, Cluster, Database, Options, WAIT};
use crate::latency::{report_percentiles, Probe};
use crate::report::{Reach, Report};
use crate::scale::Scale;
use crate::world::patient;

/// As PostgreSQL comes.
const SLOTS: &str = "8";
/// Numbers of databases that are compared.
const DATABASES: [usize; 3] = [1, 6, 20];
/// Longer than an only worker stays without work where slots are few.
const REST: Duration = Duration::from_secs(8);

/// Each number of databases on a server of its own.
pub fn measure(scale: &Scale, report: &mut Report) {
    for number in DATABASES {
        share(number, scale, report);
    }
}

fn share(number: usize, scale: &Scale, report: &mut Report) {
    eprintln!("{number} databases, {SLOTS} worker slots");
    let cluster = Cluster::start(
        Options::preloaded()
            .set("max_worker_processes", SLOTS)
            .set("pg_tviews.max_databases", "32"),
    );
    let databases: Vec<Database> = (0..number).map(|n| create(&cluster, n)).collect();
    let mut anywhere = patient(&cluster, "postgres");
    let scenario = match number {
        1 => format!("1 database, {SLOTS} slots"),
        more => format!("{more} databases, {SLOTS} slots"),
    };

    let rounds = (scale.commits / 50 / number).max(2);
    let mut seen = Vec::new();
    for _ in 0..rounds {
        for database in &databases {
            seen.extend(probe(&cluster, database).commits(5));
        }
    }
    let in_turn = format!("{scenario}, changed in turn");
    report_percentiles(report, &in_turn, &mut seen, (250.0, 2_000.0), None);

    std::thread::sleep(REST);
    let workers = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'pg_tviews worker'";
    let at_rest: i64 = anywhere.one(workers);
    let at_once = parallel_workers(&databases[0]);
    report.add(
        &format!("{scenario}, at rest"),
        "workers of a parallel query",
        at_once as f64,
        Reach::AtLeast(2.0),
        format!("{at_rest} refresh workers"),
    );
}

fn create(cluster: &Cluster, number: usize) -> Database<'_> {
    let database = Database::new(cluster, &format!("shared_{number}"));
    let mut client = database.client();
    client.run(
        "CREATE TABLE tb_row (id int PRIMARY KEY, a text); INSERT INTO tb_row SELECT i, 'a' FROM generate_series(1, 1000) i;
         SELECT pg_tviews_create('row', 'SELECT id, jsonb_build_object(''a'', a) AS data FROM tb_row')",
    );
    client.wait_until("SELECT pg_tviews_wait()", WAIT);
    database
}

fn probe<'c>(cluster: &'c Cluster, database: &'c Database) -> Probe<'c> {
    Probe {
        cluster,
        database: &database.name,
        update: "UPDATE tb_row SET a = $1 WHERE id = $2",
        look: "SELECT data->>'a' = $1 FROM tv_row WHERE id = $2",
        keys: 1..1000,
        pause: Duration::from_millis(10),
        look_every: Duration::from_micros(500),
    }
}

/// How many a query gets that wants two.
fn parallel_workers(database: &Database) -> usize {
    let mut client: Client = database.client();
    client.run(
        "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
         SET max_parallel_workers_per_gather = 2",
    );
    let plan = client
        .rows("EXPLAIN (ANALYZE, COSTS OFF) SELECT count(*) FROM tb_row")
        .join("\n");
    let launched = plan
        .lines()
        .find_map(|line| line.trim().strip_prefix("Workers Launched: "));
    launched.and_then(|n| n.parse().ok()).unwrap_or(0)
}
