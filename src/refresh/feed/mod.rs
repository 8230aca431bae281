//! The change feed, `pg_tview_change`: the keys of rows that were really written, in the transaction that
//! writes them.

mod changed;
pub mod notify;
mod trim;
mod write;

pub use changed::Changed;
pub use trim::trim;
pub use write::{add, everything, write};
