//! How a refresh of several TVIEWs ended, for each of them.

use std::time::Duration;

use pgrx::pg_sys::Oid;

use crate::refresh::outcome::{Outcome, Status};

/// What became of one of the TVIEWs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// All changes visible at the start are applied.
    UpToDate,
    /// Another session holds the TVIEW, or locks what it reads. None of the TVIEWs was refreshed.
    Busy,
    /// It was not refreshed, because another one could not be.
    Waits,
    /// It is to be refreshed alone: it failed, is not ready, or has more to do than one transaction is to do.
    Alone,
    /// A step has taken longer than the limit of this worker.
    TooLong,
    /// Its group is not the one that the worker knows. None of the TVIEWs was refreshed.
    Regrouped,
    /// Code of another role has run in this process: another process must refresh the TVIEWs.
    Refused,
}

/// One of the TVIEWs.
#[derive(Debug, Clone, Copy)]
pub struct Member {
    pub tview: Oid,
    pub verdict: Verdict,
    pub changes: u64,
    pub keys: u64,
    /// When its first dead key is to be retried, in microseconds since 2000.
    pub retry_at: Option<i64>,
    /// The time that the transaction took.
    pub duration: Duration,
}

impl Member {
    pub fn new(tview: Oid) -> Member {
        Member {
            tview,
            verdict: Verdict::Waits,
            changes: 0,
            keys: 0,
            retry_at: None,
            duration: Duration::ZERO,
        }
    }

    /// The same as of a refresh alone; None: it is not up to date, and has not been tried alone.
    pub fn outcome(&self) -> Option<Outcome> {
        let status = match self.verdict {
            Verdict::UpToDate => Status::UpToDate,
            Verdict::Busy => Status::Busy,
            Verdict::TooLong => Status::TooLong,
            Verdict::Regrouped => Status::Regrouped,
            Verdict::Refused => Status::Refused,
            Verdict::Waits | Verdict::Alone => return None,
        };
        Some(Outcome {
            changes: self.changes,
            keys: self.keys,
            duration: self.duration,
            status,
            retry_at: self.retry_at,
            awaits: false,
        })
    }
}
