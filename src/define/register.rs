//! The part of creation that is the same for a new TVIEW, a redefined one, and one whose view changed under
//! it: lock the sources, install triggers, write the definition, fill now or leave it to a worker.

use std::time::Duration;

use pgrx::pg_sys::{self, Oid};
use pgrx::PgSqlErrorCode;

use super::patience::{self, Wanted};
use super::{capture_triggers, size, write_guard};
use crate::catalog::definition::{self, Definition, State};
use crate::catalog::state::change_state;
use crate::catalog::{announce, feeds, rights};
use crate::error::{Caught, OrRaise, Problem};
use crate::lineage::Strategy;
use crate::postgres::process::time_limit;
use crate::postgres::row_settings::PINNED;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::transaction;
use crate::postgres::transaction::lock::{self, Attempt, ObjectLock, TableLock};
use crate::postgres::{relation, role, table_rows};
use crate::queue::position::Position;
use crate::queue::{self, now};
use crate::refresh::audit::{self, Entry, Written};
use crate::refresh::comparison::state;
use crate::refresh::failing::search_path_hint::with_search_path_hint;
use crate::refresh::plan::Plan;
use crate::refresh::recompute;
use crate::statement;

/// When the table is filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fill {
    /// Now, if the view is small.
    IfSmall,
    /// By a refresh, after commit.
    Later,
    /// Not at all: the rows are those of the view, up to the position. Unless a new source had rows before its changes were
    /// captured.
    Unneeded,
}

/// Installs triggers and writes the definition. The caller holds the TVIEW's lock.
///
/// Writers are kept out, to the end of the transaction, of sources that get a trigger or a wider one: none of them can be
/// working by an older one. Where the triggers do already, writers go on: what they log after the position taken below is
/// kept until others see it.
pub fn register(plan: &Plan, fill: Fill, operation: &'static str, details: serde_json::Value) {
    let definition = &plan.definition;
    refuse_circles(plan).or_raise();
    let measured = match fill {
        // Where the owner's code must not run, a worker fills the table.
        Fill::IfSmall if plan.permit().is_ok() => size::measure(plan),
        _ => None,
    };
    // From here on nobody takes away a trigger that is found below, see `drop::tidy`; nor rewrites a table.
    for table in plan.tables() {
        lock::table(table, TableLock::AccessShare);
    }
    let wanting = run_internal(|| wanting(plan));
    let checked = match fill {
        Fill::IfSmall => plan.source_oids(),
        // Nobody asked for it: what is there already stays.
        Fill::Later | Fill::Unneeded => {
            let is_wanting = |source: &Oid| wanting.iter().any(|(table, _)| table == source);
            plan.source_oids().into_iter().filter(is_wanting).collect()
        }
    };
    rights::check_sources(definition.owner, &checked).or_raise();
    patience::lock_all(&wanting);
    if fill == Fill::Unneeded {
        // Others may have absorbed changes of a source that is new to this TVIEW alone.
        queue::keep(&plan.source_oids());
    }
    let kept = fill == Fill::Unneeded && new_sources_are_empty(plan);
    let state = if kept { definition.state } else { State::Populating };
    run_internal(|| {
        spi::session(|| {
            for source in &plan.lineage.sources {
                // The lock may have been waited for: what stands there now counts.
                transaction::with_latest_snapshot(|| capture_triggers::install(source));
            }
            // Triggers nobody needs any more are left to housekeeping: dropping one locks its table against everybody,
            // which is no place to wait while writers are kept out of others.
            write_definition(plan, state);
            if !kept {
                state::remove(definition.tview);
            }
            write_guard::install(definition.tview, &plan.shape);
        })
    });
    let operation = if kept { "adapt" } else { operation };
    let mut entry = Entry::new(&definition.entity_name, definition.tview, operation, audit::now());
    entry.details = Some(details);
    let writers_wait = wanting.iter().any(|(table, _)| *table != definition.tview);
    if measured.is_some_and(|measured| measured.is_quick(writers_wait)) {
        if let Some((position, written)) = filled(plan, size::limit(writers_wait)) {
            entry.position = Some(position);
            entry.written = Some(written);
            change_state(definition.tview, State::Active);
        }
    }
    audit::add(entry);
    announce::catalog_change();
}

/// Why the table could not be filled.
fn not_filled(plan: &Plan, caught: Caught) -> Problem {
    let mut problem = Problem::from(with_search_path_hint(caught));
    let converted = &plan.shape.converted;
    if !converted.is_empty() && problem.detail.is_none() {
        let columns = converted.join(", ");
        problem.detail = Some(format!(
            "The table takes values of the view in other types: {columns}."
        ));
    }
    problem
}

/// What has to be locked to install triggers: sources that lack one, and the tv table if it does.
fn wanting(plan: &Plan) -> Vec<Wanted> {
    let mut tables: Vec<Oid> = plan
        .lineage
        .sources
        .iter()
        .flat_map(capture_triggers::wanting)
        .collect();
    if write_guard::is_wanting(plan.definition.tview, &plan.shape) {
        tables.push(plan.definition.tview);
    }
    tables
        .into_iter()
        .map(|table| (table, TableLock::ShareRowExclusive))
        .collect()
}

/// Brings the table in line with the view, unless that takes longer than the limit or rows of it are held by others; the position
/// it then has.
fn filled(plan: &Plan, limit: Duration) -> Option<(Position, Written)> {
    queue::keep(&plan.source_oids());
    let position = now::this_moment();
    let fill = || plan.as_owner(|| spi::session(|| recompute::everything(plan)));
    match time_limit::at_most(limit, fill)? {
        Ok(result) => {
            if let Some(problem) = result.problem {
                problem.raise();
            }
            Some((position, result.written))
        }
        Err(caught) if size::is_busy(&caught) => None,
        Err(caught) => not_filled(plan, caught).raise(),
    }
}

/// Registers a TVIEW anew after its view, or something below it, has changed. Lets go if somebody is at the TVIEW: who
/// redefines it waits for the view, which this transaction has read. Or at what it reads: DDL there, which takes
/// several tables, would wait for those locked here while this waits for others.
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

/// Whether the sources that the registered definition does not know have no rows. Their writers are kept out.
fn new_sources_are_empty(plan: &Plan) -> bool {
    let known = &plan.definition.sources;
    let sources = plan.source_oids().into_iter();
    sources
        .filter(|source| !known.contains(source))
        .all(|source| !holds_rows(source))
}

/// Whether a table itself has rows that are visible now. One of another server counts as if it had.
pub fn holds_rows(table: Oid) -> bool {
    match relation::kind(table) {
        Some('r') => transaction::with_latest_snapshot(|| table_rows::holds_rows(table)).unwrap_or(false),
        kind => kind == Some('f'),
    }
}

/// Follows a view that was dropped and created again with the same text.
pub fn note_view(plan: &Plan) {
    spi::session(|| {
        let args = [
            (pg_sys::OIDOID, Value::of(plan.definition.tview)),
            (pg_sys::OIDOID, Value::of(plan.lineage.root_view)),
        ];
        spi::run(&statement!("meta_note_view"), Access::Current, &args);
    });
}

fn write_definition(plan: &Plan, state: State) {
    let definition = &plan.definition;
    let pinned: serde_json::Map<String, serde_json::Value> = definition
        .pinned
        .iter()
        .map(|(name, value)| (name.clone(), value.clone().into()))
        .collect();
    use pg_sys::{BOOLOID, FLOAT8OID, OIDARRAYOID, OIDOID, TEXTARRAYOID, TEXTOID};
    spi::run(
        &statement!("meta_write"),
        Access::Current,
        &[
            (OIDOID, Value::of(definition.tview)),
            (TEXTOID, Value::of(definition.entity_name.as_str())),
            (OIDOID, Value::of(plan.lineage.root_view)),
            (TEXTARRAYOID, Value::of(definition.key_columns.clone())),
            (TEXTARRAYOID, Value::of(definition.fk_columns.clone())),
            (
                FLOAT8OID,
                Value::of(definition.max_latency.map(|latency| latency.as_secs_f64())),
            ),
            (TEXTOID, Value::of(state.name())),
            (TEXTOID, Value::of(definition.view_schema.as_str())),
            (TEXTOID, Value::of(definition.view_name.as_str())),
            (
                BOOLOID,
                Value::of(definition.view_created && plan.lineage.root_view == Some(definition.seen_view)),
            ),
            (OIDARRAYOID, Value::of(plan.source_oids())),
            (TEXTOID, Value::of(serde_json::Value::Object(pinned).to_string())),
            (TEXTOID, Value::of(plan.hash.as_str())),
            (BOOLOID, Value::of(definition.table_created)),
        ],
    );
}

/// A TVIEW must not read its own table, be it through other TVIEWs.
fn refuse_circles(plan: &Plan) -> Result<(), Problem> {
    if !feeds::is_circle(plan.definition.tview, &plan.source_oids()) {
        return Ok(());
    }
    Err(Problem::new(
        PgSqlErrorCode::ERRCODE_INVALID_OBJECT_DEFINITION,
        format!("TVIEW {} would read its own table", plan.definition.display()),
    )
    .detail("Its view reads that table, directly or through other TVIEWs.")
    .hint("Let the view read base tables or TVIEWs that do not depend on this one."))
}

/// Says which sources are not followed by key.
pub fn report_full(plan: &Plan) {
    for source in &plan.lineage.sources {
        let mut reasons = Vec::new();
        for occurrence in &source.occurrences {
            if let Strategy::Full { reason } = &occurrence.strategy {
                reasons.push(format!("{reason} ({})", occurrence.label));
            }
        }
        let owner = plan.definition.owner;
        if let Some(table) = source.unreadable_by(owner).filter(|_| reasons.is_empty()) {
            reasons.push(format!(
                "the owner {} may not read {}, which its key query reads",
                role::name(owner),
                relation::display(table)
            ));
        }
        for reason in reasons {
            Problem::for_notice(format!(
                "any change of {} recomputes all of {}",
                relation::display(source.relation),
                plan.definition.display()
            ))
            .detail(format!("Reason: {reason}."))
            .notice();
        }
    }
}

/// The TVIEW's definition with settings pinned to what they are in this session.
pub fn pin_settings(definition: &mut Definition) {
    definition.pinned = PINNED
        .iter()
        .filter_map(|(name, _)| {
            let value = spi::run(
                "SELECT pg_catalog.current_setting($1, true)",
                Access::Current,
                &[(pg_sys::TEXTOID, Value::of(*name))],
            );
            // Empty: a library has it that is not loaded.
            let value = value.one::<String>().filter(|value| !value.is_empty())?;
            Some((name.to_string(), value))
        })
        .collect();
}
