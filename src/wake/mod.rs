//! What writers, workers and the launcher share. There is no lock: every field is an atomic, and its comment says
//! who writes it. Nothing here decides what is correct, only who wakes when: positions in the audit table do that,
//! and a worker looks for news in the queue every few seconds, at all of it once a minute.
//!
//! Ticks: every committing writer draws a number from its database's `tick` *after* its transaction is visible, and
//! leaves it at the sources it changed. A worker reads `tick` *before* it takes its snapshot, so all numbers up to
//! that are absorbed by its refresh. Stores and the loads they race with are SeqCst: a writer stores its tick and then
//! asks whether someone sleeps, a worker says it sleeps and then looks at the ticks; one of them sees the other.
//!
//! A worker does not look at every TVIEW: sources whose TVIEWs have something to do, now or after a pause, are restless.
//! Writers set that mark after their tick, a worker clears it when all TVIEWs of the source are at rest, and looks at them once
//! more; again one of them sees the other.

pub mod database;
pub mod hash;
pub mod health;
pub mod launcher;
pub mod quiet;
pub mod signal;
pub mod slots;
pub mod tview;
pub mod undrained;

use crate::postgres::process::shared_memory::Reservation;
use database::DATABASES;
use launcher::LAUNCHER;
use tview::TVIEWS;

/// All that is to be reserved.
pub static ALL: &[&dyn Reservation] = &[&LAUNCHER, &DATABASES, &TVIEWS];
