//! Keeps the registered definition in step with its view, tables and triggers, which may have changed since
//! registration.

use std::rc::Rc;

use pgrx::pg_sys::Oid;

use super::definition_row::note_plan;
use super::fill::Fill;
use super::register::reregister;
use super::{capture_triggers, restored, write_guard};
use crate::catalog::definition;
use crate::catalog::state::State;
use crate::error::{Caught, Problem};
use crate::postgres::run_as::run_internal;
use crate::postgres::transaction::{lock_timeout, with_snapshot, Driver};
use crate::refresh::locks;
use crate::refresh::plan::fingerprint::Difference;
use crate::refresh::plan::{self, Plan};
use crate::refresh::progress;
use crate::refresh::Status;
use crate::wake::operations::Kind;

/// Makes the plan, in a transaction of its own; registers the TVIEW again if its view has changed. The tables
/// and views below a view are found by locking the view, so their locks cannot all be tried first. DDL of an
/// application locks a table first and its views last: a longer wait here could deadlock with the
/// application.
pub fn prepare(driver: Driver, tview: Oid) -> Result<Result<Rc<Plan>, Status>, Caught> {
    driver.transaction(|| {
        locks::own_tables()?;
        lock_timeout::limit_transaction(lock_timeout::PLAN);
        with_snapshot(|| run_internal(|| make_plan(driver, tview))).ok_or(Status::NotReady)
    })
}

fn make_plan(driver: Driver, tview: Oid) -> Option<Rc<Plan>> {
    let definition = definition::load(tview).filter(|d| d.state.may_refresh())?;
    // Whatever the state: the trigger that sets it to `populating` may be disabled for the restore.
    let restored = driver == Driver::Worker;
    if restored && restored::incomplete(&definition, None) {
        return None;
    }
    let kind = if definition.state == State::Populating {
        Kind::Populate
    } else {
        Kind::Refresh
    };
    progress::begin(kind, &definition);
    let plan = plan::prepare(definition).unwrap_or_else(|problem: Problem| problem.raise());
    if restored && restored::incomplete(&plan.definition, Some(&plan.source_oids())) {
        return None;
    }
    match out_of_step(&plan) {
        None => {
            note_plan(&plan);
            plan.in_step.set(true);
            Some(plan)
        }
        Some((fill, reason)) => {
            reregister(&plan, fill, reason);
            let plan = plan::prepare(definition::load(tview)?).ok()?;
            plan.in_step.set(true);
            Some(plan)
        }
    }
}

/// How a TVIEW has to be registered again, and why; None if the definition is in step. With internal rights.
fn out_of_step(plan: &Plan) -> Option<(Fill, &'static str)> {
    let definition = &plan.definition;
    let mut uncaptured = capture_triggers::uncaptured_sources(&plan.lineage).into_iter();
    let missing = "triggers that follow its sources were missing";
    if plan.difference == Difference::Rows {
        Some((Fill::Later, "what its rows depend on has changed"))
    } else if uncaptured.any(|source| definition.sources.contains(&source)) {
        Some((Fill::Later, missing))
    } else if !definition
        .sources
        .iter()
        .all(|source| plan.sources.contains_key(source))
    {
        // Changes of the table are not read any more.
        Some((Fill::Later, "a table that inherits from a source does so no more"))
    } else if plan.difference == Difference::Harmless {
        Some((Fill::Unneeded, "what changed cannot change a row"))
    } else if !capture_triggers::complete(&plan.lineage) {
        Some((Fill::Later, missing))
    } else if definition.state != State::Active && write_guard::needs_install(definition.tview, &plan.shape) {
        // A conversion has left all triggers to this.
        Some((Fill::Unneeded, "the triggers that guard its table were missing"))
    } else {
        None
    }
}
