//! `pg_tviews_wait` for one key: until every change of its row that was committed before the call is applied.
//! Changes of other keys are not waited for.
//!
//! The wait ends when the position of the TVIEW has passed the call, or when the row is what the view returns
//! for the key in a later snapshot. The position costs nothing and is checked often. The row is computed less
//! often; that helps in a large backlog, or where the refresh of other keys is blocked.

use std::time::{Duration, Instant};

use pgrx::pg_sys::Oid;

use super::absorbed::{dropped, is_pending_now, target, wait_for};
use super::current_row::is_current;
use super::dead_keys::refuse_dead_key;
use super::kept_snapshot::{is_behind_in_snapshot, keeps_its_snapshot, not_in_snapshot};
use super::named_key::change_key;
use super::not_refreshing::not_refreshing;
use super::patience::Patience;
use super::rights::check_reader;
use super::wait::refuse_where_futile;
use crate::catalog::definition::{self, Definition};
use crate::catalog::feeds;
use crate::error::{OrRaise, Problem};
use crate::postgres::run_as::run_internal;
use crate::postgres::transaction::{self, with_latest_snapshot};
use crate::wake::undrained::undrained;

/// Most refreshes have ended by then: only now is a row worth computing.
const FIRST_LOOK: Duration = Duration::from_millis(20);
/// One part in so many of the time is spent on computing the row.
const SHARE: u32 = 5;

/// True once the row of a key shows all that was committed before the call; false on timeout.
pub fn wait_for_key(name: &str, key: &str, timeout: Option<Duration>) -> bool {
    refuse_where_futile().or_raise();
    let named = definition::find(name).or_raise();
    check_reader(&named).or_raise();
    let object = change_key(&named, key).or_raise();
    let mut patience = Patience::new(timeout);
    let mut stages = feeds::stages_of(Some(&named));
    // The TVIEWs it reads are waited for as a whole: which of their rows this row reads is only known once
    // they are there.
    stages
        .iter_mut()
        .for_each(|stage| stage.retain(|tview| *tview != named.tview));
    if keeps_its_snapshot() {
        check_in_snapshot(&named, &object, &stages).or_raise();
        return true;
    }
    let sources_waited = stages.iter().all(|stage| wait_for(stage, None, &mut patience));
    sources_waited && wait_for_row(&named, &object, &mut patience)
}

/// An error unless the row shows, in the transaction's snapshot, all that is committed there.
fn check_in_snapshot(named: &Definition, object: &str, stages: &[Vec<Oid>]) -> Result<(), Problem> {
    let behind =
        is_behind_in_snapshot(&[named.tview]) && !transaction::with_snapshot(|| is_current(named, object));
    if behind || is_behind_in_snapshot(&stages.concat()) {
        return Err(not_in_snapshot());
    }
    refuse_dead_key(named, object)
}

/// Waits for the position to pass, or for the row to be current; false when the time is over.
fn wait_for_row(named: &Definition, object: &str, patience: &mut Patience) -> bool {
    patience.renew();
    let target = target();
    let mut look_at = Instant::now() + FIRST_LOOK;
    loop {
        let Some(definition) = run_internal(|| definition::load(named.tview)) else {
            dropped(named).raise();
        };
        match is_pending_now(named.tview, &target) {
            Some(true) => {}
            Some(false) => {
                refuse_dead_key(&definition, object).or_raise();
                return true;
            }
            // It was dropped: loading its definition shows that.
            None if patience.go_on() => continue,
            None => return false,
        }
        let refreshes = definition.state.refreshes();
        if !refreshes || undrained().is_some() || look_at <= Instant::now() {
            let begin = Instant::now();
            if with_latest_snapshot(|| is_current(&definition, object)) {
                return true;
            }
            look_at = Instant::now() + (begin.elapsed() * SHARE).max(FIRST_LOOK);
        }
        if !refreshes {
            not_refreshing(&definition).raise();
        }
        if !patience.go_on() {
            return false;
        }
    }
}
