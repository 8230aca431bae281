//! A comparison of all rows, in batches of keys.

pub mod batches;
pub mod key_order;
pub mod state;
