//! Settings of the comparison of tables with their views in the background.

use std::time::Duration;

use pgrx::GucSetting;

use super::kinds::{Changed, Number, Percentage, Unit};

static VERIFY_CYCLE: Number = Number {
    name: c"pg_tviews.verify_cycle",
    short: c"Time in which workers compare every row of every TVIEW with its view once.",
    long: c"Rows that differ, and have no pending change, are reported and recomputed. 0 turns this off.",
    unit: Unit::Seconds,
    range: 0..=i32::MAX,
    changed: Changed::OnReload,
    value: GucSetting::<i32>::new(7 * 24 * 60 * 60),
};

static VERIFY_SHARE: Percentage = Percentage {
    name: c"pg_tviews.verify_share",
    short: c"Maximum share of one CPU that this takes in each database, in percent.",
    long: c"If it is too small for all rows, comparing them takes longer than pg_tviews.verify_cycle.",
    range: 0.001..=100.0,
    changed: Changed::OnReload,
    value: GucSetting::<f64>::new(1.0),
};

pub(super) fn define() {
    VERIFY_CYCLE.define();
    VERIFY_SHARE.define();
}

/// In what time every row of every TVIEW is compared with the view once; None: rows are not verified.
pub fn verify_cycle() -> Option<Duration> {
    let cycle = VERIFY_CYCLE.time();
    (!cycle.is_zero()).then_some(cycle)
}

/// The share of its time that one CPU may spend on that, in each database: from 0 to 1.
pub fn verify_share() -> f64 {
    VERIFY_SHARE.share()
}
