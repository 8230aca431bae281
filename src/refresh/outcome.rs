//! The outcome of a refresh.

use std::time::Duration;

/// How a refresh ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// All changes visible at its start are applied.
    UpToDate,
    /// The same, and a comparison of all rows is to be continued.
    Comparing,
    /// A step has taken longer than the limit of this worker.
    TooLong,
    /// Another session holds the TVIEW, or locks what the TVIEW reads: the refresh is tried again soon.
    Busy,
    /// Paused, dropped, or without its view.
    NotReady,
    /// Its group is not the one that the worker knows: the worker has to load definitions first.
    Regrouped,
    /// The refresh failed, and is tried again later.
    Failed,
    /// The view fails for all keys: changes wait until the view works again.
    Suspended,
    /// Code of another role has run in this process: another process must refresh the TVIEW.
    Refused,
}

/// What a refresh did.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    pub changes: u64,
    pub keys: u64,
    /// The time that applying changes took, without making the plan and the first population.
    pub duration: Duration,
    pub status: Status,
    /// When the first dead key is to be retried, in microseconds since 2000.
    pub retry_at: Option<i64>,
    /// Some rows wait for another TVIEW that is behind.
    pub awaits: bool,
}
