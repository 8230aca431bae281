//! How long writers wait that commit half as often as they could without TVIEWs.

use std::time::Duration;

use crate::compare::{in_turn, percentile};
use crate::in_memory::{InMemory, Script, CLIENTS, PAUSED};
use crate::pairs::{follower, settle, Writers};
use crate::report::{Reach, Report};
use crate::world::{caught_up, BARE, OURS};

/// The scenarios of the group `cpu`. Transactions begin at times of their own, so a slow one makes those behind it late, too.
pub fn measure(world: &InMemory, report: &mut Report) {
    for synchronous_commit in world.synchronous_commit() {
        world.pause_anew();
        let script = world.change_of_a_post();
        half_rate(world, report, synchronous_commit, &script, [PAUSED, OURS, BARE]);
        for script in [world.change_no_view_reads(), world.rename()] {
            half_rate(world, report, synchronous_commit, &script, [OURS, BARE]);
        }
    }
}

/// The last database is the one without TVIEWs.
fn half_rate<const N: usize>(
    world: &InMemory,
    report: &mut Report,
    synchronous_commit: &'static str,
    script: &Script,
    databases: [&'static str; N],
) {
    let writers = world.writers(script, synchronous_commit);
    let bare_rate = bare_rate(&writers);
    let rate = (bare_rate / 2.0) as u32;
    let mut runs = databases.map(|database| {
        let load = writers.load(database, CLIENTS).at(rate);
        let mut follower = follower(&world.cluster, database);
        move || {
            let mut latencies = load.latencies(world.scale.slice);
            if let Some(client) = &mut follower {
                caught_up(client);
                settle(client);
            }
            percentile(&mut latencies, 0.99)
        }
    });
    let runs = runs.each_mut().map(|run| run as &mut dyn FnMut() -> f64);
    let p99 = in_turn(world.scale.further_rounds, "ms", runs);
    let (without, with) = p99.split_last().expect("several databases");
    for (p99, database) in with.iter().zip(databases) {
        let state = match database {
            PAUSED => "TVIEW paused",
            _ => "workers running",
        };
        let rest = format!("{}, {state}, {rate} tx/s", script.name);
        let scenario = world.scenario(synchronous_commit, &rest);
        let measure = (scenario.as_str(), "writer's p99 with / without");
        report.ratio_at(bare_rate, measure, (p99, without), Reach::AtMost(1.1));
    }
}

/// What the same clients reach at full speed.
fn bare_rate(writers: &Writers) -> f64 {
    let slices = Writers {
        slice: Duration::from_secs(1),
        ..*writers
    };
    let [rate] = slices.run(3, [(BARE, CLIENTS)]).tps;
    rate.median()
}
