//! A large backlog applied by several workers.

pub mod parts;
pub mod work;
