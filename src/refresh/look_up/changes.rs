//! Changes whose keys are to be looked up: in memory, and in temporary files if they are many.

use std::collections::{BTreeSet, VecDeque};

use pgrx::pg_sys::{self, Oid};

use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::spill::Spill;
use crate::queue::read::Pending;
use crate::refresh::fingerprints::Fingerprints;
use crate::statement;

/// Maximum bytes of change keys in memory.
const MAXIMUM_BYTES: usize = 1 << 20;
/// So many change keys of small rows are looked up together once they are read.
const KEYS_PER_PORTION: u32 = 100;
/// Maximum number of portions of one read that are known when they come again.
const MAXIMUM_KNOWN: usize = 250_000;
/// Maximum number of origins that are kept, as of one read of the queue.
const MAXIMUM_ORIGINS: usize = 1_000;

/// Changes whose keys are to be looked up, and what is known of all that were read.
#[derive(Default)]
pub struct Changes {
    portions: VecDeque<Portion>,
    bytes: usize,
    files: Vec<Spill>,
    /// What was read of each source, without its keys.
    pub read: Vec<Pending>,
}

/// A few changes of a source.
struct Portion {
    source: Oid,
    changes: u32,
    /// Change keys as a JSON array has them, without its brackets.
    keys: String,
}

/// Changes of a source that are looked up together.
pub struct Part {
    pub source: Oid,
    pub changes: usize,
    /// Of portions.
    keys: Vec<String>,
}

impl Changes {
    /// Keeps changes that a TVIEW has read. Inside an SPI session.
    pub fn add(&mut self, tview: Oid, pending: &[Pending]) {
        let mut file = None;
        for pending in pending.iter().filter(|pending| pending.concerns(tview)) {
            self.add_keys(pending, &mut file);
            self.note(pending);
        }
        self.files.extend(file);
    }

    /// The number of changes that were read.
    pub fn number(&self) -> i64 {
        self.read.iter().map(|read| read.changes).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.portions.is_empty() && self.files.is_empty()
    }

    /// The next changes of one source: about as many as `number` says of the source.
    pub fn next(&mut self, number: impl Fn(Oid) -> usize) -> Option<Part> {
        let first = self.pop()?;
        let number = number(first.source);
        let mut part = Part {
            source: first.source,
            changes: first.changes as usize,
            keys: vec![first.keys],
        };
        while part.changes < number {
            match self.pop() {
                Some(portion) if portion.source == part.source => {
                    part.changes += portion.changes as usize;
                    part.keys.push(portion.keys);
                }
                Some(of_another) => {
                    self.push(of_another);
                    break;
                }
                None => break,
            }
        }
        Some(part)
    }

    /// Changes that are equal are looked up once: many rows of the queue may name the same row of a source.
    fn add_keys(&mut self, pending: &Pending, file: &mut Option<Spill>) {
        let args = [(pg_sys::JSONBARRAYOID, pending.keys)];
        let mut known = Fingerprints::default();
        let mut gathered = Portion::none_of(pending.source);
        run_internal(|| {
            spi::stream_once(&statement!("queue_portions"), &args, |rows| {
                for row in 0..rows.len() {
                    let keys: String = rows.get(row, 0).expect("a portion has change keys");
                    if known.len() < MAXIMUM_KNOWN && !known.add(&keys) {
                        continue;
                    }
                    let number: i32 = rows.get(row, 1).expect("a portion has a number of changes");
                    gathered.add(&keys, number as u32);
                    if gathered.changes >= KEYS_PER_PORTION {
                        let portion = std::mem::replace(&mut gathered, Portion::none_of(pending.source));
                        self.keep(portion, file);
                    }
                }
                true
            });
        });
        if gathered.changes > 0 {
            self.keep(gathered, file);
        }
    }

    fn keep(&mut self, portion: Portion, file: &mut Option<Spill>) {
        if self.bytes < MAXIMUM_BYTES {
            self.push(portion);
        } else {
            file.get_or_insert_with(Spill::new).write(&portion.to_bytes());
        }
    }

    fn note(&mut self, pending: &Pending) {
        let is_same =
            |read: &&mut Pending| read.source == pending.source && read.requested == pending.requested;
        let Some(read) = self.read.iter_mut().find(is_same) else {
            self.read.push(Pending {
                keys: Value::NULL,
                origins: pending.origins.clone(),
                ..*pending
            });
            return;
        };
        read.changes += pending.changes;
        read.oldest = read.oldest.into_iter().chain(pending.oldest).min();
        read.oldest_xid = read.oldest_xid.into_iter().chain(pending.oldest_xid).min();
        let largest = read.largest.into_iter().chain(pending.largest);
        read.largest = largest.max_by_key(|largest| largest.changes);
        if let Some(more) = &pending.origins {
            read.origins.get_or_insert_default().extend(more.iter().cloned());
        }
    }

    /// The origins of all changes.
    pub fn origins(&self) -> Option<Vec<String>> {
        let each = self.read.iter().filter_map(|read| read.origins.as_ref());
        let all: BTreeSet<&String> = each.flatten().collect();
        (!all.is_empty()).then(|| all.into_iter().take(MAXIMUM_ORIGINS).cloned().collect())
    }

    fn push(&mut self, portion: Portion) {
        self.bytes += portion.keys.len();
        self.portions.push_front(portion);
    }

    fn pop(&mut self) -> Option<Portion> {
        if let Some(portion) = self.portions.pop_front() {
            self.bytes -= portion.keys.len();
            return Some(portion);
        }
        while let Some(file) = self.files.last_mut() {
            match file.read() {
                Some(bytes) => return Some(Portion::from_bytes(&bytes).expect("a portion was written")),
                None => self.files.pop(),
            };
        }
        None
    }
}

impl Portion {
    fn none_of(source: Oid) -> Portion {
        Portion {
            source,
            changes: 0,
            keys: String::new(),
        }
    }

    /// Adds the change keys in a JSON array.
    fn add(&mut self, array: &str, number: u32) {
        let keys = array.strip_prefix('[').and_then(|keys| keys.strip_suffix(']'));
        if self.changes > 0 {
            self.keys.push_str(", ");
        }
        self.keys.push_str(keys.expect("an array of keys is in brackets"));
        self.changes += number;
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.source.to_u32().to_le_bytes().to_vec();
        bytes.extend(self.changes.to_le_bytes());
        bytes.extend(self.keys.as_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Portion> {
        let (source, rest) = bytes.split_first_chunk()?;
        let (changes, keys) = rest.split_first_chunk()?;
        Some(Portion {
            source: Oid::from(u32::from_le_bytes(*source)),
            changes: u32::from_le_bytes(*changes),
            keys: String::from_utf8(keys.to_vec()).ok()?,
        })
    }
}

impl Part {
    /// These changes as a key query gets them. Valid as long as the SPI session.
    pub fn pending(&self, requested: bool) -> Pending {
        Pending {
            source: self.source,
            requested,
            all_keys: false,
            keys: self.keys(),
            changes: self.changes as i64,
            oldest: None,
            oldest_xid: None,
            origins: None,
            largest: None,
        }
    }

    /// The change keys, as `jsonb[]`.
    pub fn keys(&self) -> Value {
        joined(&self.keys)
    }

    /// A few of the changes: their number, and their keys.
    pub fn first_portion(&self) -> (usize, Value) {
        let first = self.keys.len().min(1);
        (self.changes / self.keys.len().max(1), joined(&self.keys[..first]))
    }
}

fn joined(portions: &[String]) -> Value {
    let arrays: Vec<String> = portions.iter().map(|keys| format!("[{keys}]")).collect();
    let portions = (pg_sys::TEXTARRAYOID, Value::of(arrays));
    run_internal(|| spi::run(&statement!("queue_join_portions"), Access::Snapshot, &[portions]).value(0, 0))
}
