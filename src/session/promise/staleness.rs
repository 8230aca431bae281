//! How late TVIEWs are in the active snapshot.

use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_sys::{self, Oid};

use super::bound::Bound;
use crate::catalog::session_statement::SessionStatement;
use crate::catalog::state::State;
use crate::postgres::queue_scan::{self, QueueRow};
use crate::postgres::run_as::{planned_once, run_internal};
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::stored_snapshot::StoredSnapshot;
use crate::statement;

thread_local! {
    static STALENESS: SessionStatement = const { SessionStatement::new() };
}

/// A TVIEW that does not show a change which the bound includes.
pub struct Stale {
    pub tview: Oid,
    pub state: State,
}

/// How late a TVIEW is.
pub struct Lag {
    /// When the oldest change was made that it does not show, in microseconds since 2000.
    pub since: i64,
    /// The number of changes that it does not show.
    pub changes: i64,
}

/// What the active snapshot shows of TVIEWs.
pub struct Found {
    /// The first of them that is too late.
    pub stale: Option<Stale>,
    /// Nothing is pending for any of them.
    pub is_current: bool,
    /// TVIEWs with dead keys.
    pub with_dead_keys: Vec<Oid>,
}

/// A TVIEW as the snapshot shows it.
pub(super) struct Shown {
    tview: Oid,
    state: State,
    /// The sources whose rows in the queue it reads, and itself for requests.
    sources: Vec<Oid>,
    pub position: Option<StoredSnapshot>,
    /// The position as PostgreSQL has it.
    position_value: Value,
    /// Since when all rows, or some of them, must be compared with the view.
    pub unfilled_since: Option<i64>,
}

/// How late a TVIEW is in the active snapshot; None if it was dropped. Reads all that is pending.
pub fn lag(tview: Oid) -> Option<Lag> {
    run_internal(|| {
        spi::session(|| {
            let (shown, _) = read(&[tview]);
            shown.first().map(Shown::lag)
        })
    })
}

/// What is pending for a TVIEW.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lateness {
    Nothing,
    /// No change that the bound includes.
    Pending,
    TooLate,
}

/// Checks these TVIEWs.
pub fn of(tviews: &[Oid], bound: &Bound) -> Found {
    run_internal(|| {
        spi::session(|| {
            let (shown, with_dead_keys) = read(tviews);
            let mut is_current = with_dead_keys.is_empty() && shown.len() == tviews.len();
            let stale = shown.iter().find_map(|shown| {
                let lateness = shown.lateness(bound);
                is_current &= lateness == Lateness::Nothing;
                (lateness == Lateness::TooLate).then_some(Stale {
                    tview: shown.tview,
                    state: shown.state,
                })
            });
            Found {
                stale,
                is_current,
                with_dead_keys,
            }
        })
    })
}

/// The TVIEWs as the active snapshot shows them, and those with dead keys. Inside an SPI session, with internal rights.
pub(super) fn read(tviews: &[Oid]) -> (Vec<Shown>, Vec<Oid>) {
    planned_once();
    let rows = STALENESS.with(|s| {
        s.get(|| statement!("staleness"), &[pg_sys::OIDARRAYOID]).run(
            Access::Snapshot,
            &[Value::of(tviews.to_vec())],
            0,
        )
    });
    let time = |row, column| rows.get::<TimestampWithTimeZone>(row, column).map(i64::from);
    let mut dead = Vec::new();
    let mut shown = Vec::new();
    for row in 0..rows.len() {
        let (Some(tview), Some(state)) = (
            rows.get::<Oid>(row, 0),
            rows.get::<String>(row, 1)
                .and_then(|name| State::from_name(&name)),
        ) else {
            continue;
        };
        let position_value = rows.value(row, 2);
        let mut sources: Vec<Oid> = rows.get(row, 6).unwrap_or_default();
        sources.push(tview);
        shown.push(Shown {
            tview,
            state,
            sources,
            position: StoredSnapshot::of_value(position_value),
            position_value,
            unfilled_since: [time(row, 3), time(row, 4)].into_iter().flatten().min(),
        });
        if rows.get(row, 5) == Some(true) {
            dead.push(tview);
        }
    }
    (shown, dead)
}

impl Shown {
    fn lateness(&self, bound: &Bound) -> Lateness {
        let mut found = match self.unfilled_since {
            Some(since) if bound.includes_time(since) => return Lateness::TooLate,
            Some(_) => Lateness::Pending,
            None => Lateness::Nothing,
        };
        self.pending(|row| {
            found = if bound.includes(row) {
                Lateness::TooLate
            } else {
                Lateness::Pending
            };
            found != Lateness::TooLate
        });
        found
    }

    /// Calls `use_row` with the changes that are not absorbed; false ends the search.
    pub fn pending(&self, mut use_row: impl FnMut(&QueueRow) -> bool) {
        queue_scan::search(&self.sources, self.position.as_ref(), |row| {
            let is_own = row.is_request == (row.source == self.tview);
            !is_own || use_row(row)
        });
    }

    fn lag(&self) -> Lag {
        let mut since = self.unfilled_since.unwrap_or(i64::MAX);
        self.pending(|row| {
            since = since.min(row.at);
            true
        });
        let args = [
            (pg_sys::OIDOID, Value::of(self.tview)),
            (pg_sys::OIDARRAYOID, Value::of(self.sources.clone())),
            (pg_sys::PG_SNAPSHOTOID, self.position_value),
        ];
        let changes = spi::run(&statement!("queue_pending_changes"), Access::Snapshot, &args);
        Lag {
            since,
            changes: changes.one().unwrap_or(0),
        }
    }
}
