//! What a worker keeps in memory: with many TVIEWs, all of which it has refreshed, and after one of them was defined anew
//! many times.

use postgres::Client;

use crate::harness::{in_contexts, process_status, Ask, Cluster, Options, WAIT};
use crate::report::{Reach, Report};
use crate::scale::Scale;
use crate::world::{caught_up, patient};

const DATABASE: &str = "postgres";

/// One worker, so that all refreshes are its own.
pub fn measure(scale: &Scale, report: &mut Report) {
    let cluster = Cluster::start(
        Options::preloaded()
            .set("pg_tviews.workers", "1")
            .set("pg_tviews.max_tviews", "4000")
            .set("shared_buffers", "256MB")
            .set("max_wal_size", "4GB"),
    );
    let mut client = patient(&cluster, DATABASE);
    client.run("CREATE EXTENSION pg_tviews");
    create(&mut client, 0, 1);
    client.run("UPDATE tb_f1 SET name = name || '.'");
    caught_up(&mut client);
    let worker = only_worker(&mut client);
    let fresh = Kept::by(&cluster, &mut client, worker);
    let mut made = 1;
    let mut before = None;
    for number in scale.kept {
        create(&mut client, made, number);
        made = number;
        for round in 1..=3 {
            let kept = refresh_all(&cluster, &mut client, number);
            eprintln!("{number} TVIEWs, round {round}: {kept}");
            before = Some(kept);
        }
        if let Some(kept) = &before {
            let scenario = format!("a worker that refreshes {number} TVIEWs");
            kept.report(report, &scenario, &fresh);
        }
    }
    let with_all = before.unwrap_or(fresh);
    for round in 1..=scale.redefinitions {
        define_anew(&mut client, round);
    }
    caught_up(&mut client);
    let worker = only_worker(&mut client);
    let after = Kept::by(&cluster, &mut client, worker);
    let scenario = format!("after {} redefinitions of one", scale.redefinitions);
    after.report(report, &scenario, &with_all);
}

fn only_worker(client: &mut Client) -> i32 {
    let one = "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type LIKE 'pg_tviews%' AND datname = current_database()";
    client.wait_until(one, WAIT);
    client.workers()[0]
}

/// TVIEWs of two tables each, in transactions of ten, which are quicker.
fn create(client: &mut Client, made: i32, number: i32) {
    let numbers: Vec<i32> = (made + 1..=number).collect();
    for ten in numbers.chunks(10) {
        let one = |n: &i32| {
            format!(
                "CREATE TABLE tb_e{n} (pk_e{n} int PRIMARY KEY, fk int, name text); INSERT INTO tb_e{n} VALUES (1, 1, 'a');
                 CREATE TABLE tb_f{n} (pk_f{n} int PRIMARY KEY, name text); INSERT INTO tb_f{n} VALUES (1, 'a');
                 SELECT pg_tviews_create('e{n}', '{}');",
                query(*n, "name")
            )
        };
        client.run(&ten.iter().map(one).collect::<String>());
    }
    caught_up(client);
}

fn query(n: i32, word: &str) -> String {
    format!(
        "SELECT e.pk_e{n}, jsonb_build_object(''{word}'', e.name, ''f'', f.name) AS data
           FROM tb_e{n} e LEFT JOIN tb_f{n} f ON f.pk_f{n} = e.fk"
    )
}

/// A change of each, one refresh after the other.
fn refresh_all(cluster: &Cluster, client: &mut Client, number: i32) -> Kept {
    for n in 1..=number {
        client.run(&format!("UPDATE tb_f{n} SET name = name || '.'"));
    }
    caught_up(client);
    let worker = only_worker(client);
    Kept::by(cluster, client, worker)
}

/// Redefines the first one, and has it refreshed once.
fn define_anew(client: &mut Client, round: i32) {
    let word = ["n", "m"][(round % 2) as usize];
    client.run(&format!("SELECT pg_tviews_create('e1', '{}')", query(1, word)));
    client.run("UPDATE tb_f1 SET name = name || '.'");
    if round % 10 == 0 {
        caught_up(client);
    }
}

/// MB of a process.
struct Kept {
    /// Not shared with other processes.
    own: f64,
    /// In use in memory contexts.
    contexts: f64,
}

impl Kept {
    fn by(cluster: &Cluster, client: &mut Client, pid: i32) -> Self {
        let contexts = in_contexts(cluster, client, pid) as f64 / 1_048_576.0;
        let own = process_status(pid, "RssAnon") as f64 / 1024.0;
        Self { own, contexts }
    }

    fn report(&self, report: &mut Report, scenario: &str, before: &Self) {
        let seen = format!("{:.1} MB before", before.own);
        report.add(scenario, "MB of its own", self.own, Reach::Nothing, seen);
        let seen = format!("{:.1} MB before", before.contexts);
        report.add(
            scenario,
            "MB in memory contexts",
            self.contexts,
            Reach::Nothing,
            seen,
        );
    }
}

impl std::fmt::Display for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(
            f,
            "{:.1} MB of its own, {:.1} MB in contexts",
            self.own, self.contexts
        )
    }
}
