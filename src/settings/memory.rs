//! Settings of memory: of sessions, of workers, and the shared memory of the server.

use pgrx::GucSetting;

use super::kinds::{Changed, Number, Unit};

static PLAN_CACHE_SIZE: Number = Number {
    name: c"pg_tviews.plan_cache_size",
    short: c"Memory that a session keeps for plans of TVIEWs.",
    long: c"The least recently used plan is removed first and made again when needed.",
    unit: Unit::Kilobytes,
    range: 0..=i32::MAX / 1024,
    changed: Changed::InSession,
    value: GucSetting::<i32>::new(5 * 1024),
};

static WORKER_PLAN_CACHE_SIZE: Number = Number {
    name: c"pg_tviews.worker_plan_cache_size",
    short: c"Memory that a refresh worker keeps for plans of TVIEWs.",
    long: c"The least recently used plan is removed first. With too little memory, refreshes are planned again and again.",
    unit: Unit::Kilobytes,
    range: 0..=i32::MAX / 1024,
    changed: Changed::OnReload,
    value: GucSetting::<i32>::new(32 * 1024),
};

static MAX_DATABASES: Number = Number {
    name: c"pg_tviews.max_databases",
    short: c"Maximum number of databases that can have workers at the same time.",
    long: c"Determines the size of shared memory.",
    unit: Unit::Things,
    range: 1..=1024,
    changed: Changed::AtRestart,
    value: GucSetting::<i32>::new(16),
};

static MAX_TVIEWS: Number = Number {
    name: c"pg_tviews.max_tviews",
    short: c"Maximum number of TVIEWs, over all databases, whose progress is tracked in shared memory.",
    long: c"Further TVIEWs are checked on every wake. Determines the size of shared memory.",
    unit: Unit::Things,
    range: 16..=1_000_000,
    changed: Changed::AtRestart,
    value: GucSetting::<i32>::new(2048),
};

pub(super) fn define() {
    PLAN_CACHE_SIZE.define();
    WORKER_PLAN_CACHE_SIZE.define();
}

/// What sizes shared memory.
pub(super) fn define_sizes() {
    MAX_DATABASES.define();
    MAX_TVIEWS.define();
}

/// Memory of a session for plans of TVIEWs, in bytes.
pub fn plan_cache_size() -> usize {
    PLAN_CACHE_SIZE.bytes()
}

/// Memory of a worker for plans of TVIEWs, in bytes.
pub fn worker_plan_cache_size() -> usize {
    WORKER_PLAN_CACHE_SIZE.bytes()
}

/// Databases that can have workers at the same time (sizes shared memory).
pub fn max_databases() -> usize {
    MAX_DATABASES.count()
}

/// TVIEWs, over all databases, whose progress shared memory tracks (sizes shared memory).
pub fn max_tviews() -> usize {
    MAX_TVIEWS.count()
}
