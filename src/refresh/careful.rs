//! Recomputing keys of which some fail: halves, and halves of halves, each in a subtransaction, until the keys that fail
//! stand alone.

use pgrx::PgSqlErrorCode;

use super::care::Care;
use super::keys::Batch;
use super::plan::Plan;
use super::{failure, keys, recompute};
use crate::error::Problem;
use crate::postgres::transaction::{attempt, Caught};

/// So many keys fail, and none works, before other keys are tried to see whether the view works at all.
const SUSPICIOUS: usize = 50;
/// As many others are tried.
const OTHERS: usize = 3;

/// A key that fails alone.
pub struct Failed {
    pub key: Box<[String]>,
    pub error: Caught,
}

/// Recomputes what can be recomputed of some batches. An ERROR where the view fails whatever the key.
pub fn each(plan: &Plan, batches: Vec<Batch>, care: Care) -> (recompute::Result, Vec<Failed>) {
    let mut pass = Pass {
        plan,
        care,
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
    (pass.total, failed)
}

impl Failed {
    fn may_follow_another(&self) -> bool {
        self.error.code == PgSqlErrorCode::ERRCODE_UNIQUE_VIOLATION
    }
}

struct Pass<'p> {
    plan: &'p Plan,
    care: Care,
    total: recompute::Result,
    /// Some key could be recomputed.
    works: bool,
}

impl Pass<'_> {
    /// Recomputes these batches, or halves of them, or halves of those; returns the keys that fail alone.
    fn run(&mut self, mut open: Vec<Batch>) -> Vec<Failed> {
        let mut failed = Vec::new();
        while let Some(batch) = open.pop() {
            match attempt(|| {
                self.care
                    .as_owner(self.plan, || recompute::keys(self.plan, &batch))
            }) {
                Ok(result) => {
                    self.works = true;
                    self.total.written += result.written;
                    self.total.problem = self.total.problem.take().or(result.problem);
                }
                Err(error) if self.care.stops_all(&error) => Problem::from(error).raise(),
                Err(error) => match batch.halves() {
                    Ok(halves) => open.extend(halves),
                    Err(key) => failed.push(Failed { key, error }),
                },
            }
            let last = open.is_empty();
            if !self.works && !failed.is_empty() && (last || failed.len() == SUSPICIOUS) {
                self.works = others_work(self.plan, &failed, self.care);
            }
        }
        failed
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
        match attempt(|| care.as_owner(plan, || recompute::keys(plan, &batch))) {
            Ok(_) => return true,
            Err(caught) => error = Some(caught),
        }
    }
    let mut errors = failed.iter().map(|failed| &failed.error);
    let of_view = || errors.find(|error| failure::is_of_the_view(error)).cloned();
    match error.or_else(of_view) {
        Some(error) => Problem::from(error).raise(),
        None => true,
    }
}
