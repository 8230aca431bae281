//! Which changes a query must see.

use std::time::Duration;

use crate::postgres::process::clock;
use crate::postgres::queue_scan::QueueRow;
use crate::postgres::stored_snapshot::StoredSnapshot;

/// A bound on how late rows may be, from one moment on.
pub struct Bound {
    /// How late they may be.
    pub maximum: Duration,
    /// When the query began, in microseconds since 2000.
    began: i64,
    /// What was committed then.
    seen: StoredSnapshot,
}

impl Bound {
    /// A bound for a query that begins now. Under the snapshot of the query.
    pub fn begin(maximum: Duration) -> Bound {
        Bound {
            maximum,
            began: clock::now(),
            seen: StoredSnapshot::of_active(),
        }
    }

    /// Whether the query must see this change.
    pub fn includes(&self, row: &QueueRow) -> bool {
        self.includes_time(row.at) || (self.includes_all() || row.at > self.began) && self.seen.sees(row.xid)
    }

    /// Whether the query must see changes made at that time.
    pub fn includes_time(&self, at: i64) -> bool {
        let maximum = i64::try_from(self.maximum.as_micros()).unwrap_or(i64::MAX);
        at <= self.began.saturating_sub(maximum)
    }

    /// Everything that was committed before. Otherwise times decide, unless the clock was set back since.
    fn includes_all(&self) -> bool {
        self.maximum.is_zero()
    }
}
