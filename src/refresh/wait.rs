//! `pg_tviews_wait`: until everything committed before the call is in the tv table.

use std::time::{Duration, Instant};

use pgrx::pg_sys::{self, Oid};
use pgrx::PgSqlErrorCode;

use super::drain::not_refreshing;
use crate::capture;
use crate::catalog::definition::{self, Definition};
use crate::catalog::session_cache::SessionStatement;
use crate::error::{OrRaise, Problem};
use crate::postgres::identity::run_internal;
use crate::postgres::latch;
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::transaction::{self, with_latest_snapshot};
use crate::statement;
use crate::worker::signal;

const FIRST_PAUSE: Duration = Duration::from_micros(500);
const LONGEST_PAUSE: Duration = Duration::from_millis(10);
/// Workers may be starting: so long it takes until "nothing is draining" is an error.
const PATIENCE: Duration = Duration::from_secs(2);

thread_local! {
    static PENDING: SessionStatement = const { SessionStatement::new() };
    static SNAPSHOT: SessionStatement = const { SessionStatement::new() };
}

/// True once a TVIEW (or every TVIEW) shows all that was committed before the call; false on timeout.
pub fn wait(name: Option<&str>, timeout: Option<Duration>) -> bool {
    if transaction::in_recovery() {
        Problem::new(
            PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            "cannot wait for TVIEWs during recovery",
        )
        .detail("What a standby shows depends on how far it has replayed, not on refreshes here.")
        .hint("Call it on the primary.")
        .raise();
    }
    if !capture::pending_sources().is_empty() {
        Problem::new(
            PgSqlErrorCode::ERRCODE_ACTIVE_SQL_TRANSACTION,
            "this transaction has changes of its own that are not committed",
        )
        .detail("They cannot become visible in a TVIEW before they are committed.")
        .hint("COMMIT first, then SELECT pg_tviews_wait();")
        .raise();
    }
    let started = Instant::now();
    let only = name.map(|name| definition::find(name).or_raise());
    // A TVIEW may read the table of another: those come first, each up to what is committed by then.
    for stage in stages(only.as_ref()) {
        if !wait_for(&stage, started, timeout) {
            return false;
        }
    }
    true
}

fn wait_for(tviews: &[Oid], started: Instant, timeout: Option<Duration>) -> bool {
    let target = with_latest_snapshot(|| run_internal(snapshot));
    let mut pause = FIRST_PAUSE;
    for tview in tviews {
        while let Some(definition) = run_internal(|| definition::load(*tview)) {
            if !with_latest_snapshot(|| run_internal(|| is_pending(*tview, &target))) {
                break;
            }
            if !definition.state.refreshes() {
                not_refreshing(&definition).raise();
            }
            let waited = started.elapsed();
            if timeout.is_some_and(|timeout| waited >= timeout) {
                return false;
            }
            if waited > PATIENCE && !signal::draining() {
                undrained().raise();
            }
            latch::pause_or_raise(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
    true
}

fn undrained() -> Problem {
    Problem::new(
        PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
        "nothing is applying changes in this database",
    )
    .detail("No refresh worker is running: the library is not preloaded, or pg_tviews.enabled is off, or pg_tviews.workers is 0.")
    .hint("CALL pg_tviews_drain(); or set shared_preload_libraries = 'pg_tviews' and restart the server.")
}

/// The TVIEWs to wait for in the order in which one feeds another.
fn stages(only: Option<&Definition>) -> Vec<Vec<Oid>> {
    let definitions = run_internal(definition::load_all);
    fn depth(tview: Oid, definitions: &[Definition]) -> usize {
        let Some(definition) = definitions.iter().find(|d| d.tview == tview) else {
            return 0;
        };
        1 + definition
            .sources
            .iter()
            .map(|source| depth(*source, definitions))
            .max()
            .unwrap_or(0)
    }
    fn feeds(tview: Oid, definitions: &[Definition], into: &mut Vec<Oid>) {
        if let (Some(definition), false) = (
            definitions.iter().find(|d| d.tview == tview),
            into.contains(&tview),
        ) {
            into.push(tview);
            definition
                .sources
                .iter()
                .for_each(|source| feeds(*source, definitions, into));
        }
    }
    let mut tviews = Vec::new();
    match only {
        Some(only) => feeds(only.tview, &definitions, &mut tviews),
        None => tviews.extend(definitions.iter().map(|d| d.tview)),
    }
    let mut stages: Vec<Vec<Oid>> = Vec::new();
    for tview in tviews {
        let at = depth(tview, &definitions).saturating_sub(1);
        stages.resize(stages.len().max(at + 1), Vec::new());
        stages[at].push(tview);
    }
    stages
}

/// The snapshot of now, as text.
pub(super) fn snapshot() -> String {
    spi::session(|| {
        SNAPSHOT
            .with(|s| s.get(|| "SELECT pg_current_snapshot()::text".to_string(), &[]))
            .run(Access::Snapshot, &[], 1)
            .one::<String>()
            .unwrap_or_default()
    })
}

/// Whether a change visible in the snapshot `target` is not absorbed by the TVIEW yet.
pub(super) fn is_pending(tview: Oid, target: &str) -> bool {
    spi::session(|| {
        PENDING
            .with(|s| s.get(|| statement!("is_pending"), &[pg_sys::OIDOID, pg_sys::TEXTOID]))
            .run(Access::Snapshot, &[Value::of(tview), Value::of(target)], 1)
            .one::<bool>()
            .unwrap_or(false)
    })
}
