//! Launcher, workers, deadlines, shared state: drives the queue and the refresh.
pub mod signal;

pub fn init() {}
