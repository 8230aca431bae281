//! The backend-local set of change keys, one level per subtransaction. Plain Rust: it decides what becomes
//! a queue row and when, the caller writes.
//!
//! Rules it keeps: a rolled-back level takes away its own keys and nobody else's; a level's keys are only ever
//! handed out for writing while that level is the current one (a row written by a savepoint vanishes with it);
//! memory stays bounded whatever the transaction writes.

use super::key_set::KeySet;
use crate::postgres::triggers::capture::Operation;

/// A queue row ready to be written, `xid` and `enqueued_at` excepted.
#[derive(Debug, PartialEq, Eq)]
pub struct QueueRow {
    /// OID of the changed table (of the TVIEW for a refresh request).
    pub source: u32,
    pub operation: &'static str,
    /// A JSON array in the encoding of the database, or every row of the source.
    pub keys: Option<Vec<u8>>,
}

/// Where keys leave memory. Bytes of key text.
#[derive(Clone, Copy)]
pub struct Limits {
    /// A source's set above this, at one level, is written early.
    pub flush: usize,
    /// A source with more than this in one transaction becomes one "all keys" row.
    pub collapse: usize,
    /// All sets of all levels together.
    pub memory: usize,
}

impl Limits {
    pub const DEFAULT: Limits = Limits {
        flush: 1 << 20,
        collapse: 32 << 20,
        memory: 16 << 20,
    };
}

enum Keys {
    Distinct(KeySet),
    /// Every row of the source, not yet written.
    All,
    /// An "all keys" row is in the queue: nothing that follows at this level or deeper can add to it.
    AllWritten,
}

/// What one level knows about one source.
struct Changes {
    source: u32,
    operations: u8,
    keys: Keys,
    /// Bytes of keys this level has written early.
    written: usize,
    /// A subtransaction about to commit has written these keys along with its own; they are kept until it has.
    lent: bool,
}

impl Changes {
    fn new(source: u32) -> Self {
        Changes {
            source,
            operations: 0,
            keys: Keys::Distinct(KeySet::default()),
            written: 0,
            lent: false,
        }
    }

    fn is(&self, source: u32, operation: Operation) -> bool {
        self.source == source && self.is_request() == (operation == Operation::Refresh)
    }

    fn is_like(&self, other: &Changes) -> bool {
        self.source == other.source && self.is_request() == other.is_request()
    }

    fn is_request(&self) -> bool {
        self.operations & bit(Operation::Refresh) != 0
    }

    fn covers_everything(&self) -> bool {
        !matches!(self.keys, Keys::Distinct(_))
    }

    fn buffered(&self) -> usize {
        match &self.keys {
            Keys::Distinct(set) => set.bytes(),
            _ => 0,
        }
    }

    fn take_row(&mut self) -> Option<QueueRow> {
        let keys = match &mut self.keys {
            Keys::AllWritten => return None,
            Keys::Distinct(set) if set.is_empty() => return None,
            Keys::Distinct(set) => {
                self.written += set.bytes();
                Some(std::mem::take(set).into_json_array())
            }
            Keys::All => {
                self.keys = Keys::AllWritten;
                None
            }
        };
        let operation = name_of(self.operations);
        // A request stays recognisable as one; a change starts a new row with new operations.
        self.operations &= bit(Operation::Refresh);
        Some(QueueRow {
            source: self.source,
            operation,
            keys,
        })
    }

    /// Lets the set of a subtransaction about to commit take along what is here, if together they are too much.
    fn lend_to(&mut self, child: &mut Changes, limit: usize) {
        let (Keys::Distinct(mine), Keys::Distinct(theirs)) = (&self.keys, &mut child.keys) else {
            return;
        };
        if mine.bytes() + theirs.bytes() > limit {
            theirs.absorb(mine);
            child.operations |= self.operations;
            self.lent = true;
        }
    }

    /// The borrower committed: the keys are with it, in the queue or in its set.
    fn settle(&mut self) {
        if std::mem::take(&mut self.lent) && !self.covers_everything() {
            self.keys = Keys::Distinct(KeySet::default());
            self.operations &= bit(Operation::Refresh);
        }
    }

    fn absorb(&mut self, child: Changes) {
        self.operations |= child.operations;
        self.written += child.written;
        match (&mut self.keys, child.keys) {
            (Keys::AllWritten, _) => {}
            (mine, Keys::AllWritten) => *mine = Keys::AllWritten,
            (Keys::All, _) => {}
            (mine, Keys::All) => *mine = Keys::All,
            (Keys::Distinct(mine), Keys::Distinct(theirs)) => mine.merge(theirs),
        }
    }
}

fn bit(operation: Operation) -> u8 {
    1 << operation as u8
}

fn name_of(operations: u8) -> &'static str {
    const NAMES: [(Operation, &str); 5] = [
        (Operation::Insert, "INSERT"),
        (Operation::Update, "UPDATE"),
        (Operation::Delete, "DELETE"),
        (Operation::Truncate, "TRUNCATE"),
        (Operation::Refresh, "REFRESH"),
    ];
    NAMES
        .iter()
        .find(|(operation, _)| bit(*operation) == operations)
        .map_or("MIXED", |(_, name)| name)
}

/// One subtransaction that has changes.
struct Level {
    subtransaction: u32,
    changes: Vec<Changes>,
}

/// Every change of the current transaction that is not yet in the queue.
pub struct ChangeBuffer {
    limits: Limits,
    /// Outermost first; a subtransaction without changes has no level.
    levels: Vec<Level>,
    /// Bytes in all sets of all levels.
    buffered: usize,
}

impl ChangeBuffer {
    pub const fn new(limits: Limits) -> Self {
        ChangeBuffer {
            limits,
            levels: Vec::new(),
            buffered: 0,
        }
    }

    /// Adds one key of `source`. True: [`take_full`](Self::take_full) should be called and its rows written.
    #[must_use]
    pub fn add(&mut self, subtransaction: u32, source: u32, operation: Operation, key: &[u8]) -> bool {
        if self.covered(source, operation) {
            return false;
        }
        // One such key would make a queue row of unbounded size.
        if key.len() > self.limits.flush {
            self.add_all(subtransaction, source, operation);
            return false;
        }
        let elsewhere = self.bytes_below_top(subtransaction, source, operation);
        let limits = self.limits;
        let changes = self.changes_at(subtransaction, source, operation);
        changes.operations |= bit(operation);
        let Keys::Distinct(set) = &mut changes.keys else {
            return false;
        };
        let before = set.bytes();
        if !set.insert(key) {
            return false;
        }
        let bytes = set.bytes();
        if elsewhere + changes.written + bytes > limits.collapse {
            changes.keys = Keys::All;
            self.buffered -= before;
            return false;
        }
        self.buffered += bytes - before;
        bytes > limits.flush || self.buffered > limits.memory
    }

    /// Marks every row of `source` as changed.
    pub fn add_all(&mut self, subtransaction: u32, source: u32, operation: Operation) {
        if self.covered(source, operation) {
            return;
        }
        let changes = self.changes_at(subtransaction, source, operation);
        changes.operations |= bit(operation);
        let freed = changes.buffered();
        changes.keys = Keys::All;
        self.buffered -= freed;
    }

    /// Rows of the current level to write now to get below the limits. Outer levels cannot be written from
    /// here: if they are what fills the memory, they collapse to "all keys" (else every further key would
    /// become a row of its own).
    pub fn take_full(&mut self, subtransaction: u32) -> Vec<QueueRow> {
        let everything = self.buffered > self.limits.memory;
        let flush = self.limits.flush;
        let mut rows = Vec::new();
        if let Some(level) = self
            .levels
            .last_mut()
            .filter(|level| level.subtransaction == subtransaction)
        {
            let full = level
                .changes
                .iter_mut()
                .filter(|changes| everything || changes.buffered() > flush);
            rows.extend(full.filter_map(Changes::take_row));
        }
        self.recount();
        if everything && self.buffered > self.limits.memory / 2 {
            let sets = self.levels.iter_mut().flat_map(|level| &mut level.changes);
            for changes in sets.filter(|changes| changes.buffered() > 0) {
                changes.keys = Keys::All;
            }
            self.recount();
        }
        rows
    }

    /// Rows that a subtransaction about to commit writes as its last act, because its keys and its parent's
    /// together are too many. The parent's keys go along, else each of many small savepoints would write a row
    /// of its own; they stay in memory until the subtransaction has committed.
    pub fn take_before_merge(&mut self, subtransaction: u32, parent: u32) -> Vec<QueueRow> {
        let [.., outer, level] = &mut self.levels[..] else {
            return Vec::new();
        };
        if level.subtransaction != subtransaction || outer.subtransaction != parent {
            return Vec::new();
        }
        let flush = self.limits.flush;
        let mut rows = Vec::new();
        for changes in &mut level.changes {
            if let Some(lender) = outer.changes.iter_mut().find(|lender| lender.is_like(changes)) {
                lender.lend_to(changes, flush);
            }
            if changes.buffered() > flush {
                rows.extend(changes.take_row());
            }
        }
        // Not otherwise: savepoints may be thousands deep.
        if !rows.is_empty() || outer.changes.iter().any(|changes| changes.lent) {
            self.recount();
        }
        rows
    }

    /// Everything left, at the end of the transaction.
    pub fn take_rest(&mut self) -> Vec<QueueRow> {
        while self.levels.len() > 1 {
            let (child, parent) = (self.levels.pop(), self.levels.last_mut());
            if let (Some(child), Some(parent)) = (child, parent) {
                parent.absorb(child);
            }
        }
        let changes = self.levels.iter_mut().flat_map(|level| &mut level.changes);
        let rows = changes.filter_map(Changes::take_row).collect();
        self.recount();
        rows
    }

    /// A subtransaction committed: its keys now live and die with the parent.
    pub fn committed(&mut self, subtransaction: u32, parent: u32) {
        match self.levels.pop_if(|level| level.subtransaction == subtransaction) {
            None => {}
            Some(mut level) => match self.levels.last_mut() {
                Some(outer) if outer.subtransaction == parent => {
                    let before = outer.buffered() + level.buffered();
                    outer.changes.iter_mut().for_each(Changes::settle);
                    outer.absorb(level);
                    self.buffered = self.buffered.saturating_sub(before) + outer.buffered();
                }
                _ => {
                    level.subtransaction = parent;
                    self.levels.push(level);
                }
            },
        }
    }

    /// A subtransaction rolled back, and with it whatever was deeper.
    pub fn rolled_back(&mut self, subtransaction: u32) {
        while let Some(level) = self.levels.pop_if(|level| level.subtransaction >= subtransaction) {
            self.buffered = self.buffered.saturating_sub(level.buffered());
        }
        // A lender is the level next to the one that was about to commit.
        for changes in self
            .levels
            .last_mut()
            .into_iter()
            .flat_map(|level| &mut level.changes)
        {
            changes.lent = false;
        }
    }

    /// The transaction is over.
    pub fn clear(&mut self) {
        self.levels.clear();
        self.buffered = 0;
    }

    pub fn is_empty(&self) -> bool {
        self.levels.is_empty()
    }

    /// Bytes of keys in memory.
    pub fn bytes(&self) -> usize {
        self.buffered
    }

    /// Every source that has a change at some level, written or not; may repeat.
    pub fn sources(&self) -> impl Iterator<Item = u32> + '_ {
        self.levels
            .iter()
            .flat_map(|level| &level.changes)
            .map(|changes| changes.source)
    }

    /// Some level on the stack already says "all keys": it outlives every level above it.
    fn covered(&self, source: u32, operation: Operation) -> bool {
        self.levels
            .iter()
            .rev()
            .filter_map(|level| level.changes.iter().find(|changes| changes.is(source, operation)))
            .any(Changes::covers_everything)
    }

    fn bytes_below_top(&self, subtransaction: u32, source: u32, operation: Operation) -> usize {
        let outer = self
            .levels
            .iter()
            .take_while(|level| level.subtransaction < subtransaction);
        outer
            .filter_map(|level| level.changes.iter().find(|changes| changes.is(source, operation)))
            .map(|changes| changes.written + changes.buffered())
            .sum()
    }

    fn changes_at(&mut self, subtransaction: u32, source: u32, operation: Operation) -> &mut Changes {
        let current = self
            .levels
            .last()
            .is_some_and(|level| level.subtransaction == subtransaction);
        if !current {
            self.levels.push(Level {
                subtransaction,
                changes: Vec::new(),
            });
        }
        let top = self.levels.len() - 1;
        self.levels[top].changes_of(source, operation)
    }

    fn recount(&mut self) {
        let sets = self.levels.iter().flat_map(|level| &level.changes);
        self.buffered = sets.map(Changes::buffered).sum();
    }
}

impl Level {
    fn buffered(&self) -> usize {
        self.changes.iter().map(Changes::buffered).sum()
    }

    fn changes_of(&mut self, source: u32, operation: Operation) -> &mut Changes {
        let found = self
            .changes
            .iter()
            .position(|changes| changes.is(source, operation));
        let index = found.unwrap_or_else(|| {
            let mut changes = Changes::new(source);
            changes.operations = bit(operation);
            self.changes.push(changes);
            self.changes.len() - 1
        });
        &mut self.changes[index]
    }

    fn absorb(&mut self, child: Level) {
        for changes in child.changes {
            match self.changes.iter().position(|mine| mine.is_like(&changes)) {
                Some(index) => self.changes[index].absorb(changes),
                None => self.changes.push(changes),
            }
        }
    }
}

#[cfg(test)]
mod tests;
