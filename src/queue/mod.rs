//! 2. The log: read since a position, trimmed once every TVIEW is past it. It is written by capture.

pub mod log;
#[cfg(test)]
mod model;
pub mod position;
pub mod trim;

pub use log::{look, Look};
pub use trim::{keep, trim, trim_audit};
