//! Drives queue and refresh: a launcher keeps equal workers in every database that has the extension.
//!
//! ```text
//! writer's COMMIT -> signal -> shared ticks -> refresher: what is due? (schedule) -> refresh::run -> tv table
//!                      |                          `- nothing due: housekeeping, lookout, then sleep
//!                      `- database without workers -> launcher -> who gets a slot? (slots) -> starts its workers
//! DROP DATABASE and the like -> database_ddl: the workers of that database step aside
//! ```

pub mod database_ddl;
pub mod health;
pub mod housekeeping;
pub mod launcher;
pub mod lookout;
pub mod place;
pub mod refresher;
pub mod schedule;
pub mod shared;
pub mod signal;
pub mod slots;
pub mod team;
pub mod tracked;
pub mod undrained;

use crate::postgres::{bgworker, process, shmem, utility_hook};

/// Hooks always; shared memory and the launcher only in a server that preloads the library. Without them signals do
/// nothing and `CALL pg_tviews_drain()` does the workers' job.
pub fn init() {
    utility_hook::install();
    if process::preloading() && !process::binary_upgrade() {
        shmem::reserve(shared::ALL);
        bgworker::register_launcher();
    }
}
