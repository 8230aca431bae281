//! A query level that conditions are pushed down into, and the limits of that.

use std::cell::Cell;

use super::stored_group::Running;
use crate::postgres::query_tree::Select;
use crate::postgres::recursion;

/// Maximum number of levels and inlined CTEs. The rest of the query stays unchanged.
pub const MAXIMUM_LEVELS: usize = 1_000;
/// Maximum nesting. Deeper levels stay unchanged.
const MAXIMUM_DEPTH: usize = 100;

/// A query level.
pub struct Level<'p> {
    pub select: Select,
    pub parent: Option<&'p Level<'p>>,
    /// The CTEs of this level stay unchanged.
    pub computed_once: bool,
    /// How many levels and CTEs may still be changed.
    pub left: &'p Cell<usize>,
    pub depth: usize,
    /// Aggregates that run along are looked for.
    pub running: Option<&'p Running>,
}

impl<'p> Level<'p> {
    /// The whole query.
    pub fn outermost(select: Select, left: &'p Cell<usize>, running: Option<&'p Running>) -> Level<'p> {
        Level {
            select,
            parent: None,
            computed_once: true,
            left,
            depth: 0,
            running,
        }
    }

    /// The level of a query inside this one.
    pub fn inside(&'p self, select: Select) -> Level<'p> {
        Level {
            select,
            parent: Some(self),
            computed_once: false,
            left: self.left,
            depth: self.depth + 1,
            running: self.running,
        }
    }

    /// Counts one more level or CTE. False if the limits are reached.
    pub fn takes_one(&self) -> bool {
        recursion::step();
        let left = self.left.get();
        self.left.set(left.saturating_sub(1));
        left > 0 && self.depth < MAXIMUM_DEPTH
    }
}
