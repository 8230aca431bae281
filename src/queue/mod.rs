//! 2. The log of changes: appended by capture, read since a position, trimmed once every TVIEW is past it.

pub mod append;
pub mod is_announced;
pub mod is_pending;
mod keep;
mod look;
pub mod now;
pub mod position;
pub mod read;
pub mod row;
#[cfg(test)]
mod simulation;
mod trim;

pub use keep::keep;
pub use look::{look, Look};
pub use trim::trim;
