//! `pg_tviews.max_backlog`: the maximum number of changes that wait for a TVIEW which is not being refreshed.
//!
//! With more, the TVIEW gives up its changes: its position moves to now, and the next refresh compares all
//! rows.

use pgrx::pg_sys::{self, Oid};
use pgrx::PgSqlErrorCode;

use super::audit::{self, Entry};
use super::comparison::state;
use crate::catalog::definition;
use crate::catalog::state::{change_state, State};
use crate::error::Problem;
use crate::postgres::relation;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::transaction::lock::{self, ObjectLock};
use crate::postgres::transaction::{with_snapshot, Driver};
use crate::queue::now;
use crate::{settings, statement};

/// A TVIEW with too many pending changes.
struct Backlog {
    tview: Oid,
    entity_name: String,
    state: State,
    changes: i64,
    /// When the oldest change was made, as text.
    oldest: Option<String>,
}

/// Gives up the backlogs that exceed the limit, each in a transaction of its own. True if there was one.
pub fn enforce(driver: Driver) -> bool {
    if settings::max_backlog() == 0 {
        return false;
    }
    let found = driver.transaction(|| with_snapshot(|| excess(None)));
    let mut any = false;
    for backlog in found.unwrap_or_default() {
        let given_up = driver.repeatable_read(
            || is_busy(backlog.tview).then_some(false),
            || give_up(backlog.tview),
        );
        match given_up {
            Ok(given_up) => any |= given_up,
            Err(error) => pgrx::log!(
                "pg_tviews: could not give up the backlog of {}: {}",
                backlog.entity_name,
                error.message
            ),
        }
    }
    any
}

/// Takes the lock of the TVIEW before the snapshot, so that no refresh is in progress. True if another
/// session holds it.
fn is_busy(tview: Oid) -> bool {
    !definition::table().is_some_and(|class| lock::try_object(class, tview, ObjectLock::Exclusive))
}

/// Gives up the backlog of a TVIEW, under the snapshot that becomes its position. The audit row makes the
/// next refresh a population, see `audit_needs_population`.
fn give_up(tview: Oid) -> bool {
    let Some(backlog) = excess(Some(tview)).pop() else {
        return false;
    };
    let position = run_internal(now::seen);
    let name = relation::display(tview);
    let problem = Problem::new(
        PgSqlErrorCode::ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
        format!("{} changes that waited for {name} were given up", backlog.changes),
    )
    .detail(format!(
        "More than pg_tviews.max_backlog ({}) waited while it was {}. When it goes on, all its rows are compared with its view.",
        settings::max_backlog(),
        match backlog.state {
            State::Paused | State::Suspended => backlog.state.name(),
            State::Populating | State::Active => "failing",
        }
    ));
    let mut entry = Entry::new(&backlog.entity_name, tview, "give_up", audit::now());
    entry.status = audit::Status::Error;
    entry.sqlstate = Some(crate::error::sqlstate(problem.code));
    entry.message = Some(problem.message.clone());
    entry.details = Some(serde_json::json!({
        "detail": problem.detail,
        "changes": backlog.changes,
        "oldest_change_at": backlog.oldest,
    }));
    entry.position = Some(position);
    audit::add(entry);
    // The next refresh begins it again.
    spi::session(|| state::give_up(tview));
    if backlog.state == State::Active {
        change_state(tview, State::Populating);
    }
    problem.warn();
    true
}

/// TVIEWs (one, or all) that are not being refreshed and have more pending changes than the limit allows.
fn excess(tview: Option<Oid>) -> Vec<Backlog> {
    if definition::table().is_none() {
        return Vec::new();
    }
    run_internal(|| {
        spi::session(|| {
            let args = [
                (pg_sys::INT8OID, Value::of(settings::max_backlog() as i64)),
                (pg_sys::OIDOID, Value::of(tview)),
            ];
            let rows = spi::run(&statement!("queue_excess"), Access::Snapshot, &args);
            (0..rows.len())
                .filter_map(|row| {
                    Some(Backlog {
                        tview: rows.get(row, 0)?,
                        entity_name: rows.get(row, 1)?,
                        state: State::from_name(&rows.get::<String>(row, 2)?)?,
                        changes: rows.get(row, 3)?,
                        oldest: rows.get(row, 4),
                    })
                })
                .collect()
        })
    })
}
