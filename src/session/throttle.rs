//! Back-pressure: a statement that writes a source whose TVIEWs are later than their `throttle_lag` begins a
//! little later, before it locks rows. In proportion to the excess, and for at most [`MOST`] per transaction.

use std::cell::Cell;
use std::ffi::CStr;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use pgrx::pg_sys::Oid;

use crate::postgres::hooks::executor;
use crate::postgres::hooks::transaction_events::{Handlers, SubtransactionEvent, TransactionEvent};
use crate::postgres::inheritance;
use crate::postgres::process::{self, clock, latch, time_limit};
use crate::postgres::{role, run_as, wait_event};
use crate::wake::database::Database;
use crate::wake::throttle::{self, Excess};

/// The longest delay of a transaction, reached where a TVIEW is twice as late as it may be.
const MOST: Duration = Duration::from_millis(100);

/// What a session that is delayed waits for, where extensions have names of their own.
const EVENT: &CStr = c"PgTviewsThrottle";

/// Called at events of transactions.
pub const HANDLERS: Handlers = Handlers {
    transaction: |event| {
        if event != TransactionEvent::BeforeEnd {
            DELAYED.set(Duration::ZERO);
        }
    },
    subtransaction: |_: SubtransactionEvent| {},
};

thread_local! {
    /// How long the current transaction was delayed.
    static DELAYED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    /// Number of [`EVENT`], once it is known.
    static EVENT_NUMBER: Cell<Option<u32>> = const { Cell::new(None) };
}

/// Whether writers of some table of this database are delayed now. Asked before each statement that writes.
pub fn may_delay() -> bool {
    throttle::is_any()
        && Database::find(process::database()).is_some_and(|database| database.throttle.is_late(clock::now()))
}

/// Before a statement writes these tables. Never an error, except what cancels the statement anyway. Refreshes
/// in a session and previews, which write tables of TVIEWs, are not delayed.
pub fn before_write(tables: &[Oid]) {
    let delayed = DELAYED.get();
    if delayed >= MOST || !process::serves_client() || run_as::at_own_work() || executor::writes_already() {
        return;
    }
    let Some(database) = Database::find(process::database()) else {
        return;
    };
    let now = clock::now();
    let Some(excess) = tables
        .iter()
        .filter_map(|table| of_table(database, *table, now))
        .max_by_key(|excess| delay(*excess))
    else {
        return;
    };
    // A timeout of the session leaves most of its time to the statement.
    let most = time_limit::left().map_or(MOST, |left| left / 4);
    let delay = delay(excess).saturating_sub(delayed).min(most);
    // Waiting is of use only while a worker catches up.
    if delay.is_zero() || role::is_privileged() || !is_refreshing(database) {
        return;
    }
    let event = event();
    let begin = Instant::now();
    let until = begin + delay;
    while let Some(left) = until
        .checked_duration_since(Instant::now())
        .filter(|left| !left.is_zero())
    {
        if !latch::pause_at(left, event) {
            break;
        }
    }
    let took = begin.elapsed();
    DELAYED.set(delayed + took);
    database
        .throttle
        .note_delay(delayed.is_zero(), took.as_micros() as u64);
}

/// In proportion to the excess.
fn delay(excess: Excess) -> Duration {
    let share = excess.excess as f64 / excess.lag.max(1) as f64;
    MOST.mul_f64(share.clamp(0.0, 1.0))
}

/// A view may name a partitioned table above the one that is written.
fn of_table(database: &Database, table: Oid, now: i64) -> Option<Excess> {
    let of = |table: Oid| database.throttle.excess(table, now);
    of(table).or_else(|| {
        let above = inheritance::ancestors_of_partition(table).into_iter();
        above.filter_map(of).max_by_key(|excess| delay(*excess))
    })
}

fn event() -> u32 {
    let event = EVENT_NUMBER.get().unwrap_or_else(|| wait_event::named(EVENT));
    EVENT_NUMBER.set(Some(event));
    event
}

fn is_refreshing(database: &Database) -> bool {
    database.workers.running().any(|worker| !worker.off.load(SeqCst))
}
