//! 3. Change keys -> keys of tv rows -> rows of the tv table, and the audit row that moves the position.
//!
//! ```text
//! lock the TVIEW -> lock its sources -> snapshot -> read the queue -> key queries -> recompute -> audit, commit
//! ```

pub mod affected_keys;
mod apply;
mod apply_batch;
mod apply_news;
pub mod audit;
pub mod backlog_limit;
pub mod batch;
mod by_source;
pub mod comparison;
pub mod cost;
mod counted;
pub mod current;
pub mod deleted_revisions;
pub mod discretion;
pub mod equal_keys;
pub mod existing_keys;
pub mod failing;
pub mod feed;
mod fingerprints;
pub mod keys;
pub mod left_out;
pub mod locks;
mod look_up;
mod news;
pub mod one_refresh;
pub mod outcome;
mod partitions;
pub mod plan;
pub mod planner_settings;
pub mod progress;
pub mod pushdown;
pub mod recompute;
mod retry_or_suspend;
pub mod run;
pub mod running;
pub mod shared_backlog;
mod state_after;
mod step;
pub mod tally;
mod team;
pub mod together;

pub use outcome::{Outcome, Status};
pub use run::run;
pub use shared_backlog::apply_together::help;
pub use team::Team;
