//! 2. The log of changes: appended by capture, read since a position, trimmed once every TVIEW is past it.

pub mod append;
pub mod is_announced;
pub mod is_pending;
mod keep;
mod look;
#[cfg(test)]
mod model;
pub mod now;
pub mod position;
pub mod read;
mod trim;

pub use keep::keep;
pub use look::{look, Look};
pub use trim::trim;
