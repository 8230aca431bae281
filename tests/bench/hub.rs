//! A rename that concerns tens of thousands of documents, and a backlog of many keys: what the writer pays, and when
//! it is done, beside the statement someone would write for exactly these rows.

use std::time::{Duration, Instant};

use crate::by_hand;
use crate::compare::{in_turn, milliseconds, Measured};
use crate::harness::Ask;
use crate::report::{Reach, Report};
use crate::world::{caught_up, World, BARE, OURS, TOLD};

/// Both.
pub fn measure(world: &World, report: &mut Report) {
    rename(world, report);
    backlog(world, report);
}

fn rename(world: &World, report: &mut Report) {
    let rename = "UPDATE tb_user SET name = name || '.' WHERE pk_user = 1";
    let (mut ours, mut other) = (world.client(OURS), world.client(OURS));
    let (mut bare, mut told) = (world.client(BARE), world.client(TOLD));
    // The first of each, with cold plans and caches, counts for none.
    for client in [&mut ours, &mut bare, &mut told] {
        client.run(rename);
    }
    caught_up(&mut other);
    by_hand::refresh_user(&mut told, 1);
    let mut right = Vec::new();
    let [with, without, by_hand] = in_turn(
        world.scale.rounds,
        "ms",
        [
            &mut || {
                rest();
                let begin = Instant::now();
                let time = milliseconds(|| ours.run(rename));
                caught_up(&mut other);
                right.push(begin.elapsed().as_secs_f64() * 1000.0);
                time
            },
            &mut || {
                rest();
                milliseconds(|| bare.run(rename))
            },
            &mut || {
                told.run(rename);
                rest();
                milliseconds(|| by_hand::refresh_user(&mut told, 1))
            },
        ],
    );
    let scenario = format!("rename of the user with {} posts", world.scale.hub);
    report.ratio(
        &scenario,
        "writer's time with / without",
        &with,
        &without,
        Reach::AtMost(2.0),
    );
    let more = with.median() - without.median();
    report.add(
        &scenario,
        "writer's milliseconds more",
        more,
        Reach::AtMost(1.0),
        "",
    );
    let right = Measured::of("ms", right);
    report.ratio(
        &scenario,
        "time until right / set-based UPDATE by hand",
        &right,
        &by_hand,
        Reach::AtMost(1.5),
    );
}

/// So that a writer is measured neither in the pause that follows a refresh nor while the WAL of one, or of a statement by hand, is on its
/// way to the disk, for which any commit behind it waits.
fn rest() {
    std::thread::sleep(Duration::from_secs(2));
}

/// Changed keys spread over the whole table, gathered while the TVIEW is paused.
fn backlog(world: &World, report: &mut Report) {
    let keys = world.scale.backlog;
    let every = world.scale.comments / keys;
    let (mut ours, mut told) = (world.client(OURS), world.client(TOLD));
    told.run(&format!(
        "CREATE TABLE changed AS SELECT pk_comment FROM tb_comment WHERE pk_comment % {every} = 0; ANALYZE changed"
    ));
    let change = format!("UPDATE tb_comment SET body = body || '.' WHERE pk_comment % {every} = 0");
    let [drained, by_hand] = in_turn(
        world.scale.rounds.min(5),
        "ms",
        [
            &mut || {
                ours.run("SELECT pg_tviews_pause('comment')");
                ours.run(&change);
                milliseconds(|| {
                    ours.run("SELECT pg_tviews_resume('comment')");
                    caught_up(&mut ours);
                })
            },
            &mut || {
                told.run(&change);
                milliseconds(|| by_hand::upsert_comments(&mut told))
            },
        ],
    );
    report.ratio(
        &format!("{keys} changed keys, drained"),
        "time / set-based upsert by hand",
        &drained,
        &by_hand,
        Reach::AtMost(1.5),
    );
}
