//! Recomputing keys of which some fail, or wait for another session: halves, and halves of halves, each in a subtransaction,
//! until these keys stand alone.

use std::time::{Duration, Instant};

use pgrx::PgSqlErrorCode;

use super::dead_letter::Failed;
use super::kinds::{self, is_unwanted, needs_less};
use super::sandbox::Care;
use crate::error::Caught;
use crate::error::Problem;
use crate::postgres::run_as;
use crate::postgres::transaction::attempt_catching_all;
use crate::refresh::batch::Batch;
use crate::refresh::keys;
use crate::refresh::plan::Plan;
use crate::refresh::recompute;

/// So many keys fail, and none works, before other keys are tried to see whether the view works at all.
const SUSPICIOUS: usize = 50;
/// As many others are tried.
const OTHERS: usize = 3;

/// Another session holds a row: it is not waited for longer than this.
const HELD_AFTER: &str = "5ms";
/// So many keys are looked for that other sessions hold, for so long at most; others are left for the next time.
const MOST_HELD: usize = 200;
const LONGEST_SEARCH: Duration = Duration::from_secs(2);

/// Which keys are skipped instead of failing the whole.
#[derive(Clone, Copy, Default)]
pub struct Isolate {
    /// Keys that fail.
    pub failing: bool,
    /// Keys that wait for another session: one that has inserted a row with this key, and not committed yet.
    pub held: bool,
    /// Keys that violate a foreign key: the table at its other end is that of a TVIEW which is behind.
    pub ahead: bool,
}

impl Isolate {
    pub fn is_nothing(self) -> bool {
        !self.failing && !self.held && !self.ahead
    }
}

/// What became of the keys.
pub struct Outcome {
    pub result: recompute::Result,
    pub failed: Vec<Failed>,
    pub held: Vec<Box<[String]>>,
}

/// Recomputes what can be recomputed of some batches. An ERROR where the view fails whatever the key.
pub fn each(plan: &Plan, batches: Vec<Batch>, care: Care, isolate: Isolate) -> Outcome {
    let mut pass = Pass {
        plan,
        care,
        isolate,
        held: Vec::new(),
        search_since: None,
        total: recompute::Result::default(),
        works: false,
    };
    let mut failed = pass.run(batches);
    // A unique index of the table may have stood in the way of a row until another was written.
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
    care: Care,
    isolate: Isolate,
    held: Vec<Box<[String]>>,
    /// When the first of them was met.
    search_since: Option<Instant>,
    total: recompute::Result,
    /// Some key could be recomputed.
    works: bool,
}

impl Pass<'_> {
    /// Recomputes these batches, or halves of them, or halves of those; returns the keys that fail alone.
    fn run(&mut self, mut open: Vec<Batch>) -> Vec<Failed> {
        let mut failed = Vec::new();
        while let Some(batch) = open.pop() {
            if self.has_searched_enough() {
                self.held.extend(batch.rows());
                continue;
            }
            match attempt_catching_all(|| self.recompute(&batch)) {
                Ok(result) => {
                    self.works = true;
                    self.total.written += result.written;
                    self.total.problem = self.total.problem.take().or(result.problem);
                }
                Err(error) if self.is_held(&error) => {
                    self.search_since.get_or_insert_with(Instant::now);
                    match batch.halves() {
                        Ok(halves) => open.extend(halves),
                        Err(key) => self.held.push(key),
                    }
                }
                Err(error) if !self.isolate.failing || self.care.stops_all(&error) => {
                    Problem::from(error).raise()
                }
                Err(error) => match batch.halves() {
                    Ok(halves) => open.extend(halves),
                    // No key is dead for want of memory, until nothing else has helped.
                    Err(_) if needs_less(&error) && !self.care.gives_up => Problem::from(error).raise(),
                    Err(key) => failed.push(Failed {
                        key,
                        error: kinds::advise(error),
                    }),
                },
            }
            let last = open.is_empty();
            if !self.works && !failed.is_empty() && (last || failed.len() == SUSPICIOUS) {
                self.works = others_work(self.plan, &failed, self.care);
            }
        }
        failed
    }

    fn recompute(&self, batch: &Batch) -> recompute::Result {
        self.care.as_owner(self.plan, || {
            if self.isolate.held {
                run_as::set("lock_timeout", HELD_AFTER);
            }
            recompute::keys(self.plan, batch)
        })
    }

    fn is_held(&self, error: &Caught) -> bool {
        match error.code {
            PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE => self.isolate.held,
            PgSqlErrorCode::ERRCODE_FOREIGN_KEY_VIOLATION => self.isolate.ahead,
            _ => false,
        }
    }

    fn has_searched_enough(&self) -> bool {
        self.held.len() >= MOST_HELD
            || self
                .search_since
                .is_some_and(|since| since.elapsed() > LONGEST_SEARCH)
    }
}

/// True if other keys of the table can be recomputed, or there are none and the failure is one of data. An ERROR else.
fn others_work(plan: &Plan, failed: &[Failed], care: Care) -> bool {
    let some = care.as_owner(plan, || keys::some_in_table(plan, failed.len() + OTHERS));
    let others = some
        .into_iter()
        .filter(|key| !failed.iter().any(|failed| failed.key == *key))
        .take(OTHERS);
    let mut error = None;
    for key in others {
        let batch = Batch::from(&[key][..]);
        match attempt_catching_all(|| care.as_owner(plan, || recompute::keys(plan, &batch))) {
            Ok(_) => return true,
            Err(caught) if is_unwanted(care.driver, &caught) => Problem::from(caught).raise(),
            Err(caught) => error = Some(caught),
        }
    }
    let mut errors = failed.iter().map(|failed| &failed.error);
    let of_view = || errors.find(|error| kinds::is_of_the_view(error)).cloned();
    match error.or_else(of_view) {
        Some(error) => Problem::from(error).raise(),
        None => true,
    }
}
