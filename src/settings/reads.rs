//! Settings of sessions that read tv tables: their own changes, and how late the rows may be.

use std::time::Duration;

use pgrx::{GucSetting, PostgresGucEnum};

use super::kinds::{Changed, Choice, Number, Switch, Unit};

/// What a query does whose tv tables are later than `pg_tviews.max_staleness`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PostgresGucEnum)]
pub enum OnStale {
    /// It waits, and fails after `pg_tviews.stale_timeout`.
    #[name = c"wait"]
    Wait,
    /// It fails.
    #[name = c"error"]
    Error,
    /// It reads the rows as they are, and a NOTICE says so.
    #[name = c"notice"]
    Notice,
}

static READ_YOUR_WRITES: Switch = Switch {
    name: c"pg_tviews.read_your_writes",
    short: c"Let queries see the changes of their own transaction in tv tables.",
    long: c"Before a query that reads a tv table starts, the rows that the transaction's changes affect are recomputed.",
    changed: Changed::InSession,
    value: GucSetting::<bool>::new(true),
};

static PREVIEW_LIMIT: Number = Number {
    name: c"pg_tviews.preview_limit",
    short:
        c"Maximum number of rows of a tv table recomputed before a query to show its transaction's changes.",
    long: c"With more rows, the query runs on the rows as they are, and a NOTICE says so.",
    unit: Unit::Things,
    range: 1..=1_000_000,
    changed: Changed::InSession,
    value: GucSetting::<i32>::new(1000),
};

static MAX_STALENESS: Number = Number {
    name: c"pg_tviews.max_staleness",
    short: c"Maximum age of changes that a query may miss in the tv tables it reads.",
    long: c"0: everything committed before the query began is in the rows. -1: queries read the rows as they are.",
    unit: Unit::Milliseconds,
    range: -1..=i32::MAX,
    changed: Changed::InSession,
    value: GucSetting::<i32>::new(-1),
};

static ON_STALE: Choice<OnStale> = Choice {
    name: c"pg_tviews.on_stale",
    short: c"What a query does whose tv tables are later than pg_tviews.max_staleness.",
    long: c"It waits for refreshes, or fails, or reads the rows as they are and sends a NOTICE.",
    changed: Changed::InSession,
    value: GucSetting::<OnStale>::new(OnStale::Wait),
};

static STALE_TIMEOUT: Number = Number {
    name: c"pg_tviews.stale_timeout",
    short: c"How long a query waits for refreshes before it fails.",
    long: c"Applies where pg_tviews.on_stale is wait. 0 means no limit.",
    unit: Unit::Milliseconds,
    range: 0..=i32::MAX,
    changed: Changed::InSession,
    value: GucSetting::<i32>::new(30_000),
};

pub(super) fn define() {
    READ_YOUR_WRITES.define();
    PREVIEW_LIMIT.define();
    MAX_STALENESS.define();
    ON_STALE.define();
    STALE_TIMEOUT.define();
}

/// Whether queries see the changes of their own transaction in tv tables.
pub fn read_your_writes() -> bool {
    READ_YOUR_WRITES.is_on()
}

/// Maximum number of rows of a tv table recomputed before one query to show its transaction's changes.
pub fn preview_limit() -> usize {
    PREVIEW_LIMIT.count()
}

/// Whether queries have a bound on how late the rows of tv tables are. Asked before every query.
pub fn bounds_staleness() -> bool {
    MAX_STALENESS.get() >= 0
}

/// How late the rows may be that a query reads from tv tables; None: no bound.
pub fn max_staleness() -> Option<Duration> {
    bounds_staleness().then(|| MAX_STALENESS.time())
}

/// What a query does whose tv tables are later than that.
pub fn on_stale() -> OnStale {
    ON_STALE.get()
}

/// How long such a query waits; None: no limit.
pub fn stale_timeout() -> Option<Duration> {
    let limit = STALE_TIMEOUT.time();
    (!limit.is_zero()).then_some(limit)
}
