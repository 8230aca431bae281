//! 3. Change keys -> keys of tv rows -> rows of the tv table, and the audit row that moves the position.
//!
//! ```text
//! lock the TVIEW -> lock its sources -> snapshot -> read the log -> key queries -> recompute -> audit, commit
//! ```

pub mod affected;
mod all_rows;
mod apply;
pub mod audit;
pub mod backlog;
mod care;
mod careful;
pub mod check;
pub mod comparison;
pub mod dead_letter;
pub mod drain;
mod equal_keys;
pub mod failure;
pub mod fingerprint;
mod key_cast;
mod key_code;
pub mod key_column;
mod key_order;
mod key_texts;
pub mod keys;
mod left_out;
mod named_key;
pub mod narrow;
pub mod parts;
pub mod pending;
pub mod plan;
pub mod plan_cache;
mod reachable;
pub mod recompute;
pub mod request;
pub mod retry;
pub mod run;
mod source_rows;
pub mod texts;
mod together;
mod unmatched;
pub mod wait;
pub mod wait_argument;
pub mod wait_for_key;

pub use run::{run, Outcome, Status};
pub use together::{help, Team};
