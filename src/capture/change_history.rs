//! The changes of this transaction in their order, and how far each reader has been shown them. Plain Rust.
//!
//! A reader is a preview of one TVIEW. A mark of how far a reader has come belongs to the subtransaction that
//! set it, like the rows that the preview wrote. A rollback removes both, and the changes of that
//! subtransaction. Memory stays bounded: a source with many changes becomes "all keys".

use std::hash::{DefaultHasher, Hasher};

use super::key_set::{ByHash, FEW};

/// Maximum number of new keys of a source; more become "all keys".
const MOST_KEYS: usize = 10_000;
/// Maximum size of all new keys, in bytes.
const MOST_BYTES: usize = 1 << 20;
/// Maximum size of the whole history, in bytes. Changes that were shown stay: a later reader needs them, too.
const MOST_MEMORY: usize = 32 << 20;

struct Entry {
    level: u32,
    source: u32,
    /// Start and length of the key in the text; None: all rows of the source.
    key: Option<(usize, usize)>,
}

impl Entry {
    fn bytes(&self) -> usize {
        self.key.map_or(0, |(_, length)| length)
    }
}

/// The entries of one source that no reader has been shown.
struct New {
    source: u32,
    entries: usize,
    /// One of them stands for all rows.
    all: bool,
}

/// How far a reader has come.
struct Mark {
    level: u32,
    reader: u32,
    upto: usize,
    /// False: the preview failed.
    shown: bool,
}

/// What a reader has not been shown of one source.
#[derive(Debug, PartialEq, Eq)]
pub struct SourceChanges {
    pub source: u32,
    /// A JSON array of change keys, in the encoding of the database; None: all rows.
    pub keys: Option<Vec<u8>>,
    pub count: usize,
}

/// What a reader has not been shown.
#[derive(Debug, PartialEq, Eq)]
pub struct Changes {
    pub sources: Vec<SourceChanges>,
    /// The place in the history to pass to [`ChangeHistory::mark`].
    pub upto: usize,
}

/// The changes of the current transaction.
#[derive(Default)]
pub struct ChangeHistory {
    /// In ascending order of levels: while a subtransaction is open, its parent changes nothing.
    entries: Vec<Entry>,
    /// The keys of all entries, one after the other.
    text: Vec<u8>,
    marks: Vec<Mark>,
    /// The last entry of each key, by hash. Covers the entries before `hashed`, and entries rolled back
    /// since.
    last: ByHash<usize>,
    hashed: usize,
    /// No reader has been shown the entries from here on.
    floor: usize,
    /// Entries from `floor` on, by source, and the bytes of their keys.
    new: Vec<New>,
    new_bytes: usize,
}

impl ChangeHistory {
    /// Notes that the row behind a key of a source changed; None: all rows.
    pub fn add(&mut self, level: u32, source: u32, key: Option<&[u8]>) {
        let (known, all) = self
            .new
            .iter()
            .find(|new| new.source == source)
            .map_or((0, false), |new| (new.entries, new.all));
        if all || key.is_some_and(|key| self.is_new_already(source, key)) {
            return;
        }
        let key = key.filter(|key| {
            known < MOST_KEYS && self.new_bytes + key.len() <= MOST_BYTES && self.memory() < MOST_MEMORY
        });
        let start = self.text.len();
        self.text.extend_from_slice(key.unwrap_or_default());
        self.entries.push(Entry {
            level,
            source,
            key: key.map(|key| (start, key.len())),
        });
        self.count_new(self.entries.len() - 1);
        self.hash_many();
    }

    /// Bytes that adding the next key may allocate.
    pub fn growth(&self, key: usize) -> usize {
        /// A hash, a place, and the overhead of the hash table.
        const IN_TABLE: usize = 40;
        let doubled = |needed: usize, capacity: usize, size: usize| {
            if needed > capacity {
                2 * needed * size
            } else {
                0
            }
        };
        let text = doubled(self.text.len() + key, self.text.capacity(), 1);
        let entries = doubled(
            self.entries.len() + 1,
            self.entries.capacity(),
            size_of::<Entry>(),
        );
        text.max(entries)
            .max(doubled(self.last.len() + 1, self.last.capacity(), IN_TABLE))
    }

    /// Bytes of all keys.
    pub fn bytes(&self) -> usize {
        self.text.len()
    }

    /// Whether this transaction has changed nothing yet.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What a reader of these sources has not been shown; None: nothing, or nothing since its preview failed.
    pub fn not_shown(&self, reader: u32, sources: &[u32]) -> Option<Changes> {
        let upto = |shown: bool| {
            let marks = self.marks.iter().filter(|mark| mark.reader == reader);
            let marks = marks.filter(|mark| mark.shown || !shown);
            marks.map(|mark| mark.upto).max().unwrap_or(0)
        };
        let is_of_sources = |entry: &&Entry| sources.contains(&entry.source);
        self.entries[upto(false)..].iter().find(is_of_sources)?;
        let mut changes: Vec<SourceChanges> = Vec::new();
        for entry in self.entries[upto(true)..].iter().filter(is_of_sources) {
            let index = changes.iter().position(|c| c.source == entry.source);
            let index = index.unwrap_or_else(|| {
                changes.push(SourceChanges {
                    source: entry.source,
                    keys: Some(Vec::new()),
                    count: 0,
                });
                changes.len() - 1
            });
            changes[index].take(self.key(entry));
        }
        changes.iter_mut().for_each(SourceChanges::finish);
        Some(Changes {
            sources: changes,
            upto: self.entries.len(),
        })
    }

    /// Whether a reader was shown changes.
    pub fn was_shown(&self, reader: u32) -> bool {
        self.marks.iter().any(|mark| mark.reader == reader && mark.shown)
    }

    /// Notes that a reader was shown the changes before `upto`, or that its preview failed.
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

    /// A subtransaction committed: its changes and marks belong to the parent now.
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

    /// A subtransaction rolled back, and with it all subtransactions inside of it.
    pub fn rolled_back(&mut self, subtransaction: u32) {
        while let Some(entry) = self.entries.pop_if(|entry| entry.level >= subtransaction) {
            if self.entries.len() >= self.floor {
                self.new_bytes -= entry.bytes();
                if let Some(new) = self.new.iter_mut().find(|new| new.source == entry.source) {
                    new.entries -= 1;
                    new.all &= entry.key.is_some();
                }
            }
            if let Some((start, _)) = entry.key {
                self.text.truncate(start);
            }
        }
        self.hashed = self.hashed.min(self.entries.len());
        let before = self.marks.len();
        self.marks.retain(|mark| mark.level < subtransaction);
        if self.marks.len() != before {
            self.recount();
        }
    }

    /// The transaction is over. A small allocation is kept for the next one.
    pub fn clear(&mut self) {
        const SMALL: usize = 4096;
        if !self.last.is_empty() || !self.marks.is_empty() || self.text.capacity() > SMALL {
            *self = ChangeHistory::default();
        }
        self.entries.clear();
        self.text.clear();
        self.hashed = 0;
        self.new.clear();
        self.new_bytes = 0;
    }

    /// Bytes of all keys, with what their entries and hashes take.
    fn memory(&self) -> usize {
        self.text.len() + self.entries.len() * (size_of::<Entry>() + 32)
    }

    fn key(&self, entry: &Entry) -> Option<&[u8]> {
        entry.key.map(|(start, length)| &self.text[start..start + length])
    }

    fn is_new_already(&self, source: u32, key: &[u8]) -> bool {
        let is = |entry: &Entry| entry.source == source && self.key(entry) == Some(key);
        let new = &self.entries[self.floor..];
        if new.len() <= FEW {
            return new.iter().any(is);
        }
        let last = self.last.get(&hash(source, key));
        let last = last.and_then(|index| new.get(index.checked_sub(self.floor)?));
        last.is_some_and(is)
    }

    fn hash_many(&mut self) {
        if self.entries.len() - self.floor > FEW {
            for index in self.hashed..self.entries.len() {
                let entry = &self.entries[index];
                if let Some(key) = self.key(entry) {
                    self.last.insert(hash(entry.source, key), index);
                }
            }
            self.hashed = self.entries.len();
        }
    }

    fn recount(&mut self) {
        self.floor = self.marks.iter().map(|mark| mark.upto).max().unwrap_or(0);
        self.new.clear();
        self.new_bytes = 0;
        (self.floor..self.entries.len()).for_each(|index| self.count_new(index));
        self.hash_many();
    }

    fn count_new(&mut self, index: usize) {
        let entry = &self.entries[index];
        self.new_bytes += entry.bytes();
        let all = entry.key.is_none();
        match self.new.iter_mut().find(|new| new.source == entry.source) {
            Some(new) => {
                new.entries += 1;
                new.all |= all;
            }
            None => self.new.push(New {
                source: entry.source,
                entries: 1,
                all,
            }),
        }
    }
}

impl SourceChanges {
    fn take(&mut self, key: Option<&[u8]>) {
        self.count += 1;
        match (&mut self.keys, key) {
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

fn hash(source: u32, key: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write_u32(source);
    hasher.write(key);
    hasher.finish()
}

#[cfg(test)]
mod tests;
