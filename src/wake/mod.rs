//! What writers, workers and the launcher share. There is no lock: every field is an atomic, and its comment
//! says who writes it. Nothing here decides what is correct, only which process wakes when. Correctness rests
//! on the positions in the audit table: a worker reads what is new in the queue every few seconds, and all of
//! the queue once a minute.
//!
//! Ticks: every committing writer draws a number from the `tick` of its database *after* its transaction is
//! visible, and leaves the number at the sources it changed. A worker reads `tick` *before* it takes its
//! snapshot, so its refresh absorbs all numbers up to that. Stores and the loads they race with are SeqCst. A
//! writer stores its tick and then checks whether a worker sleeps; a worker marks itself as sleeping and then
//! checks the ticks. One of the two notices the other.
//!
//! A worker does not check every TVIEW, only those of sources that are marked: a mark says that a TVIEW of
//! the source has work, now or after a pause. Writers set the mark after their tick. A worker clears the mark
//! when no TVIEW of the source has work, and then checks these TVIEWs once more. Again, one of the two
//! notices the other.

pub mod blockers;
pub mod counters;
pub mod database;
pub mod hash;
pub mod health;
pub mod launcher;
pub mod operations;
pub mod queue_blocks;
pub mod queue_known;
pub mod quiet;
pub mod server_run;
pub mod signal;
pub mod slots;
pub mod sources;
pub mod throttle;
pub mod tview;
pub mod undrained;
pub mod worker;
pub mod workers;

use crate::postgres::process::shared_memory::Reservation;
use database::DATABASES;
use launcher::LAUNCHER;
use tview::TVIEWS;

/// All that is to be reserved.
pub static ALL: &[&dyn Reservation] = &[
    &LAUNCHER,
    &DATABASES,
    &TVIEWS,
    &operations::OPERATIONS,
    &queue_blocks::BY_BLOCK,
    &queue_blocks::BY_SOURCE,
    &queue_blocks::NEWEST,
    &server_run::SERVER_RUN,
];
