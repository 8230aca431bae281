//! What this transaction has changed, in the order it did, and who has been shown how much of it. Plain Rust.
//!
//! A reader is whoever makes something of the changes inside the transaction: a preview of one TVIEW. What a reader has
//! been shown is bound to the subtransaction in which it was, like the rows it wrote meanwhile: a rollback takes both, and
//! the changes of that subtransaction. Memory stays bounded: a source with many changes becomes "all keys".

use std::hash::{DefaultHasher, Hasher};

use super::key_set::{ByHash, FEW};

/// More new keys of a source than this are "all keys".
const MOST_KEYS: usize = 10_000;
/// The same for the bytes of new keys.
const MOST_BYTES: usize = 1 << 20;
/// And for the memory of all that is remembered, shown or not: a reader that comes late is to be shown all of it.
const MOST_MEMORY: usize = 32 << 20;

struct Entry {
    level: u32,
    source: u32,
    /// Start and length of the text; none: every row of the source.
    key: Option<(usize, usize)>,
}

impl Entry {
    fn bytes(&self) -> usize {
        self.key.map_or(0, |(_, length)| length)
    }
}

/// What is new to every reader of one source.
struct New {
    source: u32,
    entries: usize,
    /// Whether "every row" is among them.
    all: bool,
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
    /// The keys of all entries, one after the other.
    text: Vec<u8>,
    marks: Vec<Mark>,
    /// Where a key of a source was entered last, up to the entry `hashed`. What was rolled back since is still in here.
    last: ByHash<usize>,
    hashed: usize,
    /// Entries from here on are new to every reader.
    floor: usize,
    /// Entries from `floor` on, by source, and the bytes of their keys.
    new: Vec<New>,
    new_bytes: usize,
}

impl Unseen {
    /// Notes that the row behind a key (none: every row) of a source changed.
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

    /// Bytes that the next key may ask for at once, where something has to grow for it.
    pub fn growth(&self, key: usize) -> usize {
        /// A hash, a place, and what the table needs besides.
        const IN_TABLE: usize = 40;
        let doubled = |needed: usize, capacity: usize, size: usize| match needed > capacity {
            true => 2 * needed * size,
            false => 0,
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
            changes[index].take(self.key(entry));
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

    /// The transaction is over. What a small one needed is kept for the next.
    pub fn clear(&mut self) {
        const SMALL: usize = 4096;
        if !self.last.is_empty() || !self.marks.is_empty() || self.text.capacity() > SMALL {
            *self = Unseen::default();
        }
        self.entries.clear();
        self.text.clear();
        self.hashed = 0;
        self.new.clear();
        self.new_bytes = 0;
    }

    /// With the places of entries in the list and among the last ones.
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
