//! All rows compared in batches of keys, for a TVIEW that is large.

pub mod batch_size;
pub mod batches;
pub mod key_order;
pub mod method;
pub mod next_keys;
pub mod state;
