//! `pg_tviews_wait`: until everything committed before the call is in the tv table.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::pg_sys::{self, Oid};
use pgrx::{PgLogLevel, PgSqlErrorCode};

use super::drain::not_refreshing;
use crate::capture;
use crate::catalog::definition::{self, Definition};
use crate::catalog::feeds;
use crate::catalog::session_cache::SessionStatement;
use crate::error::{OrRaise, Problem};
use crate::postgres::identity::{planned_once, run_internal};
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::transaction::{self, with_latest_snapshot};
use crate::postgres::{latch, relation};
use crate::worker::health;
use crate::worker::undrained::{undrained, Cause};
use crate::{settings, statement};

const FIRST_PAUSE: Duration = Duration::from_micros(500);
const LONGEST_PAUSE: Duration = Duration::from_millis(10);

thread_local! {
    static PENDING: SessionStatement = const { SessionStatement::new() };
    static SNAPSHOT: SessionStatement = const { SessionStatement::new() };
    static DEAD: SessionStatement = const { SessionStatement::new() };
}

/// True once a TVIEW (or every TVIEW) shows all that was committed before the call; false on timeout.
pub fn wait(name: Option<&str>, timeout: Option<Duration>) -> bool {
    refuse_where_futile().or_raise();
    let only = name.map(|name| definition::find(name).or_raise());
    let mut patience = Patience::new(timeout);
    // A TVIEW may read the table of another: those come first, each up to what is committed by then.
    let stages = stages(only.as_ref());
    let waited = match keeps_its_snapshot() {
        true if is_behind_in_snapshot(&stages.concat()) => futile_in_snapshot().raise(),
        true => true,
        false => stages
            .iter()
            .all(|stage| wait_for(stage, only.as_ref(), &mut patience)),
    };
    if waited {
        tell_of_dead_keys(&stages.concat());
    }
    waited
}

/// What cannot be waited for here.
pub(super) fn refuse_where_futile() -> Result<(), Problem> {
    if transaction::in_recovery() {
        return Err(Problem::new(
            PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            "cannot wait for TVIEWs during recovery",
        )
        .detail("What a standby shows depends on how far it has replayed, not on refreshes here.")
        .hint("Call it on the primary."));
    }
    if !capture::pending_sources().is_empty() {
        return Err(Problem::new(
            PgSqlErrorCode::ERRCODE_ACTIVE_SQL_TRANSACTION,
            "this transaction has changes of its own that are not committed",
        )
        .detail("They cannot become visible in a TVIEW before they are committed.")
        .hint("COMMIT first, then SELECT pg_tviews_wait();"));
    }
    Ok(())
}

/// Whether this transaction sees no refresh that commits from now on: all is in its snapshot, or never will be.
pub(super) fn keeps_its_snapshot() -> bool {
    !transaction::is_read_committed() && transaction::in_block()
}

/// Whether a change that the transaction's snapshot shows is not absorbed there.
pub(super) fn is_behind_in_snapshot(tviews: &[Oid]) -> bool {
    transaction::with_snapshot(|| {
        run_internal(|| {
            let target = snapshot();
            tviews.iter().any(|tview| is_pending(*tview, &target))
        })
    })
}

/// "It cannot see what it would wait for."
pub(super) fn futile_in_snapshot() -> Problem {
    Problem::new(
        PgSqlErrorCode::ERRCODE_ACTIVE_SQL_TRANSACTION,
        "this transaction cannot see what it would wait for",
    )
    .detail("It keeps the snapshot it began with (REPEATABLE READ or SERIALIZABLE), and sees no refresh that commits later.")
    .hint("SELECT pg_tviews_wait(); before BEGIN, or use READ COMMITTED.")
}

/// Waits until these TVIEWs have absorbed what is committed by now; false when the time is over. One that is dropped
/// meanwhile need not be waited for, unless it is the one that was `named`.
pub(super) fn wait_for(tviews: &[Oid], named: Option<&Definition>, patience: &mut Patience) -> bool {
    let target = target();
    for tview in tviews {
        patience.renew();
        loop {
            let Some(definition) = run_internal(|| definition::load(*tview)) else {
                if let Some(named) = named.filter(|named| named.tview == *tview) {
                    dropped(named).raise();
                }
                break;
            };
            match is_pending_now(*tview, &target) {
                Some(false) => break,
                Some(true) => {}
                // The next look at its definition tells.
                None if patience.go_on() => continue,
                None => return false,
            }
            if !definition.state.refreshes() {
                not_refreshing(&definition).raise();
            }
            if !patience.go_on() {
                return false;
            }
        }
    }
    true
}

/// What is committed by now.
pub(super) fn target() -> String {
    with_latest_snapshot(|| run_internal(snapshot))
}

/// Whether a change visible in `target` is still not absorbed; None if the TVIEW was dropped in this moment.
pub(super) fn is_pending_now(tview: Oid, target: &str) -> Option<bool> {
    with_latest_snapshot(|| run_internal(|| look_pending(tview, target)))
}

/// "It was dropped meanwhile."
pub(super) fn dropped(definition: &Definition) -> Problem {
    Problem::new(
        PgSqlErrorCode::ERRCODE_UNDEFINED_OBJECT,
        format!("TVIEW \"{}\" was dropped meanwhile", definition.entity_name),
    )
}

/// How long to go on, and how soon to look again.
pub(super) struct Patience {
    started: Instant,
    timeout: Option<Duration>,
    pause: Duration,
    undrained_since: Option<Instant>,
}

impl Patience {
    pub(super) fn new(timeout: Option<Duration>) -> Patience {
        Patience {
            started: Instant::now(),
            timeout,
            pause: FIRST_PAUSE,
            undrained_since: None,
        }
    }

    /// Short pauses again.
    pub(super) fn renew(&mut self) {
        self.pause = FIRST_PAUSE;
    }

    /// A pause; false when the time is over. An ERROR if nobody is there to apply changes.
    pub(super) fn go_on(&mut self) -> bool {
        match undrained() {
            None => self.undrained_since = None,
            Some((cause, certain_after)) => {
                let since = *self.undrained_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= certain_after {
                    futile(cause).raise();
                }
            }
        }
        let left = self
            .timeout
            .map(|timeout| timeout.saturating_sub(self.started.elapsed()));
        if left == Some(Duration::ZERO) {
            return false;
        }
        latch::pause_or_raise(left.map_or(self.pause, |left| left.min(self.pause)));
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        true
    }
}

/// "Nobody is there", with the reason.
fn futile(cause: Cause) -> Problem {
    let (detail, remedy) = match cause {
        Cause::NotPreloaded => (
            "No refresh worker is running: the server does not preload the library.".to_string(),
            "set shared_preload_libraries = 'pg_tviews' and restart the server.".to_string(),
        ),
        Cause::Disabled => (
            "Refresh workers do nothing: pg_tviews.enabled is off.".to_string(),
            "ALTER SYSTEM SET pg_tviews.enabled = on; SELECT pg_reload_conf();".to_string(),
        ),
        Cause::NoWorkers => (
            "No refresh worker is running: pg_tviews.workers is 0.".to_string(),
            "ALTER SYSTEM SET pg_tviews.workers = 2; SELECT pg_reload_conf();".to_string(),
        ),
        Cause::NoPlace => (
            format!(
                "No refresh worker is running: pg_tviews.max_databases is {}, and as many databases have workers.",
                settings::max_databases()
            ),
            format!(
                "ALTER SYSTEM SET pg_tviews.max_databases = {}; and restart the server.",
                2 * settings::max_databases()
            ),
        ),
        Cause::NoLauncher => (
            "No refresh worker is running: nor is the launcher of pg_tviews, which starts them.".to_string(),
            "look into the server log for why it has ended.".to_string(),
        ),
        Cause::Excluded => (
            "No refresh worker is running: the database is a template, or closed to connections.".to_string(),
            "ALTER DATABASE ... IS_TEMPLATE false ALLOW_CONNECTIONS true;".to_string(),
        ),
        Cause::Failing => (
            "No refresh worker is running: those that were started have ended immediately.".to_string(),
            "look into the server log for why.".to_string(),
        ),
        Cause::NoSlot => {
            let usage = health::usage();
            (
                format!("No refresh worker is running: {}", usage.describe()),
                format!(
                    "ALTER SYSTEM SET max_worker_processes = {}; and restart the server.",
                    usage.needed()
                ),
            )
        }
    };
    Problem::new(
        PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
        "nothing is applying changes in this database",
    )
    .detail(detail)
    .hint(format!("CALL pg_tviews_drain(); or {remedy}"))
}

/// Keys that fail are not waited for, as that might take for ever. Not a WARNING: one such key would fill the server's log.
fn tell_of_dead_keys(tviews: &[Oid]) {
    let counts: Vec<(Oid, i64)> = with_latest_snapshot(|| {
        run_internal(|| {
            spi::session(|| {
                let rows = DEAD.with(|s| {
                    s.get(|| statement!("dead_letter_counts"), &[pg_sys::OIDARRAYOID])
                        .run(Access::Snapshot, &[Value::of(tviews.to_vec())], 0)
                });
                (0..rows.len())
                    .filter_map(|row| Some((rows.get(row, 0)?, rows.get(row, 1)?)))
                    .collect()
            })
        })
    });
    for (tview, keys) in counts {
        let table = relation::display(tview);
        let message = match keys {
            1 => format!("one row of {table} is not up to date: its key could not be recomputed"),
            more => format!("{more} rows of {table} are not up to date: their keys could not be recomputed"),
        };
        ErrorReport::new(
            PgSqlErrorCode::ERRCODE_SUCCESSFUL_COMPLETION,
            message,
            "pg_tviews",
        )
        .set_hint("SELECT * FROM pg_tview_dead_letter; says why.")
        .report(PgLogLevel::NOTICE);
    }
}

/// The TVIEWs to wait for in the order in which one feeds another.
pub(super) fn stages(only: Option<&Definition>) -> Vec<Vec<Oid>> {
    let definitions = run_internal(definition::load_all);
    let tviews: Vec<Oid> = match only {
        Some(only) => vec![only.tview],
        None => definitions.iter().map(|definition| definition.tview).collect(),
    };
    let sources: HashMap<Oid, &[Oid]> = definitions
        .iter()
        .map(|definition| (definition.tview, &definition.sources[..]))
        .collect();
    feeds::stages(&tviews, |tview| sources.get(&tview).copied())
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

/// Whether a change visible in the snapshot `target` is not absorbed by the TVIEW yet. One that is gone has nothing pending.
pub(super) fn is_pending(tview: Oid, target: &str) -> bool {
    look_pending(tview, target).unwrap_or(false)
}

fn look_pending(tview: Oid, target: &str) -> Option<bool> {
    planned_once();
    spi::session(|| {
        PENDING
            .with(|s| s.get(|| statement!("is_pending"), &[pg_sys::OIDOID, pg_sys::TEXTOID]))
            .run(Access::Snapshot, &[Value::of(tview), Value::of(target)], 1)
            .one::<bool>()
    })
}
