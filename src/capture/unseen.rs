//! What this transaction has changed, in the order it did, and who has been shown how much of it. Plain Rust.
//!
//! A reader is whoever makes something of the changes inside the transaction: a preview of one TVIEW. What a reader has
//! been shown is bound to the subtransaction in which it was, like the rows it wrote meanwhile: a rollback takes both, and
//! the changes of that subtransaction. Memory stays bounded: a source with many changes becomes "all keys".

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher};

use super::key_set::ByHash;

/// More new keys of a source than this are "all keys".
const MOST_KEYS: usize = 10_000;
/// The same for the bytes of new keys.
const MOST_BYTES: usize = 1 << 20;
/// And for the memory of all that is remembered, shown or not: a reader that comes late is to be shown all of it.
const MOST_MEMORY: usize = 32 << 20;

struct Entry {
    level: u32,
    source: u32,
    /// None: every row of the source.
    key: Option<Box<[u8]>>,
}

impl Entry {
    fn bytes(&self) -> usize {
        self.key.as_ref().map_or(0, |key| key.len())
    }

    /// With its place in the list and among the last ones.
    fn memory(&self) -> usize {
        self.bytes() + size_of::<Entry>() + 32
    }
}

/// How far a reader has come.
struct Mark {
    level: u32,
    reader: u32,
    upto: usize,
    /// False: it tried and could not.
    shown: bool,
}

/// What a reader has not been shown of one source.
#[derive(Debug, PartialEq, Eq)]
pub struct SourceChanges {
    pub source: u32,
    /// A JSON array of change keys, in the encoding of the database; none: every row.
    pub keys: Option<Vec<u8>>,
    pub count: usize,
}

/// What a reader has not been shown.
#[derive(Debug, PartialEq, Eq)]
pub struct Changes {
    pub sources: Vec<SourceChanges>,
    /// To be handed to [`Unseen::mark`].
    pub upto: usize,
}

/// The changes of the current transaction.
#[derive(Default)]
pub struct Unseen {
    /// Levels never fall from one entry to the next: while a subtransaction is open, nothing happens outside of it.
    entries: Vec<Entry>,
    marks: Vec<Mark>,
    /// Where a key, or "every row", of a source was entered last. What was rolled back since is still in here.
    last: ByHash<usize>,
    /// Entries from here on are new to every reader.
    floor: usize,
    /// Entries from `floor` on, by source, and the bytes of their keys.
    new_keys: HashMap<u32, usize>,
    new_bytes: usize,
    memory: usize,
}

impl Unseen {
    /// Notes that the row behind a key (none: every row) of a source changed.
    pub fn add(&mut self, level: u32, source: u32, key: Option<&[u8]>) {
        if self.is_new_already(source, None) || self.is_new_already(source, key) {
            return;
        }
        let known = self.new_keys.get(&source).copied().unwrap_or(0);
        let key = key.filter(|key| {
            known < MOST_KEYS && self.new_bytes + key.len() <= MOST_BYTES && self.memory < MOST_MEMORY
        });
        let entry = Entry {
            level,
            source,
            key: key.map(Box::from),
        };
        self.last.insert(hash(source, key), self.entries.len());
        *self.new_keys.entry(source).or_default() += 1;
        self.new_bytes += entry.bytes();
        self.memory += entry.memory();
        self.entries.push(entry);
    }

    /// Whether there is nothing to show to anybody.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What a reader of these sources has not been shown. None: nothing, or nothing since it could not be.
    pub fn of(&self, reader: u32, sources: &[u32]) -> Option<Changes> {
        let upto = |shown: bool| {
            let marks = self.marks.iter().filter(|mark| mark.reader == reader);
            let marks = marks.filter(|mark| mark.shown || !shown);
            marks.map(|mark| mark.upto).max().unwrap_or(0)
        };
        let concerns = |entry: &&Entry| sources.contains(&entry.source);
        self.entries[upto(false)..].iter().find(concerns)?;
        let mut changes: Vec<SourceChanges> = Vec::new();
        for entry in self.entries[upto(true)..].iter().filter(concerns) {
            let index = changes.iter().position(|c| c.source == entry.source);
            let index = index.unwrap_or_else(|| {
                changes.push(SourceChanges {
                    source: entry.source,
                    keys: Some(Vec::new()),
                    count: 0,
                });
                changes.len() - 1
            });
            changes[index].take(entry);
        }
        changes.iter_mut().for_each(SourceChanges::finish);
        Some(Changes {
            sources: changes,
            upto: self.entries.len(),
        })
    }

    /// A reader has been shown the changes up to there, or it could not be.
    pub fn mark(&mut self, level: u32, reader: u32, upto: usize, shown: bool) {
        self.marks
            .retain(|mark| mark.level != level || mark.reader != reader || mark.shown != shown);
        self.marks.push(Mark {
            level,
            reader,
            upto: upto.min(self.entries.len()),
            shown,
        });
        self.recount();
    }

    /// A subtransaction committed: what it did lives and dies with the parent.
    pub fn committed(&mut self, subtransaction: u32, parent: u32) {
        let entries = self.entries.iter_mut().rev();
        for entry in entries.take_while(|entry| entry.level >= subtransaction) {
            entry.level = parent;
        }
        for mark in &mut self.marks {
            if mark.level >= subtransaction {
                mark.level = parent;
            }
        }
    }

    /// A subtransaction rolled back, and with it whatever was deeper.
    pub fn rolled_back(&mut self, subtransaction: u32) {
        while let Some(entry) = self.entries.pop_if(|entry| entry.level >= subtransaction) {
            self.memory -= entry.memory();
            if self.entries.len() >= self.floor {
                self.new_bytes -= entry.bytes();
                self.new_keys.entry(entry.source).and_modify(|keys| *keys -= 1);
            }
        }
        let before = self.marks.len();
        self.marks.retain(|mark| mark.level < subtransaction);
        if self.marks.len() != before {
            self.recount();
        }
    }

    /// The transaction is over.
    pub fn clear(&mut self) {
        if !self.entries.is_empty() || !self.marks.is_empty() {
            *self = Unseen::default();
        }
    }

    fn is_new_already(&self, source: u32, key: Option<&[u8]>) -> bool {
        let Some(&index) = self.last.get(&hash(source, key)) else {
            return false;
        };
        index >= self.floor
            && self
                .entries
                .get(index)
                .is_some_and(|entry| entry.source == source && entry.key.as_deref() == key)
    }

    fn recount(&mut self) {
        self.floor = self.marks.iter().map(|mark| mark.upto).max().unwrap_or(0);
        self.new_keys.clear();
        self.new_bytes = 0;
        for entry in &self.entries[self.floor..] {
            self.new_bytes += entry.bytes();
            *self.new_keys.entry(entry.source).or_default() += 1;
        }
    }
}

impl SourceChanges {
    fn take(&mut self, entry: &Entry) {
        self.count += 1;
        match (&mut self.keys, &entry.key) {
            (Some(keys), Some(key)) => {
                keys.push(if keys.is_empty() { b'[' } else { b',' });
                keys.extend_from_slice(key);
            }
            _ => self.keys = None,
        }
    }

    fn finish(&mut self) {
        if let Some(keys) = &mut self.keys {
            keys.push(b']');
        }
    }
}

fn hash(source: u32, key: Option<&[u8]>) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write_u32(source);
    match key {
        Some(key) => hasher.write(key),
        None => hasher.write_u8(0),
    }
    hasher.finish()
}

#[cfg(test)]
mod tests;
