//! Suspects: rows that differed in an earlier snapshot. They are computed key by key, as a refresh computes them.

use std::time::Duration;

use super::pending;
use super::portion;
use super::report::{self, Drift, Problem};
use super::walk::{Walk, SUSPECTED};
use crate::capture;
use crate::catalog::definition;
use crate::define::untracked_inputs;
use crate::postgres::hooks::planner::reshaping;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Rows};
use crate::postgres::transaction::lock::{self, ObjectLock};
use crate::refresh::batch::Batch;
use crate::refresh::current::Now;
use crate::refresh::one_refresh::Refresh;
use crate::refresh::plan::key::{key_of, Key};
use crate::refresh::plan::Plan;
use crate::refresh::planner_settings::few_rows;
use crate::refresh::pushdown::push_down;
use crate::refresh::running::forget;

/// Keys that are computed by one statement.
const TOGETHER: usize = 200;
/// Rows of which the content is reported.
const DESCRIBED: usize = 20;
/// Rows that differ again after so many refreshes depend on something that no change shows.
const ATTEMPTS: i32 = 2;

/// Examines the suspects of a walk. False: that cannot be done now.
pub fn examine(refresh: &Refresh, plan: &Plan, now: &Now, mut walk: Walk) -> bool {
    let Some(pending) = pending::keys(refresh, plan, now) else {
        return false;
    };
    let number = walk.suspects.len();
    let keys = portion::without(refresh, plan, std::mem::take(&mut walk.suspects), &pending);
    if keys.len() < number && walk.awaits_refresh() {
        return false;
    }
    let drifted = drifted(refresh, plan, &keys, false);
    if drifted.is_empty() {
        // With more than these, the slice is compared once more, and then left.
        walk.next_suspects(2 * number);
        walk.store(Duration::ZERO);
        return true;
    }
    let unseen = if walk.attempts == 0 {
        run_internal(|| untracked_inputs::names(plan))
    } else {
        Vec::new()
    };
    if !unseen.is_empty() || walk.attempts >= ATTEMPTS {
        report::unseen(plan, &unseen);
        walk.give_up(report::because(&unseen));
        walk.unseen = true;
        walk.store(Duration::ZERO);
        return true;
    }
    if !without_stored_groups(plan) {
        return false;
    }
    if walk.attempts == 0 {
        let some: Vec<Key> = drifted
            .iter()
            .take(DESCRIBED)
            .map(|drift| drift.key.clone())
            .collect();
        let described = self::drifted(refresh, plan, &some, true);
        report::drift(plan, &described, drifted.len(), walk.more_suspects);
        walk.note_drift(drifted.len());
    }
    heal(plan, &drifted, walk.more_suspects);
    walk.attempts += 1;
    walk.suspects = drifted.into_iter().map(|drift| drift.key).collect();
    walk.store(SUSPECTED);
    true
}

/// Throws stored groups away, which the values may come from. False: another process holds the TVIEW.
fn without_stored_groups(plan: &Plan) -> bool {
    if plan.running.is_empty() {
        return true;
    }
    let tview = plan.definition.tview;
    let locked = |class| lock::try_object(class, tview, ObjectLock::Exclusive);
    let is_mine = definition::table().is_some_and(locked);
    if is_mine {
        forget::throw_away(tview);
    }
    is_mine
}

/// Requests a refresh: of these keys, or with `more` of all rows.
fn heal(plan: &Plan, drifted: &[Drift], more: bool) {
    let keys = || drifted.iter().map(|drift| plan.key_object(&drift.key)).collect();
    capture::request_refresh(plan.definition.tview, (!more).then(keys));
}

/// Those of the keys whose rows differ; with `texts` also the rows.
fn drifted(refresh: &Refresh, plan: &Plan, keys: &[Key], texts: bool) -> Vec<Drift> {
    let statement = plan.shape.examined(texts);
    let contents = portion::has_one_content(plan);
    let of_some = |keys: &[Key]| {
        refresh.as_owner(plan, || {
            few_rows(true);
            let parameters = Batch::from(keys).typed(plan);
            let rows = reshaping(&statement, push_down, || {
                spi::run(&statement, Access::Snapshot, &parameters)
            });
            let drifted = (0..rows.len()).filter_map(|row| drift(plan, &rows, row));
            let drifted = drifted.filter(|drift| contents || drift.problem != Problem::Different);
            drifted.collect::<Vec<_>>()
        })
    };
    keys.chunks(TOGETHER).flat_map(of_some).collect()
}

/// How a row differs; None if it does not.
fn drift(plan: &Plan, rows: &Rows, row: usize) -> Option<Drift> {
    let key = key_of(&plan.shape, rows, row)?;
    let first = key.len();
    let in_view: i64 = rows.get(row, first)?;
    let problem = match (in_view, rows.get::<bool>(row, first + 1)?) {
        (0, true) => Problem::Extra,
        (1, false) => Problem::Missing,
        (1, true) if rows.get::<bool>(row, first + 2)? => Problem::Different,
        // A key that the view returns twice has no place in the table. Refreshes report it.
        _ => return None,
    };
    Some(Drift {
        key,
        problem,
        columns: rows.get(row, first + 3),
        old: rows.get(row, first + 4),
        new: rows.get(row, first + 5),
    })
}
