//! All rows of a TVIEW that was redefined, in one transaction. Readers see the rows of one definition: the old
//! ones until the new ones are complete.
//!
//! ```text
//! compared in one transaction -> done
//!    | takes too long: rolled back   -> in batches that fill a stage
//!    | a session waits for its locks -> rolled back, and tried again
//!    | other sessions hold some rows -> all others in one transaction; these, with changes meanwhile, in batches
//!    | a row fails, or comes twice    -> suspended; the old rows stay
//! ```

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

use pgrx::pg_sys::{self, Oid};

use super::{method, stage};
use crate::postgres::hooks::row_watch;
use crate::postgres::process::time_limit;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::transaction::{attempt_catching_all, Driver};
use crate::refresh::affected_keys::Affected;
use crate::refresh::audit::Entry;
use crate::refresh::current::Now;
use crate::refresh::existing_keys;
use crate::refresh::failing::classes;
use crate::refresh::one_refresh::Refresh;
use crate::refresh::plan::Plan;
use crate::refresh::progress::watching_rows;
use crate::wake::operations::Phase;
use crate::{settings, statement};

/// No server computes, compares and writes so many rows in a second: with more of them it is not tried.
const ROWS_PER_SECOND: f64 = 100_000.0;
/// Keys that are recomputed by one statement.
pub const KEYS_AT_ONCE: usize = 100_000;

/// How often a worker gives way to the sessions that wait for its locks. Then it compares in batches, which
/// keep no session waiting.
const MAXIMUM_GIVEN_WAY: u32 = 3;

thread_local! {
    /// TVIEWs whose redefinition has given way: the fingerprint of the definition, and how often.
    static GIVEN_WAY: RefCell<HashMap<Oid, (String, u32)>> = RefCell::default();
}

/// What became of work that writes all rows in one transaction.
pub enum Tried<R> {
    Done(R),
    /// It takes too long, or has given way too often.
    Undone,
    /// A session waits for a lock of this transaction.
    GaveWay,
}

/// What became of the rows.
pub enum AtOnce {
    /// All are those of the new definition. The number of rows.
    Complete(u64),
    /// All are, except those that other sessions hold.
    Rest,
    /// None is. They are to be compared in batches.
    Undone,
    /// None is, because a session waits for a lock of this transaction: DDL, or a call for this TVIEW.
    GaveWay,
}

impl Refresh<'_> {
    /// Whether this population is to give all rows another definition in one transaction.
    pub fn redefines(&self, now: &Now, populates: bool) -> bool {
        let redefines = populates
            && now.position.is_some()
            && self.may_be_at_once
            && !settings::redefine_limit().is_zero()
            && (self.stage_lost.get() || self.was_redefined());
        self.redefines.set(redefines);
        redefines
    }

    fn was_redefined(&self) -> bool {
        let args = [(pg_sys::OIDOID, Value::of(self.tview))];
        run_internal(|| spi::run(&statement!("audit_is_redefined"), Access::Snapshot, &args).one::<bool>())
            == Some(true)
    }

    /// Gives all rows the new definition in this transaction, if that does not take too long.
    pub fn redefine_at_once(&self, plan: &Plan, has_dead_keys: bool, entry: &mut Entry) -> AtOnce {
        let Some(method) = self.as_owner(plan, || method::in_batches(plan)) else {
            // It cannot be done in batches, however long it takes.
            return self.all_rows(plan, has_dead_keys, entry);
        };
        let limit = self.limit_at_once();
        if method.rows as f64 > ROWS_PER_SECOND * limit.as_secs_f64() {
            return AtOnce::Undone;
        }
        let work = |entry: &mut Entry| self.all_rows(plan, has_dead_keys, entry);
        match self.try_at_once(plan, limit, MAXIMUM_GIVEN_WAY, entry, work) {
            Tried::Done(done) => done,
            Tried::GaveWay => AtOnce::GaveWay,
            Tried::Undone => AtOnce::Undone,
        }
    }

    /// Runs work that writes all rows in this transaction, unless that takes too long, or has given way too often.
    pub fn try_at_once<R>(
        &self,
        plan: &Plan,
        limit: Duration,
        maximum_given_way: u32,
        entry: &mut Entry,
        work: impl FnOnce(&mut Entry) -> R,
    ) -> Tried<R> {
        let given_way = times_given_way(plan);
        if given_way >= maximum_given_way {
            GIVEN_WAY.with_borrow_mut(|given| given.remove(&self.tview));
            return Tried::Undone;
        }
        let work = || {
            let mut entry = entry.clone();
            let done = work(&mut entry);
            (done, entry)
        };
        let result = time_limit::at_most(limit, || row_watch::watching(is_in_the_way, work));
        let has_cancelled = row_watch::has_cancelled();
        match result {
            Some(Ok((done, written))) => {
                GIVEN_WAY.with_borrow_mut(|given| given.remove(&self.tview));
                *entry = written;
                Tried::Done(done)
            }
            Some(Err(error)) if has_cancelled && error.is_cancel() => {
                let times = (plan.hash.clone(), given_way + 1);
                GIVEN_WAY.with_borrow_mut(|given| given.insert(self.tview, times));
                Tried::GaveWay
            }
            Some(Err(error)) => error.raise(),
            None => {
                self.held.set(false);
                Tried::Undone
            }
        }
    }

    /// What takes longer than a limit of another kind would fail, again and again.
    fn limit_at_once(&self) -> Duration {
        let limit = settings::redefine_limit();
        let limit = time_limit::left().map_or(limit, |left| limit.min(left / 2));
        match (self.driver, settings::refresh_timeout()) {
            (Driver::Procedure, _) | (_, Duration::ZERO) => limit,
            (Driver::Worker, timeout) => limit.min(timeout),
        }
    }

    fn all_rows(&self, plan: &Plan, has_dead_keys: bool, entry: &mut Entry) -> AtOnce {
        // Where a row fails, all rows are to stay as they are: none is skipped.
        if !self.skip.held || self.skip.failing {
            let mut result = self.compare_everything(plan, Phase::Comparing);
            stage::keep_old_rows(&mut result.problem);
            return AtOnce::Complete(self.note_everything(result, has_dead_keys, entry));
        }
        let keys = match self.as_owner(plan, || existing_keys::of_view_and_table(plan)) {
            Affected::Keys(keys) => keys,
            Affected::Everything => return AtOnce::Undone,
        };
        for batch in keys.batches(KEYS_AT_ONCE) {
            watching_rows(|| self.apply_batch(plan, batch, None, entry));
        }
        if let Some(left_out) = entry
            .left_out()
            .filter(|left_out| classes::keeps_old_rows(&left_out.problem))
        {
            left_out.problem.raise();
        }
        AtOnce::Rest
    }
}

/// How often this process has given way with the present definition.
fn times_given_way(plan: &Plan) -> u32 {
    GIVEN_WAY.with_borrow(|given| match given.get(&plan.definition.tview) {
        Some((hash, times)) if *hash == plan.hash => *times,
        _ => 0,
    })
}

/// Whether a session waits for a lock of this transaction: writers may queue behind it. Asked in the middle of a
/// statement, and never raises.
fn is_in_the_way() -> bool {
    let ask = || {
        run_internal(|| {
            spi::session(|| spi::run(&statement!("lock_is_in_the_way"), Access::Snapshot, &[]).one::<bool>())
        })
    };
    match attempt_catching_all(ask) {
        Ok(answer) => answer == Some(true),
        // A cancel is pending again, see `insistent_cancel`: it ends the statement as what it is.
        Err(_) => false,
    }
}
