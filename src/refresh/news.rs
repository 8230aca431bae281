//! How far changes are applied that are committed while a large backlog is worked off. See
//! [`super::apply_news`].

use std::time::{Duration, Instant};

use pgrx::pg_sys::Oid;

use crate::queue::position::Position;
use crate::wake::queue_blocks;

/// The pause between two reads of the queue.
const PAUSE: Duration = Duration::from_millis(50);

/// How far later changes have been applied in between.
pub struct News {
    /// None: no more of them are applied.
    upto: Option<Position>,
    /// None: at once.
    read_at: Option<Instant>,
}

impl News {
    /// Of changes after the snapshot in which the queue was read for the backlog.
    pub fn after(snapshot: Option<&Position>) -> News {
        News {
            upto: snapshot.cloned(),
            read_at: Some(Instant::now()),
        }
    }

    /// Of changes that a TVIEW with this position has not absorbed.
    pub fn since(position: Option<&Position>) -> News {
        News {
            upto: position.cloned(),
            read_at: None,
        }
    }

    /// Whether a source may have changed since, and the queue is to be read again.
    pub fn may_exist(&self, sources: impl FnOnce() -> Vec<Oid>) -> bool {
        let is_new = |upto: &Position| !upto.xip.is_empty() || !queue_blocks::all_older(sources(), upto.xmax);
        let is_due = self.read_at.is_none_or(|read_at| read_at.elapsed() >= PAUSE);
        is_due && self.upto.as_ref().is_some_and(is_new)
    }

    /// Changes up to this snapshot are applied, or left for the next refresh. Returns the snapshot before it.
    pub fn move_to(&mut self, snapshot: Position) -> Option<Position> {
        self.upto.replace(snapshot)
    }

    /// Up to where they are.
    pub fn upto(&self) -> Option<Position> {
        self.upto.clone()
    }

    /// Changes since an earlier snapshot are not applied after all.
    pub fn go_back(&mut self, earlier: Option<Position>) {
        self.upto = earlier;
    }

    /// A read of the queue has ended, and what it found is applied.
    pub fn read(&mut self) {
        self.read_at = Some(Instant::now());
    }

    /// No more of them are applied.
    pub fn end(&mut self) {
        self.upto = None;
    }
}
