//! Whether writers get into each other's way: 32 of them beside 2, and what they wait for.

use crate::in_memory::{InMemory, CLIENTS, PAUSED};
use crate::pairs::settle;
use crate::report::{Reach, Report};
use crate::waits::Waits;
use crate::world::{caught_up, patient, BARE, OURS};

/// Writers where there are many.
const MANY: usize = 32;

/// Single rows, the TVIEW paused and refreshed.
pub fn measure(world: &InMemory, report: &mut Report) {
    for synchronous_commit in world.synchronous_commit() {
        world.pause_anew();
        ratios(world, report, synchronous_commit);
        waits(world, report, synchronous_commit);
    }
}

fn scenario(world: &InMemory, synchronous_commit: &str, database: &str) -> String {
    let state = match database {
        PAUSED => "TVIEW paused",
        _ => "workers running",
    };
    let rest = format!("{}, {state}, {MANY} clients", world.change_of_a_post().name);
    world.scenario(synchronous_commit, &rest)
}

fn ratios(world: &InMemory, report: &mut Report, synchronous_commit: &'static str) {
    let script = world.change_of_a_post();
    let writers = world.writers(&script, synchronous_commit);
    let alternatives = [
        (PAUSED, CLIENTS),
        (OURS, CLIENTS),
        (BARE, CLIENTS),
        (PAUSED, MANY),
        (OURS, MANY),
        (BARE, MANY),
    ];
    let speed = writers.run(world.scale.further_rounds, alternatives);
    let [paused, refreshed, without, many_paused, many_refreshed, many_without] = &speed.tps;
    for (database, few, many) in [(PAUSED, paused, many_paused), (OURS, refreshed, many_refreshed)] {
        let scenario = scenario(world, synchronous_commit, database);
        let bare_rate = many_without.median();
        let measure = (scenario.as_str(), "tps with / without");
        report.ratio_at(bare_rate, measure, (many, many_without), Reach::Nothing);
        let (many, few) = (many.per(many_without), few.per(without));
        let measure = format!("the same / with {CLIENTS} clients");
        let measure = (scenario.as_str(), measure.as_str());
        report.ratio_at(bare_rate, measure, (&many, &few), Reach::AtLeast(0.97));
    }
}

/// A run apart from those that are timed, because looking takes CPU.
fn waits(world: &InMemory, report: &mut Report, synchronous_commit: &'static str) {
    let script = world.change_of_a_post();
    let writers = world.writers(&script, synchronous_commit);
    let [paused, refreshed, without] = [PAUSED, OURS, BARE].map(|database| {
        let load = writers.load(database, MANY);
        let waits = Waits::during(&world.cluster, database, || {
            load.run(world.scale.slice * 3);
        });
        if database == OURS {
            let mut ours = patient(&world.cluster, OURS);
            caught_up(&mut ours);
            settle(&mut ours);
        }
        waits
    });
    for (database, with) in [(PAUSED, paused), (OURS, refreshed)] {
        let scenario = scenario(world, synchronous_commit, database);
        with.report(report, &scenario, &without);
    }
}
