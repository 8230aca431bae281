//! The change keys of the current transaction that are not written yet, one level per subtransaction. Plain
//! Rust: the buffer decides which keys become a queue row and when; the caller writes the row.
//!
//! Three rules hold:
//! - A rollback removes the keys of its own level, and of no other.
//! - Keys of a level are handed out for writing only while that level is the current one. A row written by a
//!   savepoint disappears with the savepoint.
//! - Memory stays bounded, however much the transaction changes.

use super::key_set::KeySet;
use super::net_changes::{NetChange, RowChange};
use crate::postgres::triggers::capture::Operation;
use crate::queue::row::{Operations, Row};

/// When keys leave memory. Bytes of key text.
#[derive(Clone, Copy)]
pub struct Limits {
    /// A set of one source at one level that is larger is written early.
    pub flush: usize,
    /// A source with more keys in one transaction gets one row for all keys.
    pub collapse: usize,
    /// The maximum of all sets and net changes of all levels together.
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
    /// All keys of the source, not written yet.
    All,
    /// A row for all keys is in the queue. Further changes at this level or deeper add nothing.
    AllWritten,
}

/// The changes of one source at one level.
struct Changes {
    source: u32,
    operations: Operations,
    keys: Keys,
    /// Unknown as soon as keys are written early.
    net: NetChange,
    /// Bytes of keys that this level has written early.
    written: usize,
    /// A subtransaction that is about to commit has written these keys along with its own. They are kept
    /// until the commit is done.
    lent: bool,
}

impl Changes {
    fn new(source: u32) -> Self {
        Changes {
            source,
            operations: Operations::default(),
            keys: Keys::Distinct(KeySet::default()),
            net: NetChange::default(),
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
        self.operations.contains(Operation::Refresh)
    }

    fn covers_everything(&self) -> bool {
        !matches!(self.keys, Keys::Distinct(_))
    }

    /// Bytes of keys.
    fn buffered(&self) -> usize {
        match &self.keys {
            Keys::Distinct(set) => set.bytes(),
            _ => 0,
        }
    }

    /// Bytes of keys and of the net change.
    fn memory(&self) -> usize {
        self.buffered() + self.net.bytes()
    }

    fn become_all(&mut self) {
        self.keys = Keys::All;
        self.net = NetChange::Unknown;
    }

    /// A row to be written before the transaction ends: its net change is unknown.
    fn take_early(&mut self) -> Option<Row> {
        self.net = NetChange::Unknown;
        self.take_row()
    }

    fn take_row(&mut self) -> Option<Row> {
        let keys = match &mut self.keys {
            Keys::AllWritten => return None,
            Keys::Distinct(set) if set.is_empty() => return None,
            Keys::Distinct(set) => {
                self.written += set.bytes();
                Some(std::mem::take(set).into_json_array())
            }
            Keys::All => {
                self.keys = Keys::AllWritten;
                self.net = NetChange::Unknown;
                None
            }
        };
        let operation = self.operations.name();
        // A request stays a request; the next change starts a row with operations of its own.
        self.operations.keep_only(Operation::Refresh);
        Some(Row {
            source: self.source,
            operation,
            keys,
            net: self.net.take_json(),
        })
    }

    /// Copies these keys into the set of a subtransaction that is about to commit, if both together exceed
    /// the limit.
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

    /// The subtransaction that took these keys along has committed: they are in the queue or in its set.
    fn settle(&mut self) {
        if std::mem::take(&mut self.lent) && !self.covers_everything() {
            self.keys = Keys::Distinct(KeySet::default());
            self.operations.keep_only(Operation::Refresh);
        }
    }

    fn absorb(&mut self, child: Changes) {
        self.operations |= child.operations;
        self.written += child.written;
        self.net.absorb(child.net);
        match (&mut self.keys, child.keys) {
            (Keys::AllWritten, _) => {}
            (mine, Keys::AllWritten) => *mine = Keys::AllWritten,
            (Keys::All, _) => {}
            (mine, Keys::All) => *mine = Keys::All,
            (Keys::Distinct(mine), Keys::Distinct(theirs)) => mine.merge(theirs),
        }
    }
}

/// A subtransaction that has changes.
struct Level {
    subtransaction: u32,
    changes: Vec<Changes>,
}

/// The changes of the current transaction that are not in the queue yet.
pub struct ChangeBuffer {
    limits: Limits,
    /// Outermost first; a subtransaction without changes has no level.
    levels: Vec<Level>,
    /// Bytes of all keys and net changes of all levels.
    memory: usize,
}

impl ChangeBuffer {
    pub const fn new(limits: Limits) -> Self {
        ChangeBuffer {
            limits,
            levels: Vec::new(),
            memory: 0,
        }
    }

    /// Adds one key of `source`, and how its row has changed. True: the caller is to write the rows of
    /// [`take_full`](Self::take_full).
    #[must_use]
    pub fn add(
        &mut self,
        subtransaction: u32,
        source: u32,
        operation: Operation,
        key: &[u8],
        change: RowChange,
    ) -> bool {
        if self.covered(source, operation) {
            return false;
        }
        // A key without a limit would make a queue row without a limit.
        if key.len() > self.limits.flush {
            self.add_all(subtransaction, source, operation);
            return false;
        }
        let elsewhere = self.bytes_below_top(subtransaction, source, operation);
        let limits = self.limits;
        let changes = self.changes_at(subtransaction, source, operation);
        changes.operations |= Operations::of(operation);
        let before = changes.memory();
        changes.net.add(change);
        let Keys::Distinct(set) = &mut changes.keys else {
            return false;
        };
        let is_new = set.insert(key);
        if is_new && elsewhere + changes.written + set.bytes() > limits.collapse {
            changes.become_all();
        }
        let is_full = is_new && changes.buffered() > limits.flush;
        let after = changes.memory();
        self.memory = self.memory - before + after;
        is_full || self.memory > limits.memory
    }

    /// Whether an image of a change would be kept.
    pub fn keeps_images(&self, source: u32, operation: Operation) -> bool {
        let levels = self.levels.iter();
        let mut levels = levels.filter_map(|level| level.changes.iter().find(|c| c.is(source, operation)));
        levels.all(|changes| !changes.covers_everything() && !matches!(changes.net, NetChange::Unknown))
    }

    /// Marks all rows of `source` as changed.
    pub fn add_all(&mut self, subtransaction: u32, source: u32, operation: Operation) {
        if self.covered(source, operation) {
            return;
        }
        let changes = self.changes_at(subtransaction, source, operation);
        changes.operations |= Operations::of(operation);
        let freed = changes.memory();
        changes.become_all();
        self.memory -= freed;
    }

    /// Rows of the current level to write now, to get below the limits. Net changes go first: they are unknown
    /// then. Outer levels cannot be written at this moment. If they fill the memory, they become "all keys";
    /// otherwise each further key would become a row of its own.
    pub fn take_full(&mut self, subtransaction: u32) -> Vec<Row> {
        if self.memory > self.limits.memory {
            let changes = self.levels.iter_mut().flat_map(|level| &mut level.changes);
            changes.for_each(|changes| changes.net = NetChange::Unknown);
            self.recount();
        }
        let everything = self.memory > self.limits.memory;
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
            rows.extend(full.filter_map(Changes::take_early));
        }
        self.recount();
        if everything && self.memory > self.limits.memory / 2 {
            let sets = self.levels.iter_mut().flat_map(|level| &mut level.changes);
            for changes in sets.filter(|changes| changes.buffered() > 0) {
                changes.become_all();
            }
            self.recount();
        }
        rows
    }

    /// Rows that a subtransaction writes right before its commit, because its keys and those of its parent
    /// together are too many. The keys of the parent are written as well; otherwise each of many small
    /// savepoints would write a row of its own. They stay in memory until the subtransaction has committed.
    pub fn take_before_merge(&mut self, subtransaction: u32, parent: u32) -> Vec<Row> {
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
                rows.extend(changes.take_early());
            }
        }
        // Only if something changed: savepoints may be nested thousands deep.
        if !rows.is_empty() || outer.changes.iter().any(|changes| changes.lent) {
            self.recount();
        }
        rows
    }

    /// The rows of all levels, at the end of the transaction.
    pub fn take_rest(&mut self) -> Vec<Row> {
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

    /// A subtransaction committed: its keys belong to the parent now.
    pub fn committed(&mut self, subtransaction: u32, parent: u32) {
        match self.levels.pop_if(|level| level.subtransaction == subtransaction) {
            None => {}
            Some(mut level) => match self.levels.last_mut() {
                Some(outer) if outer.subtransaction == parent => {
                    let before = outer.memory() + level.memory();
                    outer.changes.iter_mut().for_each(Changes::settle);
                    outer.absorb(level);
                    self.memory = self.memory.saturating_sub(before) + outer.memory();
                }
                _ => {
                    level.subtransaction = parent;
                    self.levels.push(level);
                }
            },
        }
    }

    /// A subtransaction rolled back, and with it all subtransactions inside of it.
    pub fn rolled_back(&mut self, subtransaction: u32) {
        while let Some(level) = self.levels.pop_if(|level| level.subtransaction >= subtransaction) {
            self.memory = self.memory.saturating_sub(level.memory());
        }
        // Only the parent of a subtransaction that was about to commit can have lent keys.
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
        self.memory = 0;
    }

    pub fn is_empty(&self) -> bool {
        self.levels.is_empty()
    }

    /// Bytes of keys and net changes in memory.
    pub fn bytes(&self) -> usize {
        self.memory
    }

    /// Sources that have a change at some level, written or not. A source may come more than once.
    pub fn sources(&self) -> impl Iterator<Item = u32> + '_ {
        self.levels
            .iter()
            .flat_map(|level| &level.changes)
            .map(|changes| changes.source)
    }

    /// Whether some level has "all keys" already. That level is discarded no sooner than those inside of it.
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
        self.memory = sets.map(Changes::memory).sum();
    }
}

impl Level {
    fn memory(&self) -> usize {
        self.changes.iter().map(Changes::memory).sum()
    }

    fn changes_of(&mut self, source: u32, operation: Operation) -> &mut Changes {
        let found = self
            .changes
            .iter()
            .position(|changes| changes.is(source, operation));
        let index = found.unwrap_or_else(|| {
            let mut changes = Changes::new(source);
            changes.operations = Operations::of(operation);
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
