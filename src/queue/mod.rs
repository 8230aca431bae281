//! 2. The log: read since a position, trimmed once every TVIEW is past it. It is written by capture.

pub mod is_pending;
#[cfg(test)]
mod model;
pub mod now;
pub mod position;
pub mod read;
pub mod trim;

pub use read::{look, Look};
pub use trim::{keep, trim, trim_audit};
