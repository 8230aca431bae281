//! The statements of a refresh, as SQL text.
//!
//! Names are quoted already. Values are parameters: one array per key column, in the types of the view.

mod changes;
mod check;
mod difference;
mod drift;
mod explain;
mod fill;
mod fragments;
pub mod fresh_view;
mod key_lists;
mod key_ranges;
mod left_out;
mod recompute;
mod row_locks;
mod unmatched;
mod written_keys;

pub use fragments::unquote;

/// A range of keys: conditions on a row `v` of the view and on a row `tv` of the table.
pub struct KeyRange {
    pub view: String,
    pub table: String,
    /// How many parameters they have.
    pub parameters: usize,
}

/// How the keys are looked up in the view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// One look-up per key: indexes lead to each part of the view that depends on the key.
    EachKey,
    /// All keys together: the planner knows how many there are.
    AllKeys,
    /// No keys: the whole view against the whole table.
    Everything,
}
