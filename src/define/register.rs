//! Registration, the same for a new TVIEW, a redefined one, and one whose view has changed. The sources are
//! locked, triggers installed, and the definition is written. Then the table is filled, or left to a worker.

use pgrx::pg_sys::Oid;
use pgrx::PgSqlErrorCode;

use super::fill::Fill;
use super::patience::{self, LockRequest};
use super::uncaptured_rows::holds_rows;
use super::{capture_triggers, definition_row, fill, write_guard};
use crate::catalog::definition::{self, Definition};
use crate::catalog::state::{change_state, State};
use crate::catalog::{announce, feeds, rights};
use crate::error::{OrRaise, Problem};
use crate::postgres::run_as::run_internal;
use crate::postgres::spi;
use crate::postgres::transaction;
use crate::postgres::transaction::lock::{self, Attempt, ObjectLock, TableLock};
use crate::queue;
use crate::refresh::audit::{self, Entry};
use crate::refresh::comparison::state;
use crate::refresh::plan::Plan;

/// Installs triggers and writes the definition. The caller holds the TVIEW's lock.
///
/// Sources that get a new or a wider trigger are locked against writers to the end of the transaction. No
/// write in progress can use the old trigger. Other sources are not locked. What their writers log after the
/// position of the filled table is kept in the queue until it is visible to refreshes.
pub fn register(plan: &Plan, fill: Fill, operation: &'static str, details: serde_json::Value) {
    let definition = &plan.definition;
    refuse_circles(definition, &plan.source_oids()).or_raise();
    let measured = fill.measure(plan);
    let locks = lock_tables(plan, fill);
    if fill == Fill::Unneeded {
        // Other TVIEWs may have absorbed changes of a source that is new to this TVIEW.
        queue::keep(&plan.source_oids());
    }
    let adapts = fill == Fill::Unneeded && new_sources_are_empty(plan);
    let state = if adapts {
        definition.state
    } else {
        State::Populating
    };
    install(plan, state);
    if !adapts {
        // What a call redefines, a refresh finds as such.
        end_comparison(definition.tview, details.get("function").is_some());
    }
    let operation = if adapts { "adapt" } else { operation };
    let mut entry = Entry::new(&definition.entity_name, definition.tview, operation, audit::now());
    entry.details = Some(details);
    let writers_wait = locks.iter().any(|(table, _)| *table != definition.tview);
    if measured.is_some_and(|measured| measured.is_quick(writers_wait)) {
        if let Some((position, result)) = fill::fill(plan, writers_wait) {
            entry.position = Some(position);
            result.note(&mut entry);
            end_comparison(definition.tview, true);
            change_state(definition.tview, State::Active);
        }
    }
    audit::add(entry);
    announce::catalog_change();
}

/// Writes the definition of a TVIEW whose table exists, and locks nothing against writers. Once that is
/// committed, a worker installs the triggers and fills the table, see `in_step`. What is written meanwhile is in the
/// rows that the worker compares then.
pub fn register_for_worker(plan: &Plan, operation: &'static str, details: serde_json::Value) {
    let definition = &plan.definition;
    refuse_circles(definition, &plan.source_oids()).or_raise();
    rights::check_sources(definition.owner, &plan.source_oids()).or_raise();
    fill::try_out(plan);
    run_internal(|| spi::session(|| definition_row::write(plan, State::Populating)));
    let mut entry = Entry::new(&definition.entity_name, definition.tview, operation, audit::now());
    entry.details = Some(details);
    audit::add(entry);
    announce::catalog_change();
}

/// Locks what registration needs; returns the locks that keep writers out.
fn lock_tables(plan: &Plan, fill: Fill) -> Vec<LockRequest> {
    // While these locks are held, no other session removes a trigger that is found below, see
    // `unused_triggers`, or rewrites a table.
    for table in plan.tables() {
        lock::table(table, TableLock::AccessShare);
    }
    let locks = run_internal(|| locks_to_install(plan));
    let checked = match fill {
        Fill::IfSmall => plan.source_oids(),
        // Without a request of a user, triggers that exist already stay.
        Fill::Later | Fill::Unneeded => {
            let is_locked = |source: &Oid| locks.iter().any(|(table, _)| table == source);
            plan.source_oids().into_iter().filter(is_locked).collect()
        }
    };
    rights::check_sources(plan.definition.owner, &checked).or_raise();
    patience::lock_all(&locks);
    locks
}

/// The locks that installing triggers needs: on sources without a sufficient trigger, and on a tv table
/// without its guard.
fn locks_to_install(plan: &Plan) -> Vec<LockRequest> {
    let sources = plan.lineage.sources.iter();
    let mut tables: Vec<Oid> = sources.flat_map(capture_triggers::to_install).collect();
    if write_guard::needs_install(plan.definition.tview, &plan.shape) {
        tables.push(plan.definition.tview);
    }
    let lock = |table| (table, TableLock::ShareRowExclusive);
    tables.into_iter().map(lock).collect()
}

/// Installs the triggers and writes the definition.
fn install(plan: &Plan, state: State) {
    let tview = plan.definition.tview;
    run_internal(|| {
        spi::session(|| {
            for source in &plan.lineage.sources {
                // The lock may have been waited for: the triggers that exist now count.
                transaction::with_latest_snapshot(|| capture_triggers::install(source));
            }
            // Triggers that no TVIEW needs any more are left to housekeeping. Dropping one takes an exclusive
            // lock on its table, and writers of other tables would be kept out while that lock is waited for.
            definition_row::write(plan, state);
            write_guard::install(tview, &plan.shape);
        })
    });
}

/// The comparison in progress is one with the definition before. Unless `entirely`, a stage is to be made again: in the middle
/// of a redefinition the table still has the old rows.
fn end_comparison(tview: Oid, entirely: bool) {
    let end = if entirely { state::remove } else { state::give_up };
    run_internal(|| spi::session(|| end(tview)));
}

/// Registers a TVIEW again after its view, or something below the view, has changed. Gives up if another
/// session holds the TVIEW: a session that redefines it waits for the view, which this transaction has read.
/// Gives up also if another session holds a table or view that the TVIEW reads. DDL that locks several of
/// them would deadlock with this transaction.
pub fn reregister(plan: &Plan, fill: Fill, reason: &str) {
    let is_held = |relation| lock::try_table(relation, TableLock::AccessShare) == Attempt::Held;
    if definition::table()
        .is_some_and(|class| !lock::try_object(class, plan.definition.tview, ObjectLock::Exclusive))
        || plan.tables().into_iter().chain(plan.view_oids()).any(is_held)
    {
        Problem::new(
            PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE,
            format!("TVIEW {} is in use", plan.definition.display()),
        )
        .raise();
    }
    register(plan, fill, "redefine", serde_json::json!({ "reason": reason }));
}

/// Whether the sources that the registered definition does not name have no rows. Their writers are kept out.
fn new_sources_are_empty(plan: &Plan) -> bool {
    let known = &plan.definition.sources;
    let sources = plan.source_oids().into_iter();
    sources
        .filter(|source| !known.contains(source))
        .all(|source| !holds_rows(source))
}

/// A TVIEW must not read its own table, directly or through other TVIEWs.
pub fn refuse_circles(definition: &Definition, sources: &[Oid]) -> Result<(), Problem> {
    if !feeds::is_circle(definition.tview, sources) {
        return Ok(());
    }
    Err(Problem::new(
        PgSqlErrorCode::ERRCODE_INVALID_OBJECT_DEFINITION,
        format!("TVIEW {} would read its own table", definition.display()),
    )
    .detail("Its view reads that table, directly or through other TVIEWs.")
    .hint("Let the view read base tables or TVIEWs that do not depend on this one."))
}
