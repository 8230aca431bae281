//! Whether a transaction that stays open slows refreshes down: one that reads in an old snapshot, one that has written.

use std::cell::RefCell;
use std::ops::RangeInclusive;

use postgres::Client;

use crate::by_hand;
use crate::compare::{in_turn, milliseconds, Measured};
use crate::harness::Ask;
use crate::load::Load;
use crate::report::{Reach, Report};
use crate::world::{caught_up, World, OURS};

/// The writer first: it is short.
pub fn measure(world: &World, report: &mut Report) {
    let mut client = world.client(OURS);
    idle_writer(world, report, &mut client);
    old_snapshot(world, report, &mut client);
}

fn idle_writer(world: &World, report: &mut Report, client: &mut Client) {
    let client = RefCell::new(client);
    let mut writer = world.client(OURS);
    let [with, without] = in_turn(
        world.scale.tps_rounds,
        "changes/s",
        [
            &mut || {
                writer.run("BEGIN; UPDATE tb_user SET name = name || '?' WHERE pk_user = 2");
                let rate = drained_per_second(world, &mut client.borrow_mut());
                writer.run("ROLLBACK");
                rate
            },
            &mut || drained_per_second(world, &mut client.borrow_mut()),
        ],
    );
    report.ratio(
        "one writer idle in transaction",
        "drain rate with / without",
        &with,
        &without,
        Reach::AtLeast(0.95),
    );
}

/// A load meanwhile leaves a version of each changed row behind in source and tv table, which nobody may remove, and which every look at
/// that row passes, also that of a statement by hand. Beside it a TVIEW whose rows the load does not change: what that loses is lost in
/// the queue and in the audit, which it shares.
fn old_snapshot(world: &World, report: &mut Report, client: &mut Client) {
    let load = Load::new(&world.cluster, OURS, 2, &world.change_of_a_post()).at(500);
    let mut notes = Notes::create(world, client);
    let mut rates = |client: &mut Client| {
        let rounds = world.scale.rounds;
        // Not in turn with the others: those go through half a gigabyte of old versions, and leave no page of these in memory.
        let apart = (0..rounds).map(|_| notes.drained_per_second(client)).collect();
        let client = RefCell::new(client);
        let [changed, by_hand] = in_turn(
            rounds,
            "changes/s",
            [
                &mut || drained_per_second(world, &mut client.borrow_mut()),
                &mut || by_hand_per_second(world, &mut client.borrow_mut()),
            ],
        );
        [Measured::of("changes/s", apart), changed, by_hand]
    };
    // The same load before, without the snapshot, for a part of the time.
    load.run(world.scale.old_snapshot / 10);
    let without = rates(client);
    let mut reader = world.client(OURS);
    reader.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM tb_user");
    load.run(world.scale.old_snapshot);
    let behind = caught_up(client).as_secs_f64();
    let left: i64 = reader.one("SELECT pg_relation_size('pg_tview_queue') / 1024");
    let with = rates(client);
    reader.run("ROLLBACK");
    notes.drop(client);

    let scenario = format!(
        "old snapshot held for {} s at 500 tx/s",
        world.scale.old_snapshot.as_secs()
    );
    report.add(
        &scenario,
        "seconds behind after it",
        behind,
        Reach::AtMost(1.0),
        format!("pg_tview_queue {left} kB"),
    );
    let [apart, changed, by_hand] = &with;
    let measures = [
        "drain rate of other rows, with / without",
        "drain rate of the changed rows, with / without",
        "the same by hand, with / without",
    ];
    let reaches = [Reach::AtLeast(0.9), Reach::Nothing, Reach::Nothing];
    for (index, with) in [apart, changed, by_hand].into_iter().enumerate() {
        let without = &without[index];
        // Minutes lie between them: no round of one belongs to a round of the other.
        let ratio = with.median() / without.median();
        let seen = format!("{with} / {without}");
        report.add(&scenario, measures[index], ratio, reaches[index], seen);
    }
    let measure = "drain rate of the changed rows / set-based UPDATE by hand";
    report.ratio(&scenario, measure, changed, by_hand, Reach::AtLeast(0.9));
}

/// A burst of single-row transactions, gathered while the TVIEWs are paused, then applied.
fn drained_per_second(world: &World, client: &mut Client) -> f64 {
    let (first, last) = burst_of_posts(world);
    drained(
        client,
        "UPDATE tb_post SET title = 'burst ' || random() WHERE pk_post = i",
        first..=last,
    )
}

fn burst_of_posts(world: &World) -> (i32, i32) {
    let first = world.scale.hub + 1;
    (first, first + world.scale.burst - 1)
}

/// The statements somebody would write for exactly these rows; what they write is there already.
fn by_hand_per_second(world: &World, client: &mut Client) -> f64 {
    let (first, last) = burst_of_posts(world);
    client.run("SET pg_tviews.allow_table_writes = on");
    let time = milliseconds(|| by_hand::refresh_posts(client, first, last));
    client.run("RESET pg_tviews.allow_table_writes");
    f64::from(world.scale.burst) / time * 1000.0
}

/// `update` in a transaction for each `i`, while the TVIEWs are paused; how many per second are applied then.
fn drained(client: &mut Client, update: &str, i: RangeInclusive<i32>) -> f64 {
    caught_up(client);
    client.run("SELECT pg_tviews_pause(entity_name) FROM pg_tview_meta");
    let (first, last) = (i.start(), i.end());
    client.run(&format!(
        "DO $$ BEGIN FOR i IN {first}..{last} LOOP {update}; COMMIT; END LOOP; END $$"
    ));
    let time = milliseconds(|| {
        client.run("SELECT pg_tviews_resume(entity_name) FROM pg_tview_meta");
        caught_up(client);
    });
    f64::from(last - first + 1) / time * 1000.0
}

/// A TVIEW of its own; every burst changes other rows.
struct Notes {
    burst: i32,
    next: i32,
}

impl Notes {
    fn create(world: &World, client: &mut Client) -> Self {
        let burst = world.scale.burst;
        let rows = 2 * burst * i32::try_from(world.scale.rounds).expect("a few");
        client.run(&format!(
            "CREATE TABLE tb_note (pk_note int PRIMARY KEY, text text NOT NULL);
             INSERT INTO tb_note SELECT i, 'note ' || i FROM generate_series(1, {rows}) i;
             SELECT pg_tviews_create('note', 'SELECT pk_note, jsonb_build_object(''text'', text) AS data FROM tb_note')"
        ));
        caught_up(client);
        client.run("VACUUM ANALYZE tb_note");
        client.run("VACUUM ANALYZE tv_note");
        Self { burst, next: 1 }
    }

    fn drained_per_second(&mut self, client: &mut Client) -> f64 {
        let first = self.next;
        self.next += self.burst;
        drained(
            client,
            "UPDATE tb_note SET text = 'burst ' || random() WHERE pk_note = i",
            first..=self.next - 1,
        )
    }

    fn drop(self, client: &mut Client) {
        caught_up(client);
        client.assert_views_equal(&["note"]);
        client.run("SELECT pg_tviews_drop('note'); DROP TABLE tb_note CASCADE");
    }
}
