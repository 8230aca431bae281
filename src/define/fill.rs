//! When and how the table of a TVIEW is filled at registration.

use super::size::{self, Measured};
use crate::error::{Caught, Problem};
use crate::postgres::process::time_limit;
use crate::postgres::{spi, transaction};
use crate::queue::position::Position;
use crate::queue::{self, now};
use crate::refresh::failing::search_path_hint::with_search_path_hint;
use crate::refresh::plan::shape::Shape;
use crate::refresh::plan::Plan;
use crate::refresh::progress;
use crate::refresh::recompute;
use crate::refresh::running::forget;
use crate::wake::operations::{self, Kind, Phase};

/// When the table is filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fill {
    /// During registration, if the view is small.
    IfSmall,
    /// By a refresh, after commit.
    Later,
    /// Not at all: the rows are those of the view, up to the position. If a new source had rows before its
    /// changes were captured, the table is filled later.
    Unneeded,
}

impl Fill {
    /// Measures the view if the table may be filled during registration; None if the view is too large.
    pub fn measure(self, plan: &Plan) -> Option<Measured> {
        match self {
            // Where the owner's code must not run, a worker fills the table.
            Fill::IfSmall if plan.permit().is_ok() => size::measure(plan),
            _ => None,
        }
    }
}

/// Brings the table in line with the view; returns the position that the rows then have. None if that takes
/// longer than the limit, or if other sessions hold locks on rows.
pub fn fill(plan: &Plan, writers_wait: bool) -> Option<(Position, recompute::Result)> {
    queue::keep(&plan.source_oids());
    let position = now::this_moment();
    spi::session(|| forget::throw_away(plan.definition.tview));
    let _shown = progress::show(Kind::Populate, &plan.definition);
    operations::phase(Phase::Comparing);
    let fill = || plan.as_owner(|| spi::session(|| recompute::everything(plan)));
    match time_limit::at_most(size::limit(writers_wait), fill)? {
        Ok(mut result) => {
            if let Some(problem) = result.problem.take() {
                problem.raise();
            }
            Some((position, result))
        }
        Err(caught) if size::is_for_a_worker(&caught) => None,
        Err(caught) => not_filled(&plan.shape, caught).raise(),
    }
}

/// Fills the table of a small view, and takes all of that back: an ERROR if the table cannot take the rows. Locks on rows
/// are held for as long as the table is filled.
pub fn try_out(plan: &Plan) {
    let measured = Fill::IfSmall.measure(plan);
    if measured.is_some_and(|measured| measured.is_quick(true)) {
        if let Err(caught) = transaction::probe(|| fill(plan, true)) {
            caught.raise();
        }
    }
}

/// Why the table could not be filled.
pub fn not_filled(shape: &Shape, caught: Caught) -> Problem {
    let mut problem = Problem::from(with_search_path_hint(caught));
    let converted = &shape.converted;
    if !converted.is_empty() && problem.detail.is_none() {
        let columns = converted.join(", ");
        problem.detail = Some(format!(
            "The table takes values of the view in other types: {columns}."
        ));
    }
    problem
}
