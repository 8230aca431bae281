//! Drives queue and refresh: a launcher keeps equal workers in every database that has the extension.
//!
//! ```text
//! writer's COMMIT -> signal -> shared ticks -> refresher: what is due? (schedule) -> refresh::run -> tv table
//!                      |                          `- nothing due: housekeeping, lookout, then sleep
//!                      `- database without workers -> launcher -> who gets a slot? (slots) -> starts its workers
//! DROP DATABASE and the like -> database_ddl: the workers of that database step aside
//! ```

pub mod database_ddl;
pub mod housekeeping;
pub mod launcher;
pub mod lookout;
pub mod place;
pub mod refresher;
pub mod schedule;
pub mod slots;
pub mod team;
pub mod tracked;
