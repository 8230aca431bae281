//! Recomputing keys of which some fail: halves, and halves of halves, each in a subtransaction, until the keys that fail
//! stand alone.

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

/// Recomputes what can be recomputed. An ERROR where the view fails whatever the key. `gives_up`: trouble of the server
/// counts as the key's, too.
pub fn keys(plan: &Plan, batch: Batch, gives_up: bool) -> (recompute::Result, Vec<Failed>) {
    each(plan, vec![batch], gives_up)
}

/// The same for several batches.
pub fn each(plan: &Plan, batches: Vec<Batch>, gives_up: bool) -> (recompute::Result, Vec<Failed>) {
    let mut open = batches;
    let mut total = recompute::Result::default();
    let mut failed = Vec::new();
    let mut works = false;
    while let Some(batch) = open.pop() {
        match attempt(|| plan.as_owner(|| recompute::keys(plan, &batch))) {
            Ok(result) => {
                works = true;
                total.written += result.written;
                total.problem = total.problem.or(result.problem);
            }
            Err(error) if failure::stops_all(&error, gives_up) => Problem::from(error).raise(),
            Err(error) => match batch.halves() {
                Ok(halves) => open.extend(halves),
                Err(key) => failed.push(Failed { key, error }),
            },
        }
        let last = open.is_empty();
        if !works && !failed.is_empty() && (last || failed.len() == SUSPICIOUS) {
            works = others_work(plan, &failed);
        }
    }
    (total, failed)
}

/// True if other keys of the table can be recomputed, or there are none. An ERROR if they fail as well.
fn others_work(plan: &Plan, failed: &[Failed]) -> bool {
    let some = plan.as_owner(|| keys::some_in_table(plan, failed.len() + OTHERS));
    let others = some
        .into_iter()
        .filter(|key| !failed.iter().any(|failed| failed.key == *key))
        .take(OTHERS);
    let mut error = None;
    for key in others {
        let batch = Batch::from(&[key][..]);
        match attempt(|| plan.as_owner(|| recompute::keys(plan, &batch))) {
            Ok(_) => return true,
            Err(caught) => error = Some(caught),
        }
    }
    match error {
        Some(error) => Problem::from(error).raise(),
        None => true,
    }
}
