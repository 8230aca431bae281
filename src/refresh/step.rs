//! What a transaction of a refresh leads to: the end of the refresh, or more work.

use super::audit::Entry;
use super::keys::Batches;
use super::look_up::under_way::LookUp;
use super::news::News;
use super::outcome::Status;
use crate::queue::position::Position;

/// A backlog that is stored in parts.
pub struct Shared {
    /// The parts that are not stored yet.
    pub batches: Batches,
    /// The number of parts that are.
    pub parts: usize,
    pub entry: Entry,
    pub before: Option<Position>,
    pub news: News,
}

/// What a transaction of a refresh leads to.
pub enum Step {
    Done(Status),
    /// All rows were compared, for the first time or after a redefinition.
    Populated,
    /// The plan no longer fits the catalogs.
    Stale,
    /// There are many changes, whose keys are looked up in parts.
    LookUp(Box<LookUp>),
    /// Keys are left after the first batch.
    More(Box<Backlog>),
    /// All keys are to be stored, in parts for several workers.
    Shared(Box<Shared>),
    /// More than one transaction with other TVIEWs is to apply: the TVIEW is refreshed alone.
    Alone,
}

impl Step {
    /// The status after a later transaction than the first. Another process took over, or the definition
    /// changed: the position has not moved, so nothing is lost.
    pub fn status(self) -> Status {
        match self {
            Step::Done(status) => status,
            Step::Stale
            | Step::Populated
            | Step::LookUp(_)
            | Step::More(_)
            | Step::Shared(_)
            | Step::Alone => Status::Busy,
        }
    }
}

/// What the first transaction leads to, with the numbers of changes read and of keys found.
pub struct First {
    pub step: Step,
    pub changes: u64,
    pub keys: u64,
}

impl First {
    pub fn new(step: Step, changes: u64, keys: u64) -> First {
        First { step, changes, keys }
    }

    pub fn done(status: Status) -> First {
        First::new(Step::Done(status), 0, 0)
    }

    pub fn stale() -> First {
        First::new(Step::Stale, 0, 0)
    }
}

/// Keys that are left after the first batch, and the audit row that moves the position after the last.
pub struct Backlog {
    pub batches: Batches,
    pub entry: Entry,
    pub before: Option<Position>,
    pub news: News,
    /// Batches are as large as fits between two reads of the queue; otherwise as large as they may be.
    pub in_small_batches: bool,
}
