//! `pg_tview_meta_audit`: one row per refresh and per management action.

mod add;
mod entry;
mod last_suspension;
mod trim;
mod unfilled_since;

pub use add::{add, now, write_feed};
pub use entry::{Entry, Status, Written};
pub use last_suspension::{last_suspension, Suspension};
pub use trim::trim;
pub use unfilled_since::unfilled_since;
