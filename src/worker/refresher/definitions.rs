//! A worker loads the definitions of TVIEWs, when they have changed.

use std::sync::atomic::Ordering::SeqCst;

use super::Refresher;
use crate::catalog::version;
use crate::postgres::extension;
use crate::postgres::process::background_worker;
use crate::postgres::transaction::worker_transaction::short_transaction;
use crate::refresh::plan::cache;
use crate::wake::launcher;
use crate::wake::tview::Tview;
use crate::worker::housekeeping::{leftover_cleaner, queue_trimmer};
use crate::{catalog, define};

/// Definitions are loaded no more often than this, however fast they change.
const RELOAD: i64 = 100_000;

impl Refresher {
    /// When to load definitions; None: those loaded are current.
    pub(super) fn reload_at(&self) -> Option<i64> {
        match self.generation {
            None => Some(self.loaded_at),
            Some(loaded) if loaded == self.database.generation.load(SeqCst) => None,
            Some(_) => Some(self.loaded_at + RELOAD),
        }
    }

    /// Loads definitions, or finds the extension gone, or of a version that this library does not work with.
    pub(super) fn reload(&mut self, now: i64) {
        let generation = self.database.generation.load(SeqCst);
        let known = Tview::of(self.oid);
        background_worker::report_running("loading TVIEW definitions");
        let first = !self.database.present.load(SeqCst);
        let load = || {
            extension::version()?;
            if let Err(mismatch) = version::check() {
                mismatch.warn();
                return None;
            }
            if first {
                define::unlogged::server_started();
            }
            Some(catalog::load())
        };
        match short_transaction(load) {
            Some(Some(infos)) => {
                if self.tracked.replace(self.oid, infos, &known) {
                    leftover_cleaner::request(self.database);
                }
                // Plans of TVIEWs that are gone, among others.
                cache::tidy();
                self.generation = Some(generation);
                self.loaded_at = now;
                // Rows may have lost the last TVIEW that waits for them.
                queue_trimmer::request_soon(self.database, now);
                if !self.database.present.swap(true, SeqCst) {
                    launcher::wake();
                }
            }
            Some(None) => self.note_missing(generation),
            // Reported already; once more in a second.
            None => {
                self.generation = None;
                self.loaded_at = now + 1_000_000;
            }
        }
    }

    pub(super) fn note_missing(&self, generation: u64) {
        self.database.note_missing(generation);
        self.database.workers.wake_all();
    }
}
