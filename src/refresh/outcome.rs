//! What became of a refresh.

use std::time::Duration;

/// How a refresh ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Everything visible when it started is applied.
    UpToDate,
    /// The same, and all rows are being compared: that is to be gone on with.
    Comparing,
    /// It has taken longer than it may here.
    TooLong,
    /// Another session is at this TVIEW, or DDL at what it reads: it is tried again soon.
    Busy,
    /// Paused, dropped, or without its view.
    NotReady,
    /// To be tried again after a while.
    Failed,
    /// The view fails whatever the key: changes wait until it works again.
    Suspended,
    /// Code of another role has run in this process: it is for another one.
    Refused,
}

/// What a refresh did.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    pub changes: u64,
    pub keys: u64,
    /// What applying changes took: neither making the plan nor the first population, which come once.
    pub duration: Duration,
    pub status: Status,
    /// When the first of its dead keys is to be tried again, in microseconds since 2000.
    pub retry_at: Option<i64>,
    /// Some rows wait for another TVIEW.
    pub awaits: bool,
}
