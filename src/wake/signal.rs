//! Signals of sessions to workers after the end of a transaction. Called from commit callbacks, where an
//! ERROR would stop the cluster: they use atomics and SetLatch only, and nothing allocates, locks or raises.
//! Without preloading they do nothing.

use std::sync::atomic::Ordering::SeqCst;

use pgrx::pg_sys::Oid;

use super::database::Database;
use super::launcher::{self, LAUNCHER};
use super::tview::Tview;
use crate::postgres::process::{self, clock};

/// This transaction changed `sources`; the changes are visible now.
pub fn committed(sources: &[Oid]) {
    let Some(database) = own_database() else { return };
    database.note_changes(sources);
    if !database.is_attended() {
        launcher::wake();
        return;
    }
    let now = clock::transaction_end();
    if database.sources.is_awaited(sources, now)
        && !database.workers.wake_one()
        && database.note_overload(now)
    {
        launcher::wake();
    }
}

/// Definitions of this database changed: workers load them again and check every TVIEW once, as DDL can
/// change what a view returns without any row change. Also the signal after CREATE EXTENSION and DROP
/// EXTENSION.
pub fn catalog_changed() {
    let own = process::database();
    // Once more if the launcher gave the place back in between.
    for _ in 0..2 {
        let Some(database) = own_database() else { return };
        database.touch_all();
        database.generation.fetch_add(1, SeqCst);
        if database.oid() == Some(own) {
            database.workers.wake_all();
            launcher::wake();
            return;
        }
    }
}

/// COMMIT PREPARED made changes visible, and this session does not know of which sources.
pub fn everything_changed() {
    if let Some(database) = Database::find(process::database()) {
        database.note_unknown_changes();
        database.generation.fetch_add(1, SeqCst);
        database.workers.wake_all();
        if !database.is_attended() {
            launcher::wake();
        }
    }
}

/// This session waits until `tview` is refreshed. Not called at the end of a transaction.
pub fn awaited(tview: Oid) {
    let own = process::database();
    let ends_pause = Tview::find(own, tview).is_some_and(Tview::note_awaited);
    if let (true, Some(database)) = (ends_pause, Database::find(own)) {
        // Without a worker that sleeps, each worker checks before it sleeps.
        database.workers.wake_one();
    }
}

/// Whether workers ever found the extension in this database: a cheap hint that it may be dropped here.
pub fn known_here() -> bool {
    Database::find(process::database()).is_some()
}

/// The place of this session's database. The launcher is woken for a database that had no place, also if all
/// places are taken.
pub fn own_database() -> Option<&'static Database> {
    let launcher = LAUNCHER.get().first()?;
    let own = process::database();
    if let Some(database) = Database::find(own) {
        return Some(database);
    }
    let claimed = Database::find_or_claim(own);
    if claimed.is_none() {
        launcher.databases_full.store(true, SeqCst);
    }
    launcher::wake();
    claimed
}
