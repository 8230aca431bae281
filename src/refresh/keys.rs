//! A list of keys of tv rows: in memory, and in a temporary file once they take too much memory.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use pgrx::pg_sys::Oid;

use super::batch::Batch;
use super::equal_keys;
use super::failing::dead_letter::DeadKeys;
use super::fingerprints::Fingerprints;
use super::plan::key::Key;
use super::plan::Plan;
use crate::postgres::spi::Rows;
use crate::postgres::spill::Spill;

/// Maximum number of keys of a list. With more, the whole view is compared instead.
pub const MAXIMUM_KEYS: usize = 1_000_000;
/// Maximum bytes of keys in memory. Further keys go to a temporary file.
const MAXIMUM_BYTES: usize = 8 * 1024 * 1024;
/// The number of keys that are written to the file, and read from it, together.
const KEYS_PER_RECORD: usize = 500;
/// A batch ends with the key that exceeds this size.
const BYTES_PER_BATCH: usize = 4 * 1024 * 1024;

/// Keys of tv rows.
#[derive(Default)]
pub struct Keys {
    /// The keys in memory. Keys in the file were added before.
    rows: Vec<Key>,
    bytes: usize,
    /// The same, for lookups. Filled when keys of a second query are added.
    known: HashSet<Key>,
    spilled: Option<Spilled>,
    /// Of a list that many queries add to: which keys are in the file.
    fingerprints: Option<Box<Fingerprints>>,
    /// The view may return rows whose key is NULL.
    pub null_key: bool,
    /// How the changes of each source led to keys.
    pub found: Vec<Found>,
}

/// What the key query of a source returned.
#[derive(Debug, Clone, Copy)]
pub struct Found {
    pub source: Oid,
    pub keys: usize,
    pub took: Duration,
}

/// Keys in a temporary file.
struct Spilled {
    file: Spill,
    count: usize,
    /// Keys of the file that are recomputed apart from the list.
    without: HashSet<Key>,
}

impl Keys {
    /// A list that many queries add to. Each key is in it once, wherever it is.
    pub fn of_many_queries() -> Keys {
        Keys {
            fingerprints: Some(Box::default()),
            ..Keys::default()
        }
    }

    /// Adds the keys that one query returns, each once, a portion at a time. Returns how many keys there are
    /// then.
    pub fn adding<'k>(
        &'k mut self,
        key_of: impl Fn(&Rows, usize) -> Option<Key> + 'k,
    ) -> impl FnMut(&Rows) -> usize + 'k {
        let first = self.is_empty();
        move |rows| {
            for row in 0..rows.len() {
                match key_of(rows, row) {
                    Some(key) if first => self.push(key),
                    Some(key) => self.add(key),
                    None => self.null_key = true,
                }
            }
            self.len()
        }
    }

    /// Adds a key unless it is in memory. A key that is in the file may be added again, unless many queries add to the
    /// list; it is recomputed twice.
    fn add(&mut self, key: Key) {
        let fingerprints = self.fingerprints.as_ref();
        if fingerprints.is_some_and(|of_file| of_file.knows(&key)) {
            return;
        }
        if self.known.len() < self.rows.len() {
            self.known.extend(self.rows.iter().cloned());
        }
        if self.known.insert(key.clone()) {
            self.push(key);
        }
    }

    fn push(&mut self, key: Key) {
        self.bytes += bytes(&key);
        self.rows.push(key);
        if self.bytes > MAXIMUM_BYTES {
            self.spill();
        }
    }

    fn spill(&mut self) {
        sort(&mut self.rows);
        let spilled = self.spilled.get_or_insert_with(|| Spilled {
            file: Spill::new(),
            count: 0,
            without: HashSet::new(),
        });
        for record in self.rows.chunks(KEYS_PER_RECORD) {
            spilled
                .file
                .write(serde_json::json!(record).to_string().as_bytes());
        }
        spilled.count += self.rows.len();
        if let Some(of_file) = &mut self.fingerprints {
            for key in &self.rows {
                of_file.add(key);
            }
        }
        self.rows = Vec::new();
        self.known = HashSet::new();
        self.bytes = 0;
    }

    pub fn len(&self) -> usize {
        self.rows.len() + self.spilled.as_ref().map_or(0, |spilled| spilled.count)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A key query of a source has returned so many keys.
    pub fn note_found(&mut self, more: Found) {
        match self.found.iter_mut().find(|found| found.source == more.source) {
            Some(found) => {
                found.keys += more.keys;
                found.took += more.took;
            }
            None => self.found.push(more),
        }
    }

    /// All keys of a short list.
    pub fn into_rows(self) -> Vec<Key> {
        let mut batches = self.batches(usize::MAX);
        std::iter::from_fn(|| batches.next())
            .flat_map(|batch| batch.rows())
            .collect()
    }

    /// Merges equal keys, if all of them are in memory.
    pub fn merge_equal(&mut self, merge: impl FnOnce(&mut Vec<Key>)) {
        if self.spilled.is_none() {
            merge(&mut self.rows);
        }
    }

    /// Removes the dead keys of the list, and returns them together with the dead keys that are due for a
    /// retry. As the owner of the TVIEW, inside an SPI session.
    pub fn split_off_dead(&mut self, plan: &Plan, dead: &DeadKeys) -> Keys {
        let mut dead_keys = Keys::default();
        if dead.all.is_empty() {
            return dead_keys;
        }
        let pairs = equal_keys::pairs(plan, &self.rows, &dead.all);
        let taken: HashSet<usize> = pairs.iter().map(|(place, _)| *place).collect();
        let mut place = 0..;
        self.rows
            .retain(|_| !place.next().is_some_and(|place| taken.contains(&place)));
        self.known.clear();
        // As pg_tview_dead_letter has them, so that they are found there again.
        let mut out: Vec<&Key> = pairs.iter().map(|(_, place)| &dead.all[*place]).collect();
        if let Some(spilled) = &mut self.spilled {
            // The file may have any of the dead keys.
            spilled.without = dead.all.iter().cloned().collect();
            out = dead.all.iter().collect();
        }
        out.into_iter()
            .chain(&dead.due)
            .for_each(|key| dead_keys.add(key.clone()));
        dead_keys
    }

    /// The keys in batches of at most `size`. Keys with neighbouring values share a batch, which then reads
    /// and writes few pages: integers are in order, and so are texts of the same length.
    pub fn batches(mut self, size: usize) -> Batches {
        if self.len() > size {
            sort(&mut self.rows);
        }
        let mut batches = Batches {
            size: size.max(1),
            next: self.rows.into(),
            spilled: self.spilled,
        };
        batches.read_until(1);
        batches
    }
}

/// Integers are in order, and so are texts of the same length.
pub fn sort(keys: &mut [Key]) {
    let length = |key: &[String]| key.iter().map(String::len).sum::<usize>();
    keys.sort_unstable_by(|a, b| (length(a), a).cmp(&(length(b), b)));
}

/// Bytes that a key takes in memory.
pub fn bytes(key: &[String]) -> usize {
    const POINTER: usize = 16;
    const TEXT: usize = 40;
    POINTER + key.iter().map(|text| TEXT + text.len()).sum::<usize>()
}

/// The keys of a list, a batch at a time.
pub struct Batches {
    size: usize,
    next: VecDeque<Key>,
    spilled: Option<Spilled>,
}

impl Batches {
    pub fn is_empty(&self) -> bool {
        self.next.is_empty()
    }

    /// The maximum number of keys of the next batch.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The next batches have at most so many keys.
    pub fn resize(&mut self, size: usize) {
        self.size = size.max(1);
    }

    /// Reads from the file until so many keys are in memory, or no more keys are left.
    fn read_until(&mut self, keys: usize) {
        let Some(spilled) = &mut self.spilled else { return };
        while self.next.len() < keys {
            let Some(record) = spilled.file.read() else {
                self.spilled = None;
                return;
            };
            let keys: Vec<Key> = serde_json::from_slice(&record).unwrap_or_default();
            let keys = keys.into_iter().filter(|key| !spilled.without.contains(key));
            self.next.extend(keys);
        }
    }
}

impl Iterator for Batches {
    type Item = Batch;

    fn next(&mut self) -> Option<Batch> {
        let mut batch = Vec::new();
        let mut size = 0;
        while batch.len() < self.size && size < BYTES_PER_BATCH {
            self.read_until(1);
            let Some(key) = self.next.pop_front() else { break };
            size += bytes(&key);
            batch.push(key);
        }
        // So that `is_empty` knows whether this batch was the last.
        self.read_until(1);
        (!batch.is_empty()).then(|| Batch::of(batch))
    }
}
