//! A large backlog applied by several workers: the one that reads the log stores the keys in parts ([`parts`]), all of them
//! apply parts together ([`apply_together`]), and the first moves the position. The worker's side is `worker/team.rs`.

pub mod apply_together;
pub mod parts;
