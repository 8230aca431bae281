//! What a refresh adds to the counters of its TVIEW: after each of its transactions, once the commit is visible.

use std::cell::{Cell, RefCell};
use std::time::Instant;

use pgrx::pg_sys::Oid;

use super::failing::classes;
use crate::error::Caught;
use crate::postgres::process::{self, clock};
use crate::wake::counters::{Failure, Stage, Tally};
use crate::wake::tview::Tview;

thread_local! {
    /// What the current transaction has done so far.
    static TALLY: Cell<Tally> = const { Cell::new(Tally::NOTHING) };
    /// When the last phase ended.
    static LAP: Cell<Option<Instant>> = const { Cell::new(None) };
    /// When the oldest change was made that the current transaction makes visible.
    static OLDEST: Cell<Option<i64>> = const { Cell::new(None) };
    /// What the current transaction has done for each TVIEW, if it refreshes several. The last of them stands above.
    static MEMBERS: RefCell<Vec<(Oid, Tally, Option<i64>)>> = const { RefCell::new(Vec::new()) };
}

fn change(change: impl FnOnce(&mut Tally)) {
    let mut tally = TALLY.get();
    change(&mut tally);
    TALLY.set(tally);
}

/// A phase ends now.
pub fn ended(phase: Stage) {
    let now = Instant::now();
    if let Some(begin) = LAP.replace(Some(now)) {
        let nanos = u64::try_from((now - begin).as_nanos()).unwrap_or(0);
        change(|tally| tally.nanos[phase as usize] += nanos);
    }
}

/// The current transaction has inserted, updated, deleted and found equal so many rows.
pub fn wrote(rows: [i64; 4]) {
    change(|tally| {
        for (sum, rows) in tally.rows.iter_mut().zip(rows) {
            *sum += u64::try_from(rows).unwrap_or(0);
        }
    });
}

/// The current transaction completes a refresh, and makes changes visible of which the oldest was made then, in
/// microseconds since 2000.
pub fn completed(changes_read: Option<i64>, keys_refreshed: Option<i64>, oldest: Option<i64>) {
    let number = |number: Option<i64>| number.and_then(|number| u64::try_from(number).ok()).unwrap_or(0);
    change(|tally| {
        tally.refreshes += 1;
        tally.changes_read += number(changes_read);
        tally.keys_refreshed += number(keys_refreshed);
    });
    OLDEST.set(oldest);
}

/// A refresh of the TVIEW applies changes that are as old as that, in microseconds since 2000.
pub fn applies_since(tview: Oid, since: Option<i64>) {
    if let (Some(place), Some(since)) = (Tview::find(process::database(), tview), since) {
        place.note_applying(since);
    }
}

/// Counts what a transaction of a refresh has done if it commits, and the time in any case.
pub fn counting<R>(tview: Oid, transaction: impl FnOnce() -> Result<R, Caught>) -> Result<R, Caught> {
    TALLY.set(Tally::NOTHING);
    OLDEST.set(None);
    LAP.set(Some(Instant::now()));
    let result = transaction();
    // Whoever takes a snapshot from now on sees what was committed.
    let visible_at = clock::now();
    ended(Stage::Commit);
    LAP.set(None);
    let mut tally = TALLY.get();
    match &result {
        Ok(_) => tally.latency = OLDEST.get().map(|oldest| visible_at - oldest),
        Err(_) => tally = tally.rolled_back(),
    }
    if let Some(place) = Tview::find(process::database(), tview) {
        place.counters.add(&tally);
    }
    result
}

/// The same for a transaction that refreshes several TVIEWs; each takes its share of the time of the commit.
pub fn counting_together<R>(transaction: impl FnOnce() -> Result<R, Caught>) -> Result<R, Caught> {
    MEMBERS.take();
    TALLY.set(Tally::NOTHING);
    OLDEST.set(None);
    LAP.set(Some(Instant::now()));
    let result = transaction();
    let visible_at = clock::now();
    let commit = LAP.take().map_or(0, |begin| begin.elapsed().as_nanos());
    put_aside();
    let members = MEMBERS.take();
    let share = u64::try_from(commit / members.len().max(1) as u128).unwrap_or(0);
    for (tview, mut tally, oldest) in members {
        tally.nanos[Stage::Commit as usize] += share;
        match &result {
            Ok(_) => tally.latency = oldest.map(|oldest| visible_at - oldest),
            Err(_) => tally = tally.rolled_back(),
        }
        if let Some(place) = Tview::find(process::database(), tview) {
            place.counters.add(&tally);
        }
    }
    result
}

/// What is counted from now on is done for this TVIEW.
pub fn of_member(tview: Oid) {
    put_aside();
    MEMBERS.with_borrow_mut(|members| {
        let known = members.iter().position(|(member, ..)| *member == tview);
        let (_, tally, oldest) = match known {
            Some(index) => members.remove(index),
            None => (tview, Tally::NOTHING, None),
        };
        TALLY.set(tally);
        OLDEST.set(oldest);
        members.push((tview, tally, oldest));
    });
}

fn put_aside() {
    MEMBERS.with_borrow_mut(|members| {
        if let Some((_, tally, oldest)) = members.last_mut() {
            (*tally, *oldest) = (TALLY.get(), OLDEST.get());
        }
    });
}

/// An attempt at a refresh failed.
pub fn failed(tview: Oid, class: Failure) {
    if let Some(place) = Tview::find(process::database(), tview) {
        place.counters.add_failure(class);
    }
}

/// What an attempt failed by, as its SQLSTATE says.
pub fn class(error: &Caught) -> Failure {
    if classes::is_in_the_way(error) {
        Failure::Lock
    } else if error.is_cancel() {
        Failure::Time
    } else if classes::is_of_the_server(error) {
        Failure::Server
    } else if classes::is_of_the_view(error) {
        Failure::View
    } else {
        Failure::Data
    }
}
