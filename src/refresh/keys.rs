//! From change keys to the keys of tv rows.

use std::collections::{HashSet, VecDeque};

use pgrx::pg_sys::{self, Oid};

use super::dead_letter::DeadKeys;
use super::equal_keys;
use super::plan::Plan;
use super::recompute;
use crate::error::Problem;
use crate::postgres::identity;
use crate::postgres::spi::{self, Access, Rows, Value};
use crate::postgres::spill::Spill;
use crate::postgres::transaction::{self, Caught};
use crate::queue::log::Pending;

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

/// A key: the values of its columns in the types of the view, as [`crate::postgres::key_type`] writes them.
pub type Key = Box<[String]>;

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
            let mut add = keys.adding(|rows, row| source.key(plan, rows, row));
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

/// The key in a row, whose first columns are in the types of the view; None if a part of it is NULL.
pub fn key_of(plan: &Plan, rows: &Rows, row: usize) -> Option<Key> {
    key_values(plan, rows, row, 0).into_iter().collect()
}

/// The same with the parts that are NULL, where the key begins with this column, counted from 0.
pub fn key_values(plan: &Plan, rows: &Rows, row: usize, first: usize) -> Vec<Option<String>> {
    let columns = plan.shape.key.iter().enumerate();
    columns
        .map(|(place, k)| k.values.text(&rows.value(row, first + place)))
        .collect()
}

/// Key queries leave out conditions that may keep an expression of the view from values it fails on (a cast,
/// a division): such an error says nothing about the view.
fn is_about_values(error: &Caught) -> bool {
    !["40", "53", "55", "57", "58", "XX"].contains(&&error.sqlstate()[..2])
}

/// Plans for a few rows are made once and prefer indexes, whatever the tables' size was when they were made;
/// plans for many are made for the numbers at hand.
pub fn few_rows(few: bool) {
    let (cache, on) = if few {
        ("force_generic_plan", "off")
    } else {
        ("force_custom_plan", "on")
    };
    identity::set("plan_cache_mode", cache);
    identity::set("enable_seqscan", on);
    identity::set("enable_mergejoin", on);
    // What changed was just written: its pages are in memory.
    identity::set("random_page_cost", "1.1");
}

/// Every key that view or table has. As the TVIEW's owner, inside an SPI session.
pub fn every(plan: &Plan) -> Wanted {
    few_rows(false);
    let mut keys = Keys {
        // Such rows are not among them.
        null_key: true,
        ..Keys::default()
    };
    let mut add = keys.adding(|rows, row| key_of(plan, rows, row));
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
        .filter_map(|row| key_of(plan, &rows, row))
        .collect()
}

/// Every key of the tv table. As above.
pub fn in_table(plan: &Plan, mut each: impl FnMut(Key)) {
    let limit = (pg_sys::INT8OID, Value::of(i64::MAX));
    spi::stream_once(&plan.shape.some_keys(), &[limit], |rows| {
        let keys = (0..rows.len()).filter_map(|row| key_of(plan, rows, row));
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

/// Keys that are recomputed together.
pub struct Batch {
    columns: Vec<Vec<String>>,
}

impl From<&[Key]> for Batch {
    fn from(rows: &[Key]) -> Batch {
        let width = rows.first().map_or(0, |row| row.len());
        Batch {
            columns: (0..width)
                .map(|column| rows.iter().map(|row| row[column].clone()).collect())
                .collect(),
        }
    }
}

impl Batch {
    fn of(rows: Vec<Key>) -> Batch {
        let width = rows.first().map_or(0, |row| row.len());
        let mut columns: Vec<_> = (0..width).map(|_| Vec::with_capacity(rows.len())).collect();
        for row in rows {
            columns
                .iter_mut()
                .zip(row.into_vec())
                .for_each(|(column, text)| column.push(text));
        }
        Batch { columns }
    }

    /// Two batches of half the size, or the only key.
    pub fn halves(&self) -> Result<[Batch; 2], Key> {
        if self.len() < 2 {
            return Err(self
                .columns
                .iter()
                .filter_map(|column| column.first().cloned())
                .collect());
        }
        let middle = self.len() / 2;
        let half = |range: std::ops::Range<usize>| Batch {
            columns: self
                .columns
                .iter()
                .map(|column| column[range.clone()].to_vec())
                .collect(),
        };
        Ok([half(0..middle), half(middle..self.len())])
    }

    /// The keys, one by one.
    pub fn rows(&self) -> Vec<Key> {
        let row = |row: usize| self.columns.iter().map(|column| column[row].clone()).collect();
        (0..self.len()).map(row).collect()
    }

    /// The keys but those at some positions, counted from 0.
    pub fn without(&self, positions: &HashSet<usize>) -> Batch {
        let rest = |column: &Vec<String>| {
            let values = column.iter().enumerate();
            let rest = values.filter(|(position, _)| !positions.contains(position));
            rest.map(|(_, value)| value.clone()).collect()
        };
        Batch {
            columns: self.columns.iter().map(rest).collect(),
        }
    }

    /// As text to be stored; [`Batch::from_json`] reads it.
    pub fn to_json(&self) -> String {
        serde_json::json!(self.columns).to_string()
    }

    /// A batch that was stored.
    pub fn from_json(text: &str) -> Option<Batch> {
        let columns = serde_json::from_str(text).ok()?;
        Some(Batch { columns })
    }

    pub fn len(&self) -> usize {
        self.columns.first().map_or(0, Vec::len)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The least and the greatest of keys that are integers.
    pub fn bounds(&self) -> [i64; 2] {
        let keys: Option<Vec<i64>> = self
            .columns
            .iter()
            .flatten()
            .map(|text| text.parse().ok())
            .collect();
        let keys = keys.unwrap_or_default();
        let bound = |key: Option<&i64>, none: i64| key.copied().unwrap_or(none);
        [
            bound(keys.iter().min(), i64::MIN),
            bound(keys.iter().max(), i64::MAX),
        ]
    }

    /// The parameters of a recompute statement: the keys in the types of the view.
    pub fn parameters(&self, plan: &Plan) -> Vec<Value> {
        let typed = self.typed(plan).into_iter();
        typed.map(|(_, value)| value).collect()
    }

    /// The same with their types.
    pub fn typed(&self, plan: &Plan) -> Vec<(Oid, Value)> {
        let key = plan.shape.key.iter().zip(&self.columns);
        key.map(|(k, column)| (k.values.parameter_type(), k.values.parameter(column)))
            .collect()
    }
}
