//! Drives queue and refresh: a launcher keeps equal workers in every database that has the extension.
//!
//! ```text
//! writer's COMMIT -> signal -> shared ticks -> refresher: what is due? (schedule) -> refresh -> tv table
//!                      |            `- nothing due: housekeeping, queue_poll, then sleep
//!                      `- database without workers -> launcher -> has it a slot? (slots) -> starts workers
//! DROP DATABASE and the like -> database_ddl: the workers of that database step aside
//! ```

pub mod database_ddl;
pub mod forced_settings;
pub mod growth;
mod housekeeping;
pub mod launcher;
pub mod place;
pub mod queue_poll;
pub mod refresher;
pub mod schedule;
pub mod slots;
pub mod team;
pub mod tracked;
pub mod tracked_set;
pub mod units;
