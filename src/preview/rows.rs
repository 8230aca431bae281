//! Recomputes rows of one TVIEW inside the transaction that changed its sources, as a refresh would after the
//! commit.

use std::rc::Rc;
use std::time::Duration;

use pgrx::pg_sys::{self, Oid};
use pgrx::PgSqlErrorCode;

use super::own_changes;
use crate::capture::change_history::Changes;
use crate::catalog::definition;
use crate::catalog::state::State;
use crate::error::{OrRaise, Problem};
use crate::postgres::relation;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::transaction::lock::{self, TableLock};
use crate::postgres::transaction::lock_timeout;
use crate::queue::read::Pending;
use crate::refresh::affected_keys::{self, Affected};
use crate::refresh::batch::Batch;
use crate::refresh::feed;
use crate::refresh::plan::key::Key;
use crate::refresh::plan::{self, Plan};
use crate::refresh::planner_settings::few_rows;
use crate::refresh::recompute;
use crate::{capture, settings};

/// Why no row was recomputed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Obstacle {
    /// More rows are affected than `pg_tviews.preview_limit`.
    TooMany,
    /// The view has changed since the rows were compared with it.
    Redefined,
    /// It takes more locks than a transaction should hold.
    TooWide,
    /// The TVIEW was dropped or paused a moment ago.
    Gone,
    /// Code of the owner must not run in this session.
    Refused(String),
}

/// Recomputes the rows that the changes affect, under the snapshot of the query that is to see them. An ERROR
/// if they cannot be computed.
pub fn show(tview: Oid, changes: &Changes, wait: Duration) -> Result<(), Obstacle> {
    let plan = run_internal(|| {
        lock_timeout::limit(wait);
        locked_plan(tview)
    })?;
    if let Err(refusal) = plan.permit() {
        return Err(Obstacle::Refused(refusal.reason(&plan)));
    }
    let wide = plan.is_wide();
    if plan.takes_many_locks.get() {
        return Err(Obstacle::TooWide);
    }
    let held = if wide { lock::held_for_reading() } else { 0 };
    let shown = plan.as_owner(|| {
        lock_timeout::limit(wait);
        spi::session(|| recompute(&plan, changes))
    });
    if wide && lock::held_for_reading() - held > lock::most_of_a_transaction() as i64 {
        plan.takes_many_locks.set(true);
        // The end of the subtransaction releases the locks.
        too_many_locks(tview).raise();
    }
    shown
}

fn too_many_locks(tview: Oid) -> Problem {
    Problem::new(
        PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
        format!(
            "showing {} takes more locks than max_locks_per_transaction",
            relation::display(tview)
        ),
    )
}

/// The plan, with everything it reads locked, so that it stays valid. Partitions are not locked, since there
/// may be many: reading locks those that are read. If one is rewritten meanwhile, the refresh corrects the
/// preview.
fn locked_plan(tview: Oid) -> Result<Rc<Plan>, Obstacle> {
    if !lock::table(tview, TableLock::RowExclusive) {
        return Err(Obstacle::Gone);
    }
    for _ in 0..3 {
        let plan = match plan::kept(tview) {
            Some(plan) => plan,
            None => {
                let definition = definition::load(tview).filter(|d| d.state == State::Active);
                plan::prepare(definition.ok_or(Obstacle::Gone)?).or_raise()
            }
        };
        let reads: Vec<Oid> = plan.source_oids().into_iter().chain(plan.view_oids()).collect();
        let all_there = reads
            .into_iter()
            .all(|relation| lock::table(relation, TableLock::AccessShare));
        if all_there && plan.is_current() {
            // Changes captured so far may lack columns that the view reads.
            if plan.hash == plan.definition.hash {
                return Ok(plan);
            }
            plan::forget(tview);
            return Err(Obstacle::Redefined);
        }
        plan::forget(tview);
    }
    Err(Obstacle::Redefined)
}

fn recompute(plan: &Plan, changes: &Changes) -> Result<(), Obstacle> {
    let limit = settings::preview_limit();
    let pending = own_changes::pending(changes);
    match affected_keys::at_most(plan, &pending, limit) {
        Affected::Keys(keys) if keys.is_empty() => Ok(()),
        Affected::Keys(keys) => {
            recompute_keys(plan, &keys.into_rows());
            Ok(())
        }
        Affected::Everything => {
            let affects_all = |changes: &Pending| matches!(plan.sources.get(&changes.source), Some(None));
            let few_changes =
                pending.iter().any(affects_all) && pending.iter().all(|changes| !changes.all_keys);
            recompute_everything(plan, limit, few_changes)
        }
    }
}

fn recompute_keys(plan: &Plan, keys: &[Key]) {
    let batch = Batch::from(keys);
    if batch.len() > 1 {
        few_rows(true);
        plan.lock_rows.run(Access::Current, &batch.parameters(plan), 0);
    }
    let result = recompute::keys_inside(plan, &batch, plan.is_wide());
    if result.written.any() {
        // When a refresh applies these changes, they may lead to other keys. It must recompute the rows
        // written here, too.
        let objects = keys.iter().map(|key| plan.key_object(key)).collect();
        capture::request_refresh(plan.definition.tview, Some(objects));
    }
    feed::write(&plan.definition, result.changed, own_origins());
}

/// Compares the whole view with the table, if both are small enough. `few_changes`: few changes affect all
/// rows.
fn recompute_everything(plan: &Plan, limit: usize, few_changes: bool) -> Result<(), Obstacle> {
    few_rows(false);
    let most = [(pg_sys::INT8OID, Value::of(limit as i64))];
    let small = spi::run(&plan.shape.has_at_most(!few_changes), Access::Snapshot, &most).one::<bool>();
    if small != Some(true) {
        return Err(Obstacle::TooMany);
    }
    let result = recompute::everything_inside(plan);
    if result.written.any() {
        capture::request_refresh(plan.definition.tview, None);
    }
    feed::write(&plan.definition, result.changed, own_origins());
    Ok(())
}

/// Where the changes of this session come from.
fn own_origins() -> Option<Vec<String>> {
    settings::origin().map(|origin| vec![origin])
}
