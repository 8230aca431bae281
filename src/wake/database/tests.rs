//! Unit tests.

use std::time::{Duration, Instant};

use super::*;

#[test]
fn a_database_says_missing_only_until_its_generation_moves() {
    let database = Database::default();
    assert_eq!(database.missing(), None);
    database.note_missing(0);
    assert_eq!(database.missing(), Some(0));
    database.generation.fetch_add(1, SeqCst);
    assert_eq!(database.missing(), None);
}

#[test]
fn a_place_given_back_tells_its_next_owner_nothing() {
    let database = Database::default();
    database.oid.store(5, SeqCst);
    database.present.store(true, SeqCst);
    database.note_missing(0);
    database.release(0);
    assert_eq!((database.oid(), database.missing()), (None, None));
    assert!(!database.present.load(SeqCst));
}

#[test]
fn two_blockers_unblock_independently() {
    let database = Database::default();
    assert!(database.block(7) && database.block(8));
    database.unblock(7);
    assert!(database.is_blocked());
    database.unblock(8);
    assert!(!database.is_blocked());
}

#[test]
fn neighbouring_sources_do_not_share_a_place() {
    let mut places: Vec<usize> = (16384..16484)
        .map(|oid| Database::source_index(Oid::from(oid)))
        .collect();
    places.sort_unstable();
    places.dedup();
    assert_eq!(places.len(), 100);
}

#[test]
fn places_are_restless_until_settled() {
    let database = Database::default();
    assert_eq!(database.restless().count(), 0);
    for place in [0, 63, 64, SOURCES - 1] {
        database.disturb(place);
    }
    assert_eq!(database.restless().collect::<Vec<_>>(), [0, 63, 64, SOURCES - 1]);
    database.settle(63, || false);
    database.settle(64, || true);
    assert_eq!(database.restless().collect::<Vec<_>>(), [0, 63, SOURCES - 1]);
    database.touch_all();
    assert_eq!(database.restless().count(), SOURCES);
}

#[test]
fn no_change_is_missed_by_workers_that_look_at_restless_places_only() {
    const CHANGES: u64 = 20_000;
    let database = Database::default();
    let source = Oid::from(16384);
    let place = Database::source_index(source);
    let last = || database.source_at(place).last_tick.load(SeqCst);
    let absorbed = AtomicU64::new(0);
    let is_over = AtomicBool::new(false);
    let look = || {
        for place in database.restless() {
            absorbed.fetch_max(last(), SeqCst);
            database.settle(place, || absorbed.load(SeqCst) >= last());
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !is_over.load(SeqCst) {
                    look();
                }
            });
        }
        // Each comes while the place is being settled after the one before, and has to be found by itself.
        let missed = (0..CHANGES).find(|_| {
            database.note_changes(&[source]);
            let begin = Instant::now();
            while absorbed.load(SeqCst) < last() && begin.elapsed() < Duration::from_secs(5) {
                std::thread::yield_now();
            }
            absorbed.load(SeqCst) < last()
        });
        is_over.store(true, SeqCst);
        assert_eq!(missed, None);
    });
}
