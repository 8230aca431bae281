//! Settings of the refresh workers.

use std::time::Duration;

use pgrx::GucSetting;

use super::kinds::{Changed, Number, Switch, Unit};

static ENABLED: Switch = Switch {
    name: c"pg_tviews.enabled",
    short: c"Refresh TVIEWs in background workers.",
    long: c"When off, changes are still captured and wait in pg_tview_queue.",
    changed: Changed::OnReload,
    value: GucSetting::<bool>::new(true),
};

static WORKERS: Number = Number {
    name: c"pg_tviews.workers",
    short: c"Maximum number of refresh workers per database.",
    long: c"Each worker takes one slot of max_worker_processes. 0 stops all workers.",
    unit: Unit::Things,
    range: 0..=64,
    changed: Changed::OnReload,
    value: GucSetting::<i32>::new(2),
};

static MAX_LATENCY: Number = Number {
    name: c"pg_tviews.max_latency",
    short: c"Default bound on the time from commit to visible in the tv table.",
    long: c"Under load a refresh may wait for a part of this time, so that many changes share one refresh.",
    unit: Unit::Milliseconds,
    range: 1..=i32::MAX,
    changed: Changed::OnReload,
    value: GucSetting::<i32>::new(250),
};

pub(super) fn define() {
    ENABLED.define();
    WORKERS.define();
    MAX_LATENCY.define();
}

/// Workers refresh while this is on. When it is turned off, running refreshes finish and none begins.
pub fn enabled() -> bool {
    ENABLED.is_on()
}

/// Refresh workers per database.
pub fn workers() -> usize {
    WORKERS.count()
}

/// Default bound from commit to visible, for TVIEWs that set none of their own.
pub fn max_latency() -> Duration {
    MAX_LATENCY.time()
}
