//! Random views over random tables, changed at random, compared with what PostgreSQL says. A failing seed
//! prints a small script; `PG_TVIEWS_FUZZ_SEED` plays it again, `PG_TVIEWS_FUZZ_ROUNDS` sets how many schemas
//! are tried (`make fuzz` tries many).

mod changes;
mod grammar;
mod oracle;
mod schema;
mod shrink;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc;

use crate::harness::{Cluster, Database, Options, Random};
use changes::Targets;
use grammar::{Grammar, View};
use oracle::{Player, Script, Tview};
use schema::{Schema, Type};

const VIEWS_PER_SCHEMA: usize = 12;
const STEPS: usize = 25;

#[test]
fn random_views_follow_random_changes() {
    follow_random_changes(Options::without_preload().set("jit", "off"));
}

/// Every group that qualifies is stored.
#[test]
fn random_views_follow_random_changes_with_stored_groups() {
    let options = Options::without_preload().set("jit", "off");
    follow_random_changes(options.set("pg_tviews.running_threshold", "1"));
}

/// Workers refresh and verify meanwhile: no change is taken for damage.
#[test]
fn random_views_are_verified_without_a_false_alarm() {
    let options = Options::preloaded()
        .set("jit", "off")
        .set("pg_tviews.max_latency", "20ms");
    let verify = options
        .set("pg_tviews.verify_cycle", "1")
        .set("pg_tviews.verify_share", "100");
    let cluster = Cluster::start(verify);
    let database = Database::new(&cluster, "fuzz_verified");
    let (_sender, notices) = mpsc::channel();
    let client = database.client();
    let mut player = Player { client, notices };
    let mut verified = 0;
    for seed in Random::seeds("random_views_are_verified", 3) {
        let (script, _) = script(&mut player, seed, &mut Totals::default());
        let (alarms, complete) = player.verify(&script);
        assert!(alarms.is_empty(), "seed {seed}\n{}", alarms.join("\n"));
        verified += complete;
    }
    assert!(verified > 3, "{verified} TVIEWs were verified");
}

fn follow_random_changes(options: Options) {
    let cluster = Cluster::start(options);
    let database = Database::new(&cluster, "fuzz");
    let (sender, notices) = mpsc::channel();
    let client = cluster.client_with_notices(&database.name, move |notice| {
        let _ = sender.send(notice);
    });
    let mut player = Player { client, notices };
    let seeds = Random::seeds("random_views", 6);
    let rounds = seeds.end - seeds.start;
    let mut totals = Totals::default();
    for (done, seed) in seeds.enumerate() {
        if done % 10 == 9 {
            println!("{done} of {rounds} schemas");
        }
        round(&mut player, seed, &mut totals);
    }
    totals.report();
    assert!(totals.failures.is_empty(), "{}", totals.failures.join("\n\n"));
    let log = cluster.read_log();
    let refused: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("stored groups of"))
        .collect();
    assert!(refused.is_empty(), "{}", refused.join("\n"));
    totals.assert_plausible();
}

/// A schema with views, and what happens to it.
fn script(player: &mut Player, seed: u64, totals: &mut Totals) -> (Script, Vec<(Tview, View)>) {
    let mut random = Random::from_seed(seed);
    let schema = Schema::random(&mut random);
    let mut setup = [schema.definitions, schema.rows].concat();
    player.start_over(&setup).expect("tables can be created");
    let mut plan_random = random.branch(1);
    let mut grammar = Grammar::new(&mut plan_random, &schema.tables);
    let mut replacements = Vec::new();
    let base = format!(
        "SELECT pg_tviews_create('base', 'SELECT id AS k, a AS n, t AS s FROM {}', key_columns => '{{k}}')",
        schema.tables[0].name
    );
    if player.run(&base).is_ok() {
        setup.push(base);
        setup.push("SELECT pg_tviews_create_fresh_view('base')".to_string());
        let columns = [("k", Type::Int), ("n", Type::Int), ("s", Type::Text)];
        grammar.offer_tview("tv_base", &columns);
    }
    for number in 0..3 {
        let (definition, replacement) = grammar.plain_view(&format!("w{number}"));
        match player.run(&definition) {
            Ok(()) => {
                setup.push(definition);
                replacements.push(replacement);
            }
            Err(text) => {
                grammar.without_last_view();
                totals.discard(text);
            }
        }
    }
    let mut tviews = Vec::new();
    for number in 0..VIEWS_PER_SCHEMA {
        let view = grammar.view(number as i32 / 2 + 1);
        let tview = Tview::new(number, &view);
        match player.accepts(&tview) {
            Ok(()) => tviews.push((tview, view)),
            Err(text) => totals.discard(format!("{text}\n{}", view.sql)),
        }
    }
    let targets = Targets {
        tables: &schema.tables,
        views: &replacements,
    };
    let steps = (0..STEPS).map(|_| changes::step(&mut random, &targets)).collect();
    let script = Script {
        setup,
        tviews: tviews.iter().map(|(tview, _)| tview.clone()).collect(),
        steps,
    };
    (script, tviews)
}

fn round(player: &mut Player, seed: u64, totals: &mut Totals) {
    let (mut script, mut tviews) = script(player, seed, totals);
    // A view that fails is reported and left out, so that the others of its schema are still tried.
    while let Some(failure) = player.play(&script).expect("the script is valid") {
        let failed = failure.tview;
        let (small, failure) = shrink::shrink(player, &script, failure);
        totals.failures.push(format!(
            "PG_TVIEWS_FUZZ_SEED={seed}\n{}-- {}",
            shrink::print(&small),
            failure.text.replace('\n', "\n-- ")
        ));
        println!("{}", totals.failures.last().map_or("", String::as_str));
        script.tviews.remove(failed);
        tviews.remove(failed);
    }
    while player.notices.try_recv().is_ok() {}
    let helped = player.value("SELECT coalesce(sum(helped), 0) FROM pg_tview_running_position");
    totals.helped += helped.map_or(0, |count| count.parse().expect("a number"));
    for (tview, view) in &tviews {
        totals.count(player, tview, view);
    }
}

#[derive(Default)]
struct Totals {
    views: usize,
    discarded: usize,
    sources: usize,
    keyed: usize,
    /// Sources and keyed ones of views with only this construct, and of all views with it.
    by_construct: BTreeMap<&'static str, [usize; 2]>,
    reasons: BTreeMap<String, usize>,
    failures: Vec<String>,
    /// How often stored groups were read.
    helped: usize,
}

impl Totals {
    fn discard(&mut self, reason: String) {
        self.discarded += 1;
        if std::env::var_os("PG_TVIEWS_FUZZ_DISCARDED").is_some() {
            println!("discarded: {reason}");
        }
    }

    /// Counts sources followed by key: creating it anew says which are not.
    fn count(&mut self, player: &mut Player, tview: &Tview, view: &View) {
        let recreated = format!("SELECT pg_tviews_drop('{}'); {}", tview.entity, tview.create());
        if player.run(&recreated).is_err() {
            return;
        }
        let sources = player.value(&format!(
            "SELECT cardinality(source_oids) FROM pg_tview_meta WHERE entity_name = '{}'",
            tview.entity
        ));
        let sources: usize = sources.ok().and_then(|count| count.parse().ok()).unwrap_or(0);
        let mut full = BTreeSet::new();
        for notice in player.notices.try_iter() {
            if notice.message().starts_with("any change of ") {
                full.insert(notice.message().to_string());
                let detail = notice.detail().unwrap_or_default();
                let reason = detail.split(" (").next().unwrap_or_default().to_string();
                *self.reasons.entry(reason).or_default() += 1;
            }
        }
        let keyed = sources.saturating_sub(full.len());
        self.views += 1;
        self.sources += sources;
        self.keyed += keyed;
        for construct in &view.constructs {
            let counts = self.by_construct.entry(construct).or_default();
            counts[0] += sources;
            counts[1] += keyed;
        }
    }

    fn report(&self) {
        println!("stored groups were read {} times", self.helped);
        println!(
            "{} views, {} not usable; {} of {} sources keyed ({} %)",
            self.views,
            self.discarded,
            self.keyed,
            self.sources,
            100 * self.keyed / self.sources.max(1)
        );
        for (construct, [sources, keyed]) in &self.by_construct {
            println!(
                "  {:>3} % keyed of {sources:>5}  {construct}",
                100 * keyed / sources
            );
        }
        for (reason, count) in &self.reasons {
            println!("  full {count:>5}  {reason}");
        }
    }

    /// A test of keyed refreshes must see many of them, of many views.
    fn assert_plausible(&self) {
        assert!(self.views > 3 * self.discarded, "too many views are of no use");
        assert!(10 * self.keyed > 3 * self.sources, "too few sources are keyed");
    }
}
