//! Unit tests.

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use super::*;

#[test]
fn neighbouring_sources_do_not_share_a_place() {
    let mut places: Vec<usize> = (16384..16484)
        .map(|oid| Sources::place_of(Oid::from(oid)))
        .collect();
    places.sort_unstable();
    places.dedup();
    assert_eq!(places.len(), 100);
}

#[test]
fn places_have_work_until_cleared() {
    let sources = Sources::default();
    assert_eq!(sources.with_work().count(), 0);
    for place in [0, 63, 64, PLACES - 1] {
        sources.mark(place);
    }
    assert_eq!(sources.with_work().collect::<Vec<_>>(), [0, 63, 64, PLACES - 1]);
    sources.clear(63, || false);
    sources.clear(64, || true);
    assert_eq!(sources.with_work().collect::<Vec<_>>(), [0, 63, PLACES - 1]);
    sources.mark_all();
    assert_eq!(sources.with_work().count(), PLACES);
}

#[test]
fn no_change_is_missed_by_workers_that_check_places_with_work_only() {
    const CHANGES: u64 = 20_000;
    let sources = Sources::default();
    let source = Oid::from(16384);
    let place = Sources::place_of(source);
    let last = || sources.at(place).last_tick.load(SeqCst);
    let absorbed = AtomicU64::new(0);
    let is_over = AtomicBool::new(false);
    let check = || {
        for place in sources.with_work() {
            absorbed.fetch_max(last(), SeqCst);
            sources.clear(place, || absorbed.load(SeqCst) >= last());
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !is_over.load(SeqCst) {
                    check();
                }
            });
        }
        // Each change comes while the place is being cleared after the one before, and must be found without
        // another.
        let missed = (1..=CHANGES).find(|tick| {
            sources.note_change(source, *tick);
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
