//! What TVIEWs cost writers that are bound by CPU: two at full speed.

use crate::compare::Measured;
use crate::in_memory::{InMemory, Script, CLIENTS, PAUSED};
use crate::report::{Reach, Report};
use crate::world::{BARE, OURS};

/// Single rows with the TVIEW paused and refreshed; a column that no view reads; renames.
pub fn measure(world: &InMemory, report: &mut Report) {
    for synchronous_commit in world.synchronous_commit() {
        single_rows(world, report, synchronous_commit);
        let reach = Reach::AtLeast(0.97);
        refreshed(
            world,
            report,
            synchronous_commit,
            &world.change_no_view_reads(),
            reach,
        );
        let rename = world.rename();
        let reach = Reach::AtLeast(0.55);
        let behind = refreshed(world, report, synchronous_commit, &rename, reach);
        let scenario = scenario(world, synchronous_commit, &rename);
        let seconds = behind.median();
        let seen = format!("after {} s of load", world.scale.slice.as_secs());
        report.add(
            &scenario,
            "seconds behind after the load",
            seconds,
            Reach::AtMost(1.0),
            seen,
        );
    }
}

fn single_rows(world: &InMemory, report: &mut Report, synchronous_commit: &'static str) {
    world.pause_anew();
    let script = world.change_of_a_post();
    let alternatives = [(PAUSED, CLIENTS), (OURS, CLIENTS), (BARE, CLIENTS)];
    let writers = world.writers(&script, synchronous_commit);
    let speed = writers.run(world.scale.cpu_rounds, alternatives);
    let [paused, refreshed, without] = &speed.tps;
    let [paused_cpu, refreshed_cpu, bare_cpu] = &speed.cpu;
    let least = match synchronous_commit {
        "on" => (0.90, 0.80),
        _ => (0.90, 0.75),
    };
    for (state, tps, cpu, least) in [
        ("TVIEW paused", paused, paused_cpu, least.0),
        ("workers running", refreshed, refreshed_cpu, least.1),
    ] {
        let rest = format!("{}, {state}", script.name);
        let scenario = world.scenario(synchronous_commit, &rest);
        let of = [tps, cpu];
        ratios(report, &scenario, of, [without, bare_cpu], Reach::AtLeast(least));
    }
}

/// With the TVIEW being refreshed; how long it took to catch up.
fn refreshed(
    world: &InMemory,
    report: &mut Report,
    synchronous_commit: &'static str,
    script: &Script,
    reach: Reach,
) -> Measured {
    let writers = world.writers(script, synchronous_commit);
    let alternatives = [(OURS, CLIENTS), (BARE, CLIENTS)];
    let speed = writers.run(world.scale.cpu_rounds, alternatives);
    let ([with, without], [cpu, bare_cpu]) = (&speed.tps, &speed.cpu);
    let scenario = scenario(world, synchronous_commit, script);
    ratios(report, &scenario, [with, cpu], [without, bare_cpu], reach);
    let [behind, _] = speed.behind;
    behind
}

fn scenario(world: &InMemory, synchronous_commit: &str, script: &Script) -> String {
    world.scenario(synchronous_commit, &format!("{}, workers running", script.name))
}

/// Of transactions per second and of CPU.
fn ratios(report: &mut Report, scenario: &str, of: [&Measured; 2], to: [&Measured; 2], reach: Reach) {
    let bare_rate = to[0].median();
    let measure = (scenario, "tps with / without");
    report.ratio_at(bare_rate, measure, (of[0], to[0]), reach);
    // What the machine does besides matters less to this.
    let measure = (scenario, "CPU of the writing session with / without");
    report.ratio_at(bare_rate, measure, (of[1], to[1]), Reach::Nothing);
}
