//! Settings of the change feed.

use std::time::Duration;

use pgrx::GucSetting;

use super::kinds::{Changed, Number, Switch, Unit};

static FEED_NOTIFY: Switch = Switch {
    name: c"pg_tviews.feed_notify",
    short: c"Let workers notify consumers of the change feed.",
    long: c"Sends NOTIFY pg_tviews with the name of the entity as payload, after refreshes that have changed rows.",
    changed: Changed::OnReload,
    value: GucSetting::<bool>::new(false),
};

static FEED_MAX_KEYS: Number = Number {
    name: c"pg_tviews.feed_max_keys",
    short: c"Maximum number of keys that one transaction adds to the change feed.",
    long: c"With more, one change EVERYTHING without keys takes their place.",
    unit: Unit::Things,
    range: 1..=1_000_000,
    changed: Changed::OnReload,
    value: GucSetting::<i32>::new(10_000),
};

static FEED_RETENTION: Number = Number {
    name: c"pg_tviews.feed_retention",
    short: c"How long changes are kept for a consumer that does not acknowledge them.",
    long: c"Then they are removed, and the consumer has to subscribe again.",
    unit: Unit::Seconds,
    range: 1..=i32::MAX,
    changed: Changed::OnReload,
    value: GucSetting::<i32>::new(7 * 24 * 60 * 60),
};

static FEED_MAX_SIZE: Number = Number {
    name: c"pg_tviews.feed_max_size",
    short: c"Maximum size of the changes that are kept for consumers that do not acknowledge them.",
    long: c"Beyond it the oldest are removed, and consumers that lack them have to subscribe again.",
    unit: Unit::Megabytes,
    range: 1..=i32::MAX,
    changed: Changed::OnReload,
    value: GucSetting::<i32>::new(1024),
};

pub(super) fn define() {
    FEED_NOTIFY.define();
    FEED_MAX_KEYS.define();
    FEED_RETENTION.define();
    FEED_MAX_SIZE.define();
}

/// Workers notify consumers of the change feed.
pub fn feed_notify() -> bool {
    FEED_NOTIFY.is_on()
}

/// Maximum number of keys that one transaction adds to the change feed; with more, any row may have changed.
pub fn feed_max_keys() -> usize {
    FEED_MAX_KEYS.count()
}

/// How long changes are kept for consumers that do not acknowledge them.
pub fn feed_retention() -> Duration {
    FEED_RETENTION.time()
}

/// Maximum size of the changes that are kept for such consumers, in bytes.
pub fn feed_max_size() -> i64 {
    FEED_MAX_SIZE.bytes() as i64
}
