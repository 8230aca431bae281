//! Settings of refreshes: how much is done in one transaction, what follows a failure, and what is kept.

use std::time::Duration;

use pgrx::{GucSetting, PostgresGucEnum};

use super::kinds::{Changed, Choice, Number, Unit};

/// How a redefined TVIEW gets its new rows that one transaction cannot compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PostgresGucEnum)]
pub enum BeyondLimit {
    /// They fill a stage, and replace the old ones together.
    #[name = c"stage"]
    Stage,
    /// Batches write them to the tv table.
    #[name = c"batches"]
    Batches,
}

static BATCH_SIZE: Number = Number {
    name: c"pg_tviews.batch_size",
    short: c"Maximum number of keys recomputed by one refresh transaction.",
    long: c"A larger backlog is applied in several transactions.",
    unit: Unit::Things,
    range: 1..=10_000_000,
    changed: Changed::OnReload,
    value: GucSetting::<i32>::new(10_000),
};

static RETRY_BACKOFF: Number = Number {
    name: c"pg_tviews.retry_backoff",
    short: c"Wait before the first retry of a failed refresh.",
    long: c"The wait doubles with every further failure, up to a minute.",
    unit: Unit::Milliseconds,
    range: 1..=60_000,
    changed: Changed::OnReload,
    value: GucSetting::<i32>::new(500),
};

static RETRY_LIMIT: Number = Number {
    name: c"pg_tviews.retry_limit",
    short: c"Number of quick retries of a failed refresh and of a dead key.",
    long: c"After that a refresh isolates the keys that fail, and a dead key is tried every ten minutes.",
    unit: Unit::Things,
    range: 0..=1000,
    changed: Changed::OnReload,
    value: GucSetting::<i32>::new(5),
};

static REFRESH_TIMEOUT: Number = Number {
    name: c"pg_tviews.refresh_timeout",
    short: c"Maximum time of one step of a refresh in a worker: finding the affected keys, or recomputing a batch of keys.",
    long: c"A longer step counts as failed. 0 means no limit.",
    unit: Unit::Milliseconds,
    range: 0..=i32::MAX,
    changed: Changed::OnReload,
    value: GucSetting::<i32>::new(0),
};

static REDEFINE_LIMIT: Number = Number {
    name: c"pg_tviews.redefine_limit",
    short: c"Maximum time of the transaction in which all rows of a redefined TVIEW follow the new definition.",
    long: c"Readers see the rows of one definition. For what takes longer see pg_tviews.redefine_beyond_limit. 0 means in batches.",
    unit: Unit::Milliseconds,
    range: 0..=i32::MAX,
    changed: Changed::OnReload,
    value: GucSetting::<i32>::new(30_000),
};

static REDEFINE_BEYOND_LIMIT: Choice<BeyondLimit> = Choice {
    name: c"pg_tviews.redefine_beyond_limit",
    short: c"How a redefined TVIEW gets its new rows that take longer than pg_tviews.redefine_limit.",
    long: c"With stage, they replace the old ones together in the end. With batches, readers see old and new rows meanwhile.",
    changed: Changed::OnReload,
    value: GucSetting::<BeyondLimit>::new(BeyondLimit::Stage),
};

static LOCK_TIMEOUT: Number = Number {
    name: c"pg_tviews.lock_timeout",
    short: c"How long a refresh waits for rows or tables that another session has locked.",
    long: c"Then the refresh gives up and is tried again. Must be below deadlock_timeout, or deadlocks with refreshes end sessions.",
    unit: Unit::Milliseconds,
    range: 1..=60_000,
    changed: Changed::OnReload,
    value: GucSetting::<i32>::new(200),
};

static MAX_BACKLOG: Number = Number {
    name: c"pg_tviews.max_backlog",
    short: c"Maximum number of changes kept for a TVIEW that is paused, suspended or failing.",
    long: c"Beyond it the changes are given up, and all rows are compared when the TVIEW is refreshed again. 0 means no limit.",
    unit: Unit::Things,
    range: 0..=i32::MAX,
    changed: Changed::OnReload,
    value: GucSetting::<i32>::new(1_000_000),
};

static RUNNING_THRESHOLD: Number = Number {
    name: c"pg_tviews.running_threshold",
    short: c"Minimum number of source rows of a group whose aggregates are stored.",
    long: c"Stored aggregates are moved on by what transactions change, and their groups are not read again. 0 stores none.",
    unit: Unit::Things,
    range: 0..=i32::MAX,
    changed: Changed::OnReload,
    value: GucSetting::<i32>::new(500),
};

static AUDIT_RETENTION: Number = Number {
    name: c"pg_tviews.audit_retention",
    short: c"How long rows of pg_tview_meta_audit are kept.",
    long: c"The newest row with the position of a TVIEW is kept whatever its age.",
    unit: Unit::Seconds,
    range: 1..=i32::MAX,
    changed: Changed::OnReload,
    value: GucSetting::<i32>::new(7 * 24 * 60 * 60),
};

pub(super) fn define() {
    BATCH_SIZE.define();
    RETRY_BACKOFF.define();
    RETRY_LIMIT.define();
    REFRESH_TIMEOUT.define();
    REDEFINE_LIMIT.define();
    REDEFINE_BEYOND_LIMIT.define();
    LOCK_TIMEOUT.define();
    MAX_BACKLOG.define();
    RUNNING_THRESHOLD.define();
    AUDIT_RETENTION.define();
}

/// Maximum number of keys that one refresh transaction recomputes.
pub fn batch_size() -> usize {
    BATCH_SIZE.count()
}

/// Wait before the first retry of a failed refresh; doubles with every further failure.
pub fn retry_backoff() -> Duration {
    RETRY_BACKOFF.time()
}

/// Server errors in a row before a refresh isolates the keys that fail. Attempts at a dead key before it is
/// tried every ten minutes only.
pub fn retry_limit() -> u32 {
    RETRY_LIMIT.get() as u32
}

/// Maximum time of one step of a refresh in a worker; zero: no limit.
pub fn refresh_timeout() -> Duration {
    REFRESH_TIMEOUT.time()
}

/// Maximum time of the transaction that gives all rows of a redefined TVIEW their new definition; zero: batches.
pub fn redefine_limit() -> Duration {
    REDEFINE_LIMIT.time()
}

/// Whether the new rows of a redefined TVIEW replace the old ones together where one transaction cannot compute them.
pub fn redefines_by_stage() -> bool {
    !redefine_limit().is_zero() && REDEFINE_BEYOND_LIMIT.get() == BeyondLimit::Stage
}

/// How long a refresh waits for a lock that another session holds.
pub fn lock_timeout() -> Duration {
    LOCK_TIMEOUT.time()
}

/// Maximum number of changes kept for a TVIEW that is not being refreshed; zero: no limit.
pub fn max_backlog() -> u32 {
    MAX_BACKLOG.get() as u32
}

/// Minimum number of source rows of a group whose aggregates are stored; zero: no group is stored.
pub fn running_threshold() -> i64 {
    i64::from(RUNNING_THRESHOLD.get())
}

/// How long audit rows are kept.
pub fn audit_retention() -> Duration {
    AUDIT_RETENTION.time()
}
