//! Running aggregates: aggregates of large groups are stored, and moved on by what transactions changed.
//!
//! ```text
//! query tree -> level (what qualifies) -> replace: a recompute statement reads the stored group, or computes it
//! pg_tview_queue.net -> store: stored groups are moved to the snapshot of the refresh
//! ```
//!
//! An inner join changes by a sum of joins in which net changes stand for some of its tables, see [`net`].
//! The store is a cache: whatever is not certain throws entries away. docs/how-it-works.md shows why a stored
//! group is exact.

pub mod forget;
pub mod moving;
pub mod net;
pub mod noted;
#[cfg(test)]
mod simulation;
pub mod statements;
pub mod store;

use pgrx::pg_sys::Oid;

/// A level of a query whose aggregates over one table, or over an inner join of several, can be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Level {
    /// Counts the levels of a view from 1.
    pub number: i32,
    /// The tables, which SQL of the level calls `r1`, `r2` and so on.
    pub tables: Vec<Table>,
    /// Which rows count, or which rows of the tables belong together.
    pub condition: Option<String>,
    /// What a group is looked up by.
    pub keys: Vec<Typed>,
    pub aggregates: Vec<Aggregate>,
}

/// A table that a level aggregates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    pub oid: Oid,
    /// Its name in the view.
    pub label: String,
    /// The columns that the level reads: name, and type with collation as in a column definition list.
    pub columns: Vec<(String, String)>,
}

impl Level {
    /// Whether the level aggregates a table.
    pub fn reads(&self, table: Oid) -> bool {
        self.tables.iter().any(|read| read.oid == table)
    }

    /// Whether the texts of keys or of states depend on `DateStyle`.
    pub fn has_dates(&self) -> bool {
        let of_aggregates = self.aggregates.iter().map(|aggregate| &aggregate.argument);
        let mut typed = self.keys.iter().chain(of_aggregates);
        typed.any(|typed| typed.type_name.contains("date") || typed.type_name.contains("timestamp"))
    }
}

/// An expression as SQL over the tables of a level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typed {
    pub sql: String,
    pub type_name: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aggregate {
    pub kind: Kind,
    /// NULL where the FILTER of the aggregate is not true.
    pub argument: Typed,
    /// Sums: values may have different numbers of digits after the point. The sum has the largest of them.
    pub any_scale: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Count,
    Sum,
    Avg,
    Min,
    Max,
    BoolAnd,
    BoolOr,
}
