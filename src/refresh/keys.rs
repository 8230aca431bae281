//! From change keys to the keys of tv rows.

use std::collections::{HashSet, VecDeque};

use pgrx::pg_sys::{self};

use super::failing::dead_letter::DeadKeys;
use super::plan::Plan;
use super::{equal_keys, recompute};
use crate::error::Caught;
use crate::error::Problem;
use crate::postgres::spi::{self, Access, Rows, Value};
use crate::postgres::spill::Spill;
use crate::postgres::transaction;
use crate::queue::read::Pending;
use crate::refresh::batch::Batch;
use crate::refresh::plan::key::{key_of, Key};
use crate::refresh::planner_settings::few_rows;

/// More keys than this are not gathered: the whole view is compared instead.
const MOST_KEYS: usize = 1_000_000;
/// More bytes of keys than this are not kept in memory: they wait in a temporary file.
const MOST_BYTES: usize = 8 * 1024 * 1024;
/// Keys that are written to the file, or read from it, as one.
const KEYS_PER_RECORD: usize = 500;
/// A batch ends with the key that takes it past this.
const BYTES_PER_BATCH: usize = 4 * 1024 * 1024;
/// So many are gathered in any case.
const WORTH_GATHERING: usize = 10_000;
/// Up to this many change keys, the plan that was made once for a few rows is used.
pub const FEW_CHANGES: i64 = 500;

/// Keys of tv rows to recompute.
#[derive(Default)]
pub struct Keys {
    /// Those in memory; those in the file came before.
    rows: Vec<Key>,
    bytes: usize,
    /// The same, once it takes looking up whether one is there.
    known: HashSet<Key>,
    spilled: Option<Spilled>,
    /// A row of the view may be without a key.
    pub null_key: bool,
}

/// Keys in a temporary file.
struct Spilled {
    file: Spill,
    count: usize,
    /// Those of them that are recomputed elsewhere.
    without: HashSet<Key>,
}

/// What has to be recomputed.
pub enum Wanted {
    Keys(Keys),
    Everything,
}

/// Maps pending changes to keys. As the TVIEW's owner, under the refresh's snapshot, inside an SPI session.
///
/// Where there are far more keys than rows (combinations of which the view has few, say) it is everything: comparing the view
/// with the table costs less than looking up what neither has.
pub fn wanted(plan: &Plan, pending: &[Pending]) -> Wanted {
    let worth = |rows: f64| ((2.0 * rows) as usize).clamp(WORTH_GATHERING, MOST_KEYS);
    let known = plan.rows.get().unwrap_or_else(|| recompute::rows(plan));
    plan.rows.set(Some(known));
    let wanted = wanted_at_most(plan, pending, worth(known));
    if let (Wanted::Everything, true) = (&wanted, worth(known) < MOST_KEYS) {
        // The table may have grown since.
        let now = recompute::rows(plan);
        plan.rows.set(Some(now));
        if worth(now) > worth(known) {
            return wanted_at_most(plan, pending, worth(now));
        }
    }
    wanted
}

/// The same with a limit to the number of keys: with more it is everything.
pub fn wanted_at_most(plan: &Plan, pending: &[Pending], most: usize) -> Wanted {
    let mut keys = Keys::default();
    let mut queries = 0;
    for changes in pending {
        let own = changes.source == plan.definition.tview;
        if changes.requested != own {
            // A request concerns the TVIEW it names, not those that read its table; and a TVIEW's own writes
            // are not its input.
            continue;
        }
        if changes.all_keys {
            return Wanted::Everything;
        }
        let source = match own {
            true => &plan.requested,
            false => match plan.sources.get(&changes.source) {
                Some(Some(source)) => source,
                Some(None) => return Wanted::Everything,
                None => continue,
            },
        };
        let few = changes.changes <= FEW_CHANGES;
        few_rows(few);
        let statement = if few { &source.few } else { &source.many };
        let run = || {
            let mut add = keys.adding(|rows, row| source.key(&plan.shape, rows, row));
            statement.stream(&[changes.keys], |rows| add(rows) <= most);
        };
        match transaction::attempt(run) {
            Ok(()) if keys.len() <= most => {}
            Ok(()) => return Wanted::Everything,
            Err(error) if is_about_values(&error) => return Wanted::Everything,
            Err(error) => Problem::from(error).raise(),
        }
        queries += 1;
    }
    if queries > 1 && keys.spilled.is_none() {
        equal_keys::merge(plan, &mut keys.rows);
    }
    Wanted::Keys(keys)
}

/// Key queries leave out conditions that may keep an expression of the view from values it fails on (a cast,
/// a division): such an error says nothing about the view.
fn is_about_values(error: &Caught) -> bool {
    !["40", "53", "55", "57", "58", "XX"].contains(&&error.sqlstate()[..2])
}

/// Every key that view or table has. As the TVIEW's owner, inside an SPI session.
pub fn every(plan: &Plan) -> Wanted {
    few_rows(false);
    let mut keys = Keys {
        // Such rows are not among them.
        null_key: true,
        ..Keys::default()
    };
    let mut add = keys.adding(|rows, row| key_of(&plan.shape, rows, row));
    spi::stream_once(&plan.shape.every_key(), &[], |rows| add(rows) <= MOST_KEYS);
    drop(add);
    match keys.len() <= MOST_KEYS {
        true => Wanted::Keys(keys),
        false => Wanted::Everything,
    }
}

/// The keys of the tv table, at most `limit` of them. As the TVIEW's owner, inside an SPI session.
pub fn some_in_table(plan: &Plan, limit: usize) -> Vec<Key> {
    let limit = (pg_sys::INT8OID, Value::of(limit as i64));
    let rows = spi::run(&plan.shape.some_keys(), Access::Snapshot, &[limit]);
    (0..rows.len())
        .filter_map(|row| key_of(&plan.shape, &rows, row))
        .collect()
}

/// Every key of the tv table. As above.
pub fn in_table(plan: &Plan, mut each: impl FnMut(Key)) {
    let limit = (pg_sys::INT8OID, Value::of(i64::MAX));
    spi::stream_once(&plan.shape.some_keys(), &[limit], |rows| {
        let keys = (0..rows.len()).filter_map(|row| key_of(&plan.shape, rows, row));
        keys.for_each(&mut each);
        true
    });
}

impl Keys {
    /// Adds what one query returns, in which no key comes twice, a portion at a time; tells how many keys there are then.
    fn adding<'k>(
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

    /// One that went to the file may come again: it is recomputed twice then.
    fn add(&mut self, key: Key) {
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
        if self.bytes > MOST_BYTES {
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

    /// All of them, where there are not many.
    pub fn into_rows(self) -> Vec<Key> {
        let mut batches = self.batches(usize::MAX);
        std::iter::from_fn(|| batches.next())
            .flat_map(|batch| batch.rows())
            .collect()
    }

    /// Takes out the keys that are dead, and adds those that are due. As the TVIEW's owner, inside an SPI session.
    pub fn split_off(&mut self, plan: &Plan, dead: &DeadKeys) -> Keys {
        let mut risky = Keys::default();
        if dead.all.is_empty() {
            return risky;
        }
        let pairs = equal_keys::pairs(plan, &self.rows, &dead.all);
        let taken: HashSet<usize> = pairs.iter().map(|(place, _)| *place).collect();
        let mut place = 0..;
        self.rows
            .retain(|_| !place.next().is_some_and(|place| taken.contains(&place)));
        self.known.clear();
        // As they stand in the dead letter, to be found there again.
        let mut out: Vec<&Key> = pairs.iter().map(|(_, place)| &dead.all[*place]).collect();
        if let Some(spilled) = &mut self.spilled {
            // Any of them may be in the file.
            spilled.without = dead.all.iter().cloned().collect();
            out = dead.all.iter().collect();
        }
        out.into_iter()
            .chain(&dead.due)
            .for_each(|key| risky.add(key.clone()));
        risky
    }

    /// The keys in batches of at most `size`, each as one array of texts per key column. Neighbours by value share a
    /// batch, so that it reads and writes few pages: numbers come in order, and so do texts of one length.
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

fn sort(keys: &mut [Key]) {
    let length = |key: &[String]| key.iter().map(String::len).sum::<usize>();
    keys.sort_unstable_by(|a, b| (length(a), a).cmp(&(length(b), b)));
}

/// What a key takes in memory.
pub fn bytes(key: &[String]) -> usize {
    const POINTER: usize = 16;
    const TEXT: usize = 40;
    POINTER + key.iter().map(|text| TEXT + text.len()).sum::<usize>()
}

/// Keys to be recomputed, a batch at a time.
pub struct Batches {
    size: usize,
    next: VecDeque<Key>,
    spilled: Option<Spilled>,
}

impl Batches {
    pub fn is_empty(&self) -> bool {
        self.next.is_empty()
    }

    /// Has as many keys in memory, if there are as many.
    fn read_until(&mut self, keys: usize) {
        let Some(spilled) = &mut self.spilled else { return };
        while self.next.len() < keys {
            let Some(record) = spilled.file.read() else {
                self.spilled = None;
                return;
            };
            let keys: Vec<Key> = serde_json::from_slice(&record).unwrap_or_default();
            let wanted = keys.into_iter().filter(|key| !spilled.without.contains(key));
            self.next.extend(wanted);
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
        // Whether this was the last must be known.
        self.read_until(1);
        (!batch.is_empty()).then(|| Batch::of(batch))
    }
}
