//! The levels of a view whose aggregates run along, and which columns changes of their tables have to tell.

use std::cell::RefCell;

use super::shape::Shape;
use super::sql::Reach;
use crate::catalog::definition::Definition;
use crate::catalog::statements;
use crate::lineage::Lineage;
use crate::postgres::extension;
use crate::postgres::query_tree::Select;
use crate::postgres::run_as::{self, run_internal};
use crate::refresh::pushdown::{push_down_with, Running};
use crate::refresh::running::Level;

/// The levels of the view. Their tables are sources.
pub fn levels(definition: &Definition, shape: &Shape, lineage: &Lineage) -> Vec<Level> {
    let Some(running) = running(definition, None) else {
        return Vec::new();
    };
    // Whatever the session has set; the query is not run. Policies are those for the owners of the views.
    run_internal(|| {
        run_as::set("row_security", "on");
        if let Some(query) = Select::rewritten(&shape.looked_up(Reach::EachKey)) {
            push_down_with(query, Some(&running));
        }
    });
    let mut levels = running.found.into_inner();
    let is_source = |level: &Level| {
        lineage
            .sources
            .iter()
            .any(|source| source.relation == level.table)
    };
    let is_written_as_needed = |level: &Level| has_iso_dates(definition) || !level.has_dates();
    levels.retain(|level| is_source(level) && is_written_as_needed(level));
    levels
}

/// What looking for levels needs to know; None without the table of stored groups.
pub fn running(definition: &Definition, levels: Option<Vec<Level>>) -> Option<Running> {
    Some(Running {
        tview: definition.tview,
        owner: definition.owner,
        store: extension::relation(c"pg_tview_running")?,
        schema: statements::schema(),
        levels,
        found: RefCell::default(),
    })
}

/// Asks changes of the tables of these levels to tell what they read.
pub fn extend(lineage: &mut Lineage, levels: &[Level]) {
    for source in &mut lineage.sources {
        let of_source = levels.iter().filter(|level| level.table == source.relation);
        let columns = of_source.flat_map(|level| level.columns.iter().map(|(name, _)| name.clone()));
        source.net.extend(columns);
    }
}

/// Whether dates are written as stored groups need them.
fn has_iso_dates(definition: &Definition) -> bool {
    let mut pinned = definition.pinned.iter();
    pinned.any(|(name, value)| name == "DateStyle" && value.starts_with("ISO"))
}
