//! Whether a transaction that stays open slows refreshes down: one that reads in an old snapshot, one that has written.

use postgres::Client;

use crate::compare::{milliseconds, Measured};
use crate::harness::Ask;
use crate::load::Load;
use crate::report::{Reach, Report};
use crate::world::{caught_up, World, OURS};

/// The writer first: it is short.
pub fn measure(world: &World, report: &mut Report) {
    let mut client = world.client(OURS);
    let mut writer = world.client(OURS);
    // Without, with, without, with: both meet what the others leave behind.
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..world.scale.rounds {
        without.push(drained_per_second(world, &mut client));
        writer.run("BEGIN; UPDATE tb_user SET name = name || '?' WHERE pk_user = 2");
        with.push(drained_per_second(world, &mut client));
        writer.run("ROLLBACK");
    }
    let [with, without] = [with, without].map(|rates| Measured::of("changes/s", rates));
    report.ratio(
        "one writer idle in transaction",
        "drain rate with / without",
        &with,
        &without,
        Reach::AtLeast(0.95),
    );
    old_snapshot(world, report, &mut client);
}

fn old_snapshot(world: &World, report: &mut Report, client: &mut Client) {
    let load = Load::new(&world.cluster, OURS, 2, &world.change_of_a_post()).at(500);
    let mut rates = || -> Vec<f64> {
        (0..world.scale.rounds)
            .map(|_| drained_per_second(world, client))
            .collect()
    };
    // The same load before, without the snapshot, for a part of the time.
    load.run(world.scale.old_snapshot / 10);
    let without = rates();
    let mut reader = world.client(OURS);
    reader.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM tb_user");
    load.run(world.scale.old_snapshot);
    let with = rates();
    let left: i64 = reader.one("SELECT pg_relation_size('pg_tview_queue') / 1024");
    reader.run("ROLLBACK");
    let [with, without] = [with, without].map(|rates| Measured::of("changes/s", rates));
    let seconds = world.scale.old_snapshot.as_secs();
    report.add(
        &format!("old snapshot held for {seconds} s at 500 tx/s"),
        "drain rate with / without",
        with.median() / without.median(),
        Reach::AtLeast(0.9),
        format!("{with} / {without}, pg_tview_queue {left} kB"),
    );
}

/// A burst of single-row transactions, gathered while the TVIEWs are paused, then applied.
fn drained_per_second(world: &World, client: &mut Client) -> f64 {
    caught_up(client);
    client.run("SELECT pg_tviews_pause(entity_name) FROM pg_tview_meta");
    let first = world.scale.hub + 1;
    client.run(&format!(
        "DO $$ BEGIN FOR i IN {first}..{} LOOP
             UPDATE tb_post SET title = 'burst ' || random() WHERE pk_post = i; COMMIT;
         END LOOP; END $$",
        first + world.scale.burst - 1
    ));
    let time = milliseconds(|| {
        client.run("SELECT pg_tviews_resume(entity_name) FROM pg_tview_meta");
        caught_up(client);
    });
    f64::from(world.scale.burst) / time * 1000.0
}
