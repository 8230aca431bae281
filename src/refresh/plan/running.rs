//! The levels of a view whose aggregates run along, and which columns changes of their tables have to tell.

use std::cell::RefCell;

use pgrx::pg_sys::Oid;

use super::shape::Shape;
use super::sql::Reach;
use crate::catalog::definition::Definition;
use crate::catalog::statements;
use crate::lineage::Lineage;
use crate::postgres::extension;
use crate::postgres::query_tree::Select;
use crate::postgres::run_as::{self, run_internal};
use crate::refresh::pushdown::{push_down_with, Refused, Running};
use crate::refresh::running::{Level, Table};

/// The levels of the view of a TVIEW. Their tables are sources.
pub fn levels(definition: &Definition, shape: &Shape, lineage: &Lineage) -> Vec<Level> {
    let look = || {
        search(
            definition.tview,
            definition.owner,
            &definition.pinned,
            shape,
            lineage,
        )
    };
    // Whatever the session has set; the query is not run.
    run_internal(look).0
}

/// The levels of a view that aggregate, and the tables whose aggregates do not run along. `settings`: those
/// that refreshes use.
pub fn search(
    tview: Oid,
    owner: Oid,
    settings: &[(String, String)],
    shape: &Shape,
    lineage: &Lineage,
) -> (Vec<Level>, Vec<Refused>) {
    // Without a key query, rows are not computed by key. The view may also be too large to be expanded.
    let running = running(tview, owner, None).filter(|_| lineage.has_key_queries());
    let Some(running) = running else {
        return Default::default();
    };
    // Policies are those for the owners of the views.
    run_as::set("row_security", "on");
    if let Some(query) = Select::rewritten(&shape.looked_up(Reach::EachKey)) {
        push_down_with(query, Some(&running));
    }
    let mut refused = running.refused.into_inner();
    let mut levels = running.found.into_inner();
    let iso = has_iso_dates(settings);
    levels.retain(|level| {
        let is_captured = |table: &Table| {
            let mut sources = lineage.sources.iter();
            sources.any(|source| source.relation == table.oid)
        };
        let reason = if !level.tables.iter().all(is_captured) {
            "its changes are not captured"
        } else if level.has_dates() && !iso {
            "DateStyle is not ISO"
        } else {
            return true;
        };
        refused.extend(Refused::all(level, reason));
        false
    });
    (levels, refused)
}

/// What looking for levels needs to know; None without the table of stored groups.
pub fn running(tview: Oid, owner: Oid, levels: Option<Vec<Level>>) -> Option<Running> {
    Some(Running {
        tview,
        owner,
        store: extension::relation(c"pg_tview_running")?,
        schema: statements::schema(),
        levels,
        found: RefCell::default(),
        refused: RefCell::default(),
    })
}

/// Asks changes of the tables of these levels to tell what they read.
pub fn extend(lineage: &mut Lineage, levels: &[Level]) {
    for source in &mut lineage.sources {
        let tables = levels.iter().flat_map(|level| &level.tables);
        let of_source = tables.filter(|table| table.oid == source.relation);
        let columns = of_source.flat_map(|table| table.columns.iter().map(|(name, _)| name.clone()));
        source.net.extend(columns);
    }
}

/// Whether dates are written as stored groups need them.
fn has_iso_dates(settings: &[(String, String)]) -> bool {
    let mut settings = settings.iter();
    settings.any(|(name, value)| name == "DateStyle" && value.starts_with("ISO"))
}
