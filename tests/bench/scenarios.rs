//! What TVIEWs cost and how late they are, beside what people would write by hand; one run on one private cluster.
//!
//! `make bench`, `make bench-quick`; or `cargo bench --bench scenarios -- [--quick] [group ...]` with the extension installed
//! in the server of `PG_CONFIG`. Every figure is a ratio of things measured in turn; absolute times are only shown.

// The tests use the whole harness, this program a part of it.
#[allow(dead_code, unused_imports)]
#[path = "../cluster/harness/mod.rs"]
mod harness;

mod backlog;
mod bulk_load;
mod by_hand;
mod compare;
mod count;
mod cpu;
mod ddl;
mod feed;
mod feed_count;
mod groups;
mod half_rate;
mod hub;
mod in_memory;
mod large;
mod latency;
mod load;
mod many;
mod many_clients;
mod meanwhile;
mod memory;
mod old_transactions;
mod pairs;
mod population;
mod processes;
mod report;
mod scale;
mod sizes;
mod slots;
mod waits;
mod world;
mod writers;

use in_memory::InMemory;
use report::Report;
use scale::Scale;
use world::World;

/// Name of a group of scenarios, and what measures it.
type Group<On> = (&'static str, fn(&On, &mut Report));

/// Scenarios that share the databases of [`World`], in the order they run.
const ON_THE_BLOG: &[Group<World>] = &[
    ("latency", latency::measure),
    ("writers", writers::measure),
    ("hub", hub::measure),
    ("population", population::measure),
    ("old", old_transactions::measure),
];
/// Scenarios of writers that wait for no disk.
const ON_THE_CPU: &[Group<InMemory>] = &[
    ("cpu", cpu::measure),
    ("half", half_rate::measure),
    ("clients", many_clients::measure),
];
/// Scenarios with a cluster of their own.
const ALONE: &[Group<Scale>] = &[
    ("many", many::measure),
    ("sizes", sizes::measure),
    ("large", large::measure),
    ("memory", memory::measure),
    ("backlog", backlog::measure),
    ("feed", feed::measure),
    ("load", bulk_load::measure),
    ("groups", groups::measure),
    ("slots", slots::measure),
    ("ddl", ddl::measure),
    ("count", count::measure),
    ("feed_count", feed_count::measure),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let scale = match arguments.iter().any(|argument| argument == "--quick") {
        true => Scale::QUICK,
        false => Scale::FULL,
    };
    // cargo adds options of its own.
    let groups: Vec<&String> = arguments.iter().filter(|a| !a.starts_with('-')).collect();
    groups.iter().for_each(|group| assert_known(group));
    let wanted = |name: &str| match groups.is_empty() {
        true => !scale.left_out.contains(&name),
        false => groups.iter().any(|group| *group == name),
    };
    let mut report = Report::new(&scale);
    if ON_THE_BLOG.iter().any(|(name, _)| wanted(name)) {
        let world = World::create(scale);
        for (_, measure) in ON_THE_BLOG.iter().filter(|(name, _)| wanted(name)) {
            measure(&world, &mut report);
        }
        world.assert_right();
    }
    if ON_THE_CPU.iter().any(|(name, _)| wanted(name)) {
        let world = InMemory::create(scale);
        for (_, measure) in ON_THE_CPU.iter().filter(|(name, _)| wanted(name)) {
            measure(&world, &mut report);
        }
        world.assert_right();
    }
    for (_, measure) in ALONE.iter().filter(|(name, _)| wanted(name)) {
        measure(&scale, &mut report);
    }
    report.finish();
}

/// A misspelt group would measure nothing, in no time.
fn assert_known(group: &str) {
    let blog = ON_THE_BLOG.iter().map(|(name, _)| *name);
    let cpu = ON_THE_CPU.iter().map(|(name, _)| *name);
    let known: Vec<&str> = blog
        .chain(cpu)
        .chain(ALONE.iter().map(|(name, _)| *name))
        .collect();
    assert!(
        known.contains(&group),
        "no group {group}; there are {}",
        known.join(", ")
    );
}
