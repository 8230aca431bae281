//! DDL that has nothing to do with TVIEWs, in databases with none, one and many of them, beside one without the extension.

use postgres::Client;

use crate::compare::{in_turn, milliseconds, Measured};
use crate::harness::Ask;
use crate::report::{Reach, Report};
use crate::scale::Scale;
use crate::world::{caught_up, patient, start_cluster};

/// Databases, and how many TVIEWs each has; the first has no extension.
const DATABASES: [(&str, Option<i32>); 4] = [
    ("ddl_without", None),
    ("ddl_0", Some(0)),
    ("ddl_1", Some(1)),
    ("ddl_many", Some(500)),
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

/// Each script in all databases in turn.
pub fn measure(scale: &Scale, report: &mut Report) {
    let cluster = start_cluster();
    let mut clients = DATABASES.map(|(name, tviews)| {
        patient(&cluster, "postgres").run(&format!("CREATE DATABASE {name}"));
        let mut client = patient(&cluster, name);
        if let Some(tviews) = tviews {
            prepare(&mut client, tviews);
        }
        client
    });
    let commands = scale.unrelated_ddl;
    let mut figures: Vec<[Measured; 4]> = Vec::new();
    for _ in SCRIPTS {
        figures.push([(); 4].map(|()| Measured::of("ms", Vec::new())));
    }
    for _ in 0..scale.rounds {
        for (number, (_, script)) in SCRIPTS.iter().enumerate() {
            let [a, b, c, d] = &mut clients;
            let round = in_turn(
                1,
                "ms",
                [
                    &mut || run(a, *script, commands),
                    &mut || run(b, *script, commands),
                    &mut || run(c, *script, commands),
                    &mut || run(d, *script, commands),
                ],
            );
            for (all, one) in figures[number].iter_mut().zip(round) {
                all.append(one);
            }
        }
    }
    for ((name, _), measured) in SCRIPTS.iter().zip(&figures) {
        let [without, none, one, many] = measured;
        let scenario = format!("{commands} unrelated {name}");
        report.ratio(
            &scenario,
            "0 TVIEWs / no extension",
            none,
            without,
            Reach::AtMost(1.3),
        );
        report.ratio(
            &scenario,
            "1 TVIEW / no extension",
            one,
            without,
            Reach::AtMost(1.3),
        );
        report.ratio(&scenario, "500 TVIEWs / 0 TVIEWs", many, none, Reach::AtMost(1.1));
    }
}

fn run(client: &mut Client, script: Script, commands: i32) -> f64 {
    milliseconds(|| (1..=commands).for_each(|n| client.run(&script(n))))
}

fn prepare(client: &mut Client, tviews: i32) {
    client.run("CREATE EXTENSION pg_tviews; CREATE TABLE tb_source (id int PRIMARY KEY, a text)");
    client.run("INSERT INTO tb_source SELECT i, 'a' FROM generate_series(1, 10) i");
    for number in 1..=tviews {
        client.run(&format!(
            "SELECT pg_tviews_create('s{number}', 'SELECT id, jsonb_build_object(''a'', a, ''n'', {number}) AS data FROM tb_source')"
        ));
    }
    caught_up(client);
    client.run("VACUUM ANALYZE");
}
