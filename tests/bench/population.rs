//! The first population of a TVIEW, beside CREATE TABLE AS and the index it needs.

use crate::compare::{in_turn, milliseconds};
use crate::harness::Ask;
use crate::report::{Reach, Report};
use crate::world::{caught_up, World, OURS, TOLD};

/// A second TVIEW over the posts.
pub fn measure(world: &World, report: &mut Report) {
    let (mut ours, mut told) = (world.client(OURS), world.client(TOLD));
    let (mut ours_again, mut told_again) = (world.client(OURS), world.client(TOLD));
    ours.run("CREATE VIEW v_filled AS SELECT pk_post AS pk_filled, fk_user, data FROM v_post");
    let [filled, by_hand] = in_turn(
        world.scale.rounds.min(3),
        "ms",
        [
            &mut || {
                let time = milliseconds(|| {
                    ours.run("SELECT pg_tviews_create('filled')");
                    caught_up(&mut ours);
                });
                ours_again.run("SELECT pg_tviews_drop('filled')");
                time
            },
            &mut || {
                let time = milliseconds(|| {
                    told.run("CREATE TABLE filled AS SELECT * FROM v_post; ALTER TABLE filled ADD PRIMARY KEY (pk_post)");
                });
                told_again.run("DROP TABLE filled");
                time
            },
        ],
    );
    report.ratio(
        &format!("first population of {} rows", world.scale.posts),
        "time / CREATE TABLE AS + index",
        &filled,
        &by_hand,
        Reach::AtMost(2.0),
    );
}
