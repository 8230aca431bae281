//! A query level on the way down, and how far down it goes.

use std::cell::Cell;

use crate::postgres::query_tree::Select;
use crate::postgres::recursion;

/// After so many levels and inlined CTEs the rest of the query stays as it is.
pub const MOST_LEVELS: usize = 1_000;
/// Levels further in stay as they are.
const DEEPEST: usize = 100;

/// A query level on the way down.
pub struct Level<'p> {
    pub select: Select,
    pub parent: Option<&'p Level<'p>>,
    /// Its CTEs stay as they are.
    pub computed_once: bool,
    /// Levels that may still be narrowed.
    pub left: &'p Cell<usize>,
    pub depth: usize,
}

impl<'p> Level<'p> {
    /// The whole query.
    pub fn outermost(select: Select, left: &'p Cell<usize>) -> Level<'p> {
        Level {
            select,
            parent: None,
            computed_once: true,
            left,
            depth: 0,
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
        }
    }

    /// Whether there is one more level, or CTE, to be had.
    pub fn takes_one(&self) -> bool {
        recursion::step();
        let left = self.left.get();
        self.left.set(left.saturating_sub(1));
        left > 0 && self.depth < DEEPEST
    }
}
