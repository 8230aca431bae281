//! What TVIEWs cost those who write where commits wait for a disk: transactions per second, and the time of one large
//! statement, with and without.

use crate::by_hand;
use crate::compare::{in_turn, milliseconds};
use crate::harness::Ask;
use crate::load::Load;
use crate::pairs::Writers;
use crate::report::{Reach, Report};
use crate::world::{caught_up, World, BARE, OURS, TOLD, TRIGGERS};

const CLIENTS: usize = 2;

/// Every writer's scenario, the workers first away, then running.
pub fn measure(world: &World, report: &mut Report) {
    let (one_row, unread, rename) = (
        world.change_of_a_post(),
        world.change_no_view_reads(),
        world.rename(),
    );
    let mut ours = world.client(OURS);
    ours.run("SELECT pg_tviews_pause(entity_name) FROM pg_tview_meta");
    with_and_without(world, report, "single-row UPDATE, TVIEWs paused", &one_row, 0.90);
    with_and_without(world, report, "UPDATE of a column no view reads", &unread, 0.95);
    ours.run("SELECT pg_tviews_resume(entity_name) FROM pg_tview_meta");
    caught_up(&mut ours);

    let scenario = "single-row UPDATE, workers running";
    with_and_without(world, report, scenario, &one_row, 0.85);
    by_trigger(world, report, scenario, &one_row);

    let scenario = "rename of a user with 25 posts, workers running";
    with_and_without(world, report, scenario, &rename, 0.75);
    by_trigger(world, report, scenario, &rename);
    Load::new(&world.cluster, OURS, CLIENTS, &rename).run(world.scale.slice);
    let behind = caught_up(&mut ours).as_secs_f64();
    let measure = "seconds behind after the load";
    report.add(scenario, measure, behind, Reach::AtMost(1.0), "");

    bulk(world, report);
    materialized(world, report);
}

fn with_and_without(world: &World, report: &mut Report, scenario: &str, script: &str, least: f64) {
    let alternatives = [(OURS, CLIENTS), (BARE, CLIENTS)];
    let speed = writers(world, script).run(world.scale.tps_rounds, alternatives);
    let ([with, without], [cpu, bare_cpu]) = (&speed.tps, &speed.cpu);
    let measure = (scenario, "tps with / without");
    report.ratio_at(without.median(), measure, (with, without), Reach::AtLeast(least));
    // What the machine does besides matters less to this.
    let measure = (scenario, "CPU of the writing session with / without");
    report.ratio_at(without.median(), measure, (cpu, bare_cpu), Reach::Nothing);
}

/// To compare with: what row triggers leave of it.
fn by_trigger(world: &World, report: &mut Report, scenario: &str, script: &str) {
    let rounds = world.scale.tps_rounds.div_ceil(4);
    let alternatives = [(TRIGGERS, CLIENTS), (BARE, CLIENTS)];
    let [with, without] = writers(world, script).run(rounds, alternatives).tps;
    let measure = (scenario, "tps by row trigger / without");
    report.ratio_at(without.median(), measure, (&with, &without), Reach::Nothing);
}

fn writers<'a>(world: &'a World, script: &'a str) -> Writers<'a> {
    Writers {
        cluster: &world.cluster,
        script,
        options: "",
        slice: world.scale.slice,
        settle: false,
    }
}

/// One statement over many rows.
fn bulk(world: &World, report: &mut Report) {
    let (first, rows) = (world.scale.hub + 1, world.scale.bulk);
    let update = format!(
        "UPDATE tb_post SET title = title || '.' WHERE pk_post BETWEEN {first} AND {}",
        first + rows - 1
    );
    let (mut bare, mut ours) = (world.client(BARE), world.client(OURS));
    let mut other = world.client(OURS);
    let [with, without] = in_turn(
        world.scale.rounds,
        "ms",
        [
            &mut || {
                let time = milliseconds(|| ours.run(&update));
                caught_up(&mut other);
                time
            },
            &mut || milliseconds(|| bare.run(&update)),
        ],
    );
    let scenario = format!("one statement, {rows} rows");
    report.ratio(
        &scenario,
        "time with / without",
        &with,
        &without,
        Reach::AtMost(1.3),
    );
    let rows = world.scale.by_trigger;
    let update = |from: i32| {
        format!(
            "UPDATE tb_post SET title = title || '.' WHERE pk_post BETWEEN {from} AND {}",
            from + rows - 1
        )
    };
    let mut with_trigger = world.client(TRIGGERS);
    let [by_trigger, without] = in_turn(
        1,
        "ms",
        [
            &mut || milliseconds(|| with_trigger.run(&update(first))),
            &mut || milliseconds(|| bare.run(&update(first))),
        ],
    );
    let scenario = format!("one statement, {rows} rows");
    let measure = "time by row trigger / without";
    report.ratio(&scenario, measure, &by_trigger, &without, Reach::Nothing);
}

/// How late materialized views are at best, after one change.
fn materialized(world: &World, report: &mut Report) {
    let mut told = world.client(TOLD);
    by_hand::materialized_views(&mut told);
    told.run("UPDATE tb_post SET title = 'one change' WHERE pk_post = 1");
    let [refresh] = in_turn(
        1,
        "ms",
        [&mut || {
            milliseconds(|| {
                for name in ["post", "user"] {
                    told.run(&format!("REFRESH MATERIALIZED VIEW CONCURRENTLY mv_{name}"));
                }
            })
        }],
    );
    let mut ours = world.client(OURS);
    let [refreshed] = in_turn(
        world.scale.rounds,
        "ms",
        [&mut || {
            ours.run("UPDATE tb_post SET title = title || '!' WHERE pk_post = 1");
            milliseconds(|| {
                caught_up(&mut ours);
            })
        }],
    );
    report.ratio(
        "one change of a post of the user with most posts",
        "time until right / REFRESH MATERIALIZED VIEW CONCURRENTLY",
        &refreshed,
        &refresh,
        Reach::Nothing,
    );
}
