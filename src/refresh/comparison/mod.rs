//! All rows of a TVIEW that is large: compared in batches of keys, or together after a redefinition.

pub mod at_once;
pub mod batch_size;
pub mod batches;
pub mod key_order;
pub mod method;
pub mod next_keys;
mod replace;
pub mod stage;
pub mod stage_table;
pub mod state;
