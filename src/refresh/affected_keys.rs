//! From pending changes to the keys of tv rows that they affect.

use std::time::Instant;

use super::cost;
use super::equal_keys;
use super::keys::{Found, Keys, MAXIMUM_KEYS};
use super::plan::source_plan::SourcePlan;
use super::plan::Plan;
use super::planner_settings::few_rows;
use crate::error::{Caught, Problem};
use crate::postgres::transaction;
use crate::queue::read::Pending;

/// So many keys are gathered in any case.
const WORTH_GATHERING: usize = 10_000;
/// Up to this number of change keys, the plan that was made once for a few rows is used.
pub const FEW_CHANGES: i64 = 500;

/// The rows that changes affect.
pub enum Affected {
    Keys(Keys),
    /// All rows: the whole view is compared with the table.
    Everything,
}

/// The keys that pending changes affect. As the owner of the TVIEW, under the snapshot of a refresh, inside
/// an SPI session.
///
/// Everything, if there are far more keys than rows: many combinations of values, say, of which the view
/// returns few. Comparing all rows then costs less than looking up keys that neither view nor table has.
pub fn of(plan: &Plan, pending: &[Pending]) -> Affected {
    let known = plan.rows.get().unwrap_or_else(|| cost::rows(plan));
    plan.rows.set(Some(known));
    let affected = at_most(plan, pending, worth(known));
    if let (Affected::Everything, true) = (&affected, worth(known) < MAXIMUM_KEYS) {
        // The table may have grown since.
        let now = cost::rows(plan);
        plan.rows.set(Some(now));
        if worth(now) > worth(known) {
            return at_most(plan, pending, worth(now));
        }
    }
    affected
}

/// How many keys are gathered at most.
pub fn maximum(plan: &Plan) -> usize {
    let rows = cost::rows(plan);
    plan.rows.set(Some(rows));
    worth(rows)
}

fn worth(rows: f64) -> usize {
    ((2.0 * rows) as usize).clamp(WORTH_GATHERING, MAXIMUM_KEYS)
}

/// The same with a maximum number of keys: everything, if there are more.
pub fn at_most(plan: &Plan, pending: &[Pending], maximum: usize) -> Affected {
    if pending.iter().any(|changes| affects_all(plan, changes)) {
        return Affected::Everything;
    }
    let mut keys = Keys::default();
    let mut queries = 0;
    for changes in pending {
        let Some(source) = source_of(plan, changes) else {
            continue;
        };
        if !add(plan, source, changes, &mut keys, maximum) {
            return Affected::Everything;
        }
        queries += 1;
    }
    if queries > 1 {
        keys.merge_equal(|keys| equal_keys::merge(plan, keys));
    }
    Affected::Keys(keys)
}

/// Whether these changes may affect all rows, whatever their keys.
pub fn affects_all(plan: &Plan, changes: &Pending) -> bool {
    let is_full = || !changes.requested && matches!(plan.sources.get(&changes.source), Some(None));
    changes.concerns(plan.definition.tview) && (changes.all_keys || is_full())
}

/// The statements for these changes; None if they affect no keys.
fn source_of<'p>(plan: &'p Plan, changes: &Pending) -> Option<&'p SourcePlan> {
    if !changes.concerns(plan.definition.tview) {
        return None;
    }
    if changes.requested {
        return Some(&plan.requested);
    }
    plan.sources.get(&changes.source)?.as_ref()
}

/// Adds the keys that some changes of a source affect. False: everything, as there are more than `maximum`, or as the
/// key queries fail.
pub fn add_some(plan: &Plan, changes: &Pending, keys: &mut Keys, maximum: usize) -> bool {
    source_of(plan, changes).is_none_or(|source| add(plan, source, changes, keys, maximum))
}

fn add(plan: &Plan, source: &SourcePlan, changes: &Pending, keys: &mut Keys, maximum: usize) -> bool {
    match gather(plan, source, changes, keys, maximum) {
        Ok(()) => keys.len() <= maximum,
        Err(error) if is_about_values(&error) => false,
        Err(error) => Problem::from(error).raise(),
    }
}

/// Adds the keys that the key queries of one source return.
fn gather(
    plan: &Plan,
    source: &SourcePlan,
    changes: &Pending,
    keys: &mut Keys,
    maximum: usize,
) -> Result<(), Caught> {
    let few = changes.changes <= FEW_CHANGES;
    few_rows(few);
    let statement = if few { &source.few } else { &source.many };
    let (begin, mut returned) = (Instant::now(), 0);
    transaction::attempt(|| {
        let mut add = keys.adding(|rows, row| source.key(&plan.shape, rows, row));
        statement.stream(&[changes.keys], |rows| {
            returned += rows.len();
            add(rows) <= maximum
        });
    })?;
    keys.note_found(Found {
        source: changes.source,
        keys: returned,
        took: begin.elapsed(),
    });
    Ok(())
}

/// Key queries leave out conditions that may protect an expression of the view from values on which it fails
/// (a cast, a division). Such an error says nothing about the view.
fn is_about_values(error: &Caught) -> bool {
    !["40", "53", "55", "57", "58", "XX"].contains(&&error.sqlstate()[..2])
}
