//! DDL that has nothing to do with TVIEWs, in databases with none, one and many of them, beside one without the extension and one
//! with as many tables and views.

use postgres::Client;

use crate::compare::{in_turn, milliseconds, Measured};
use crate::harness::Ask;
use crate::report::{Reach, Report};
use crate::scale::Scale;
use crate::world::{caught_up, patient, start_cluster};

/// What a database has. PostgreSQL's own catalogs grow with tables, views and triggers, so many TVIEWs are beside as many tables and
/// views that are none.
enum Kind {
    WithoutExtension,
    Tviews(i32),
    TablesAndViews(i32),
}

const MANY: i32 = 500;

const DATABASES: [(&str, Kind); 5] = [
    ("ddl_without", Kind::WithoutExtension),
    ("ddl_0", Kind::Tviews(0)),
    ("ddl_1", Kind::Tviews(1)),
    ("ddl_many", Kind::Tviews(MANY)),
    ("ddl_tables", Kind::TablesAndViews(MANY)),
];

/// Counted, one by one, in rows and pages that the session goes over: these do not depend on what else the machine does.
const COUNTED: [&str; 11] = [
    "CREATE TABLE fresh (id int PRIMARY KEY, name text)",
    "CREATE TEMP TABLE mine (id int, name text) ON COMMIT DROP",
    "ALTER TABLE plain ADD COLUMN more int",
    "CREATE INDEX ON plain (name)",
    "GRANT SELECT ON plain TO pg_monitor",
    "CREATE OR REPLACE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT $1 + 1'",
    "CREATE VIEW seen AS SELECT * FROM plain",
    "CREATE TABLE leaf PARTITION OF tree FOR VALUES IN (1)",
    "ALTER TABLE tree ATTACH PARTITION loose FOR VALUES IN (2)",
    "DROP FUNCTION f(int)",
    "DROP TABLE plain",
];

/// A script of commands that are of no interest to TVIEWs.
type Script = fn(i32) -> String;

/// Commands that come in hundreds, as migrations, tests and reports make them.
const SCRIPTS: [(&str, Script); 3] = [
    ("CREATE TABLE", |n| {
        format!("CREATE TABLE unrelated_{n} (id int PRIMARY KEY, name text)")
    }),
    ("DROP TABLE", |n| format!("DROP TABLE unrelated_{n}")),
    ("CREATE TEMP TABLE ... ON COMMIT DROP", |_| {
        "BEGIN; CREATE TEMP TABLE mine (id int, name text) ON COMMIT DROP; COMMIT".to_string()
    }),
];

/// Each script in all databases in turn; then the counts.
pub fn measure(scale: &Scale, report: &mut Report) {
    let cluster = start_cluster();
    let mut clients = DATABASES.map(|(name, kind)| {
        patient(&cluster, "postgres").run(&format!("CREATE DATABASE {name}"));
        let mut client = patient(&cluster, name);
        prepare(&mut client, &kind);
        client
    });
    time(scale, report, &mut clients);
    count(report, &mut clients);
}

fn time(scale: &Scale, report: &mut Report, clients: &mut [Client; 5]) {
    let commands = scale.unrelated_ddl;
    let mut figures: Vec<[Measured; 5]> = Vec::new();
    for _ in SCRIPTS {
        figures.push([(); 5].map(|()| Measured::of("ms", Vec::new())));
    }
    for _ in 0..scale.rounds {
        for (number, (_, script)) in SCRIPTS.iter().enumerate() {
            let [a, b, c, d, e] = &mut *clients;
            let round = in_turn(
                1,
                "ms",
                [
                    &mut || run(a, *script, commands),
                    &mut || run(b, *script, commands),
                    &mut || run(c, *script, commands),
                    &mut || run(d, *script, commands),
                    &mut || run(e, *script, commands),
                ],
            );
            for (all, one) in figures[number].iter_mut().zip(round) {
                all.append(one);
            }
        }
    }
    for ((name, _), measured) in SCRIPTS.iter().zip(&figures) {
        let scenario = format!("{commands} unrelated {name}");
        let [without, none, one, many, tables] = measured;
        for (measure, of, to, reach) in [
            ("0 TVIEWs / no extension", none, without, Reach::AtMost(1.3)),
            ("1 TVIEW / no extension", one, without, Reach::AtMost(1.3)),
            (
                "500 TVIEWs / as many tables and views",
                many,
                tables,
                Reach::AtMost(1.1),
            ),
            ("500 TVIEWs / 0 TVIEWs", many, none, Reach::Nothing),
        ] {
            report.ratio(&scenario, measure, of, to, reach);
        }
    }
}

fn count(report: &mut Report, clients: &mut [Client; 5]) {
    for command in COUNTED {
        let counts = clients.each_mut().map(|client| gone_over(client, command));
        let [without, none, _, many, tables] =
            counts.map(|count| Measured::of("rows and pages", vec![count as f64]));
        for (measure, of, to, reach) in [
            ("0 TVIEWs / no extension", &none, &without, Reach::Nothing),
            (
                "500 TVIEWs / as many tables and views",
                &many,
                &tables,
                Reach::AtMost(1.1),
            ),
            ("500 TVIEWs / 0 TVIEWs", &many, &none, Reach::Nothing),
        ] {
            report.ratio(command, measure, of, to, reach);
        }
    }
}

/// Rows and pages, of relations that were there before, that a session goes over for a command: once it knows what it needs of the catalogs.
fn gone_over(client: &mut Client, command: &str) -> i64 {
    let relations: String = client.one("SELECT array_agg(oid)::text FROM pg_class");
    let sum = format!(
        "SELECT sum(pg_stat_get_xact_tuples_returned(oid) + pg_stat_get_xact_tuples_fetched(oid) + pg_stat_get_xact_blocks_fetched(oid))::bigint
           FROM unnest('{relations}'::oid[]) oid"
    );
    let mut once = || {
        client.run("BEGIN");
        client.one::<i64>(&sum);
        let before: i64 = client.one(&sum);
        client.run(command);
        let after: i64 = client.one(&sum);
        client.run("ROLLBACK");
        after - before
    };
    once();
    (0..3).map(|_| once()).min().unwrap_or_default()
}

fn run(client: &mut Client, script: Script, commands: i32) -> f64 {
    milliseconds(|| (1..=commands).for_each(|n| client.run(&script(n))))
}

fn prepare(client: &mut Client, kind: &Kind) {
    client.run(
        "CREATE TABLE tb_source (id int PRIMARY KEY, a text); INSERT INTO tb_source SELECT i, 'a' FROM generate_series(1, 10) i;
         CREATE TABLE plain (id int PRIMARY KEY, name text); CREATE TABLE loose (id int); CREATE TABLE tree (id int) PARTITION BY LIST (id);
         CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT $1'",
    );
    let query =
        |number| format!("SELECT id, jsonb_build_object('a', a, 'n', {number}) AS data FROM tb_source");
    if !matches!(kind, Kind::WithoutExtension) {
        client.run("CREATE EXTENSION pg_tviews");
    }
    match kind {
        Kind::WithoutExtension => {}
        Kind::Tviews(tviews) => {
            for number in 1..=*tviews {
                client.run(&format!(
                    "SELECT pg_tviews_create('s{number}', $${}$$)",
                    query(number)
                ));
            }
            caught_up(client);
        }
        Kind::TablesAndViews(tables) => {
            for number in 1..=*tables {
                client.run(&format!(
                    "CREATE VIEW v_s{number} AS {}; CREATE TABLE tv_s{number} (id int PRIMARY KEY, data jsonb)",
                    query(number)
                ));
            }
        }
    }
    client.run("VACUUM ANALYZE");
}
