//! Unit tests.

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
    database.settle(64);
    assert_eq!(database.restless().collect::<Vec<_>>(), [0, 63, SOURCES - 1]);
    database.touch_all();
    assert_eq!(database.restless().count(), SOURCES);
}
