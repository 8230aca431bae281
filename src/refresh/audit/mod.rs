//! `pg_tview_meta_audit`: one row per refresh and per management action.

mod add;
mod entry;
mod trim;

pub use add::{add, now};
pub use entry::{Entry, Status, Written};
pub use trim::trim;
