//! The operations on TVIEWs that are running, as `pg_tview_progress` shows them. Each process has one place, by
//! its number in the process array. It is the only one that writes there, apart from counters, to which workers
//! that help add. Nothing waits for a reader, and nothing is decided by what is read.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{fence, AtomicBool, AtomicI32, AtomicI64, AtomicU32, AtomicU64, AtomicU8};

use pgrx::pg_sys::Oid;

use crate::postgres::process::shared_memory::SharedArray;
use crate::postgres::process::{self, clock, latch};

/// One element per process that can have a transaction.
pub static OPERATIONS: SharedArray<Operation> =
    SharedArray::new(c"pg_tviews operations", process::maximum_sessions);

/// What is being done with a TVIEW.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// All rows are computed under a new definition.
    Populate,
    /// Changes are applied.
    Refresh,
    /// All rows are compared, as any of them may have changed.
    Reconcile,
    /// Rows are compared that should not differ.
    Verify,
}

impl Kind {
    /// An operation that computes all rows: for the first time under a definition, or again.
    pub fn of_all_rows(populates: bool) -> Kind {
        if populates {
            Kind::Populate
        } else {
            Kind::Reconcile
        }
    }
}

/// What an operation is doing now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Preparing,
    ReadingQueue,
    FindingKeys,
    Recomputing,
    Comparing,
    Replacing,
    Isolating,
    WaitingForWorkers,
    Committing,
}

/// Stands in [`Operation::kind`] for none.
const NONE: u32 = 0;
/// Stands for a number that is not known, or has no meaning for the operation.
const UNKNOWN: i64 = -1;
/// Bytes of the name of a TVIEW.
const NAME: usize = 64;
/// How often a reader tries to read a place that is being written.
const ATTEMPTS: usize = 1_000;

/// The place of a process. Times are microseconds.
pub struct Operation {
    /// Odd while fields are written that belong together.
    version: AtomicU64,
    pid: AtomicI32,
    database: AtomicU32,
    tview: AtomicU32,
    /// Who owns the TVIEW: a table that is not committed is not visible to others.
    owner: AtomicU32,
    kind: AtomicU32,
    phase: AtomicU32,
    started_at: AtomicI64,
    /// Keys to be computed, and keys that are. The second also by workers that help.
    keys_total: AtomicI64,
    keys_done: AtomicI64,
    /// Rows that a statement reads, as the planner estimates them, and rows that it has read.
    rows_total: AtomicI64,
    rows_read: AtomicI64,
    /// The share of the work until the first key is done, in thousandths. The rest of it goes with the keys.
    before_first: AtomicI64,
    /// Also by workers that help.
    rows_written: AtomicI64,
    /// Whether the number of all keys is an estimate.
    estimated: AtomicBool,
    /// Since when the process has worked on this, and how many keys were done then.
    measured_from: AtomicI64,
    done_before: AtomicI64,
    /// When the operation began that this is measured of, if it is one in several steps.
    resumed: AtomicI64,
    name: [AtomicU8; NAME],
}

impl Default for Operation {
    fn default() -> Self {
        Self {
            version: AtomicU64::new(0),
            pid: AtomicI32::new(0),
            database: AtomicU32::new(0),
            tview: AtomicU32::new(0),
            owner: AtomicU32::new(0),
            kind: AtomicU32::new(NONE),
            phase: AtomicU32::new(0),
            started_at: AtomicI64::new(0),
            keys_total: AtomicI64::new(UNKNOWN),
            keys_done: AtomicI64::new(0),
            rows_total: AtomicI64::new(UNKNOWN),
            rows_read: AtomicI64::new(0),
            before_first: AtomicI64::new(0),
            rows_written: AtomicI64::new(0),
            estimated: AtomicBool::new(false),
            measured_from: AtomicI64::new(0),
            done_before: AtomicI64::new(0),
            resumed: AtomicI64::new(0),
            name: std::array::from_fn(|_| AtomicU8::new(0)),
        }
    }
}

/// The TVIEW that an operation is on.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    pub tview: Oid,
    pub owner: Oid,
    pub entity_name: &'a str,
}

/// What a reader finds in a place.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    pub pid: i32,
    pub database: Oid,
    pub tview: Oid,
    pub owner: Oid,
    pub entity_name: String,
    pub kind: Kind,
    pub phase: Phase,
    pub started_at: i64,
    /// The number of all, and of those done.
    pub keys: Option<(i64, i64)>,
    pub rows: Option<(i64, i64)>,
    pub rows_written: i64,
    pub estimated: bool,
    before_first: i64,
    measured_from: i64,
    done_before: i64,
}

impl Operation {
    /// Begins an operation, or goes on with it: what is shown already of the same operation stays.
    fn begin(&self, kind: Kind, subject: Subject) {
        let is_same =
            self.kind.load(Relaxed) == kind as u32 + 1 && self.tview.load(Relaxed) == subject.tview.to_u32();
        if is_same {
            return;
        }
        let database = process::database().to_u32();
        self.write(|| {
            self.pid.store(process::pid(), Relaxed);
            self.database.store(database, Relaxed);
            self.tview.store(subject.tview.to_u32(), Relaxed);
            self.owner.store(subject.owner.to_u32(), Relaxed);
            self.kind.store(kind as u32 + 1, Relaxed);
            self.phase.store(Phase::Preparing as u32, Relaxed);
            self.started_at.store(clock::now(), Relaxed);
            let bytes = subject.entity_name.bytes().chain(std::iter::repeat(0));
            self.name
                .iter()
                .zip(bytes)
                .for_each(|(to, byte)| to.store(byte, Relaxed));
            self.forget_counts();
        });
    }

    fn add(&self, keys: usize, written: i64) {
        self.keys_done.fetch_add(keys as i64, Relaxed);
        self.rows_written.fetch_add(written, Relaxed);
    }

    fn end(&self) {
        if self.kind.load(Relaxed) != NONE {
            self.write(|| self.kind.store(NONE, Relaxed));
        }
    }

    fn forget_counts(&self) {
        self.keys_total.store(UNKNOWN, Relaxed);
        self.keys_done.store(0, Relaxed);
        self.rows_total.store(UNKNOWN, Relaxed);
        self.rows_read.store(0, Relaxed);
        self.rows_written.store(0, Relaxed);
        self.estimated.store(false, Relaxed);
    }

    /// Writes fields that a reader sees together.
    fn write(&self, fields: impl FnOnce()) {
        let odd = self.version.load(Relaxed) | 1;
        self.version.store(odd, Relaxed);
        fence(Release);
        fields();
        self.version.store(odd.wrapping_add(1), Release);
    }

    /// What the place shows; None: no operation.
    fn read(&self) -> Option<Seen> {
        for _ in 0..ATTEMPTS {
            let before = self.version.load(Acquire);
            let seen = self.read_fields();
            fence(Acquire);
            if before.is_multiple_of(2) && self.version.load(Relaxed) == before {
                return seen;
            }
            std::hint::spin_loop();
        }
        None
    }

    fn read_fields(&self) -> Option<Seen> {
        let kinds = [Kind::Populate, Kind::Refresh, Kind::Reconcile, Kind::Verify];
        let phases = [
            Phase::Preparing,
            Phase::ReadingQueue,
            Phase::FindingKeys,
            Phase::Recomputing,
            Phase::Comparing,
            Phase::Replacing,
            Phase::Isolating,
            Phase::WaitingForWorkers,
            Phase::Committing,
        ];
        let kind = (self.kind.load(Relaxed) as usize).checked_sub(1)?;
        let done_of = |total: &AtomicI64, done: &AtomicI64| {
            let done = done.load(Relaxed);
            let total = Some(total.load(Relaxed)).filter(|total| *total != UNKNOWN)?;
            // More than an estimate said.
            Some((total.max(done), done))
        };
        let name = self.name.iter().map(|byte| byte.load(Relaxed));
        let name: Vec<u8> = name.take_while(|byte| *byte != 0).collect();
        Some(Seen {
            pid: self.pid.load(Relaxed),
            database: Oid::from(self.database.load(Relaxed)),
            tview: Oid::from(self.tview.load(Relaxed)),
            owner: Oid::from(self.owner.load(Relaxed)),
            entity_name: String::from_utf8_lossy(&name).into_owned(),
            kind: *kinds.get(kind)?,
            phase: *phases.get(self.phase.load(Relaxed) as usize)?,
            started_at: self.started_at.load(Relaxed),
            keys: done_of(&self.keys_total, &self.keys_done),
            rows: done_of(&self.rows_total, &self.rows_read),
            rows_written: self.rows_written.load(Relaxed),
            estimated: self.estimated.load(Relaxed),
            before_first: self.before_first.load(Relaxed),
            measured_from: self.measured_from.load(Relaxed),
            done_before: self.done_before.load(Relaxed),
        })
    }
}

impl Seen {
    /// The estimated time to the end, once five percent are done of what the process began with.
    pub fn remaining(&self, now: i64) -> Option<i64> {
        let share =
            |(total, done): (i64, i64), before: i64| (done - before) as f64 / (total - before).max(1) as f64;
        let mut done = share(self.keys?, self.done_before);
        if let Some(rows) = self.rows {
            let before_first = self.before_first as f64 / 1_000.0;
            done = before_first * share(rows, 0) + (1.0 - before_first) * done;
        }
        let elapsed = (now - self.measured_from).max(0) as f64;
        (done >= 0.05).then(|| (elapsed * (1.0 - done) / done).max(0.0) as i64)
    }
}

fn own() -> Option<&'static Operation> {
    let places = OPERATIONS.get();
    if places.is_empty() {
        return None;
    }
    places.get(latch::own_number() as usize)
}

/// Shows an operation of this process until [`end`]. What is shown of it already stays.
pub fn begin(kind: Kind, subject: Subject) {
    static WILL_END: AtomicBool = AtomicBool::new(false);
    let Some(place) = own() else { return };
    if !WILL_END.swap(true, Relaxed) {
        process::at_exit(end);
    }
    place.begin(kind, subject);
}

/// This process does nothing with a TVIEW any more.
pub fn end() {
    if let Some(place) = own() {
        place.end();
    }
}

/// What the operation does now.
pub fn phase(phase: Phase) {
    if let Some(place) = own() {
        place.phase.store(phase as u32, Relaxed);
    }
}

/// The number of keys to be computed is known.
pub fn keys(total: usize) {
    let Some(place) = own() else { return };
    place.write(|| {
        place.forget_counts();
        place.keys_total.store(total as i64, Relaxed);
        place.measured_from.store(clock::now(), Relaxed);
        place.done_before.store(0, Relaxed);
        place.resumed.store(0, Relaxed);
    });
}

/// Some keys are done, and rows were written.
pub fn advance(keys: usize, written: i64) {
    if let Some(place) = own() {
        place.add(keys, written);
    }
}

/// The same in a worker that helps another one to refresh this TVIEW.
pub fn advance_other(tview: Oid, keys: usize, written: i64) {
    let (database, tview) = (process::database().to_u32(), tview.to_u32());
    let refresh = Kind::Refresh as u32 + 1;
    let is_it = |place: &&Operation| {
        place.kind.load(Relaxed) == refresh
            && place.tview.load(Relaxed) == tview
            && place.database.load(Relaxed) == database
    };
    if let Some(place) = OPERATIONS.get().iter().find(is_it) {
        place.add(keys, written);
    }
}

/// An operation that goes on from where it was: since when it has been going on, the number of keys as it is
/// estimated, the number done, and the rows written.
pub fn resume(started_at: i64, total: i64, done: i64, written: i64) {
    let Some(place) = own() else { return };
    let goes_on = place.resumed.load(Relaxed) == started_at;
    place.write(|| {
        place.forget_counts();
        place.started_at.store(started_at, Relaxed);
        place.keys_total.store(total, Relaxed);
        place.keys_done.store(done, Relaxed);
        place.rows_written.store(written, Relaxed);
        place.estimated.store(true, Relaxed);
        if !goes_on {
            place.resumed.store(started_at, Relaxed);
            place.measured_from.store(clock::now(), Relaxed);
            place.done_before.store(done, Relaxed);
        }
    });
}

/// One statement computes all keys. `keys`, `rows`: how many it is expected to compute, and to read.
/// `before_first`: the share of the work until the first key is done.
pub fn rows(keys: i64, rows: i64, before_first: f64) {
    let Some(place) = own() else { return };
    place.write(|| {
        place.forget_counts();
        place.keys_total.store(keys, Relaxed);
        place.rows_total.store(rows, Relaxed);
        place
            .before_first
            .store((1_000.0 * before_first.clamp(0.0, 1.0)) as i64, Relaxed);
        place.estimated.store(true, Relaxed);
        place.measured_from.store(clock::now(), Relaxed);
        place.done_before.store(0, Relaxed);
        place.resumed.store(0, Relaxed);
    });
}

/// Where such a statement counts rows that it reads, keys that it has computed, and rows that it writes.
pub fn row_counters() -> Option<[&'static AtomicI64; 3]> {
    own().map(|place| [&place.rows_read, &place.keys_done, &place.rows_written])
}

/// The operations that are running.
pub fn running() -> Vec<Seen> {
    let places = OPERATIONS.get().iter().enumerate();
    let seen = places.filter_map(|(number, place)| Some((number as u32, place.read()?)));
    seen.filter(|(number, seen)| process::has_number(seen.pid, *number))
        .map(|(_, seen)| seen)
        .collect()
}

#[cfg(test)]
mod tests;
