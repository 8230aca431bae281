//! 3. Change keys -> keys of tv rows -> rows of the tv table, and the audit row that moves the position.
//!
//! ```text
//! lock the TVIEW -> lock its sources -> snapshot -> read the log -> key queries -> recompute -> audit, commit
//! ```

pub mod apply;
pub mod attempt;
pub mod audit;
pub mod batch;
pub mod comparison;
pub mod current;
pub mod discretion;
pub mod equal_keys;
pub mod failing;
pub mod give_up;
pub mod kept_problem;
pub mod keys;
pub mod left_out;
pub mod locks;
pub mod outcome;
pub mod partitions;
pub mod plan;
pub mod planner_settings;
pub mod pushdown;
pub mod recompute;
pub mod run;
pub mod shared_backlog;
pub mod unmatched;

pub use attempt::Team;
pub use outcome::{Outcome, Status};
pub use run::run;
pub use shared_backlog::work::help;
