//! Recomputes keys of which some fail, or wait for another session. Batches are halved, each half in a
//! subtransaction, until these keys are alone.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use pgrx::PgSqlErrorCode;

use super::classes;
use super::dead_letter::{self, Failed};
use super::sandbox::Sandbox;
use super::search_path_hint::with_search_path_hint;
use super::skip::Skip;
use crate::error::{Caught, Problem};
use crate::postgres::transaction::{attempt_catching_all, lock_timeout};
use crate::refresh::batch::Batch;
use crate::refresh::existing_keys;
use crate::refresh::keys;
use crate::refresh::plan::key::Key;
use crate::refresh::plan::Plan;
use crate::refresh::recompute;

/// After so many keys have failed and none has succeeded, other keys are tried: the view itself may fail.
const SUSPICIOUS: usize = 50;
/// How many other keys of the table are tried.
const OTHERS: usize = 3;
/// How many of the keys are tried that are still to be recomputed.
const SPREAD: usize = 20;

/// Maximum number of keys that are found to be held by other sessions, and maximum time to find them. Keys
/// that are left wait for the next refresh.
const MAXIMUM_HELD: usize = 200;
const MAXIMUM_SEARCH: Duration = Duration::from_secs(2);

/// The keys that could not be recomputed, and the result of those that could.
pub struct Outcome {
    pub result: recompute::Result,
    pub failed: Vec<Failed>,
    pub held: Vec<Key>,
}

/// Recomputes the keys of some batches that can be recomputed. An ERROR if the view fails for any key.
pub fn each(plan: &Plan, batches: Vec<Batch>, sandbox: Sandbox, skip: Skip) -> Outcome {
    let mut pass = Pass {
        plan,
        sandbox,
        skip,
        held: Vec::new(),
        search_since: None,
        total: recompute::Result::default(),
        works: false,
    };
    let mut failed = pass.run(batches);
    // A unique value may have been free only after another row was written.
    while pass.works && failed.iter().any(Failed::may_follow_another) {
        let before = failed.len();
        let (again, lasting): (Vec<Failed>, Vec<Failed>) =
            failed.into_iter().partition(Failed::may_follow_another);
        failed = lasting;
        let batches = again.iter().map(|failed| Batch::from(&[failed.key.clone()][..]));
        failed.extend(pass.run(batches.collect()));
        if failed.len() == before {
            break;
        }
    }
    Outcome {
        result: pass.total,
        failed,
        held: pass.held,
    }
}

impl Failed {
    fn may_follow_another(&self) -> bool {
        self.error.code == PgSqlErrorCode::ERRCODE_UNIQUE_VIOLATION
    }
}

struct Pass<'p> {
    plan: &'p Plan,
    sandbox: Sandbox,
    skip: Skip,
    held: Vec<Key>,
    /// When the first held key was found.
    search_since: Option<Instant>,
    total: recompute::Result,
    /// The view has returned the row of some key, so it works. Of keys that are gone it computes nothing.
    works: bool,
}

impl Pass<'_> {
    /// Recomputes these batches, halving those that fail. Returns the keys that fail alone.
    fn run(&mut self, mut open: Vec<Batch>) -> Vec<Failed> {
        let mut failed = Vec::new();
        while let Some(batch) = open.pop() {
            if self.has_searched_enough() {
                self.held.extend(batch.rows());
                continue;
            }
            match attempt_catching_all(|| self.recompute(&batch)) {
                Ok(result) => {
                    self.works |= result.has_computed();
                    self.total += result;
                }
                Err(error) if self.is_held(&error) => {
                    self.search_since.get_or_insert_with(Instant::now);
                    match batch.halves() {
                        Ok(halves) => open.extend(halves),
                        Err(key) => self.held.push(key),
                    }
                }
                Err(error) if !self.skip.failing || self.sandbox.stops_all(&error) => {
                    Problem::from(error).raise()
                }
                Err(error) => match batch.halves() {
                    Ok(halves) => open.extend(halves),
                    // A key that needs too much memory is dead only after all retries have failed.
                    Err(_) if classes::is_out_of_memory(&error) && !self.sandbox.skips_server_errors => {
                        Problem::from(error).raise()
                    }
                    Err(key) => failed.push(Failed {
                        key,
                        error: with_search_path_hint(error),
                    }),
                },
            }
            let last = open.is_empty();
            if !self.works && !failed.is_empty() && (last || failed.len() == SUSPICIOUS) {
                self.total += self.others_work(&failed, &open);
                self.works = true;
            }
        }
        failed
    }

    fn recompute(&self, batch: &Batch) -> recompute::Result {
        self.sandbox.as_owner(self.plan, || {
            if self.skip.held {
                lock_timeout::limit(lock_timeout::HELD_ROW);
            }
            recompute::keys(self.plan, batch)
        })
    }

    fn is_held(&self, error: &Caught) -> bool {
        match error.code {
            PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE => self.skip.held,
            PgSqlErrorCode::ERRCODE_FOREIGN_KEY_VIOLATION => self.skip.awaiting,
            _ => false,
        }
    }

    fn has_searched_enough(&self) -> bool {
        self.held.len() >= MAXIMUM_HELD
            || self
                .search_since
                .is_some_and(|since| since.elapsed() > MAXIMUM_SEARCH)
    }

    /// An ERROR unless other keys can be recomputed; or there are none, and data made the keys fail. Returns the result
    /// for those that were tried. `open`: batches that are still to be recomputed.
    fn others_work(&self, failed: &[Failed], open: &[Batch]) -> recompute::Result {
        let (mut error, mut total) = (None, recompute::Result::default());
        let others = spread(open).into_iter().chain(self.others_of_table(failed, open));
        for key in others {
            match attempt_catching_all(|| self.recompute(&Batch::from(&[key][..]))) {
                Ok(result) => {
                    let works = result.has_computed();
                    total += result;
                    if works {
                        return total;
                    }
                }
                // That says nothing about the view.
                Err(caught) if self.is_held(&caught) => {}
                Err(caught) if self.sandbox.stops_all(&caught) => Problem::from(caught).raise(),
                Err(caught) => error = Some(caught),
            }
        }
        let mut errors = failed.iter().map(|failed| &failed.error);
        let of_view = || errors.find(|error| classes::is_of_the_view(error)).cloned();
        match error.or_else(of_view) {
            Some(error) => Problem::from(error).raise(),
            None => total,
        }
    }

    /// Keys of the table that have not failed, now or earlier, and are not still to be recomputed: these may be gone.
    fn others_of_table(&self, failed: &[Failed], open: &[Batch]) -> Vec<Key> {
        let mut known: HashSet<Key> = failed.iter().map(|failed| failed.key.clone()).collect();
        known.extend(dead_letter::read(self.plan).all);
        known.extend(open.iter().flat_map(Batch::rows));
        let some = self.sandbox.as_owner(self.plan, || {
            existing_keys::some_of_table(self.plan, known.len() + OTHERS)
        });
        let others = some.into_iter().filter(|key| !known.contains(key));
        others.take(OTHERS).collect()
    }
}

/// Keys of batches, at the same distance from each other.
fn spread(batches: &[Batch]) -> Vec<Key> {
    let mut keys: Vec<Key> = batches.iter().flat_map(Batch::rows).collect();
    keys::sort(&mut keys);
    let step = keys.len().div_ceil(SPREAD).max(1);
    keys.into_iter().skip(step / 2).step_by(step).collect()
}
