//! What writers, workers and the launcher share. There is no lock: every field is an atomic, and its comment says
//! who writes it. Nothing here decides what is correct, only who wakes when: positions in the audit table do that,
//! and a worker looks at everything again when the queue is not empty for long.
//!
//! Ticks: every committing writer draws a number from its database's `tick` *after* its transaction is visible, and
//! leaves it at the sources it changed. A worker reads `tick` *before* it takes its snapshot, so all numbers up to
//! that are absorbed by its refresh. Stores and the loads they race with are SeqCst: a writer stores its tick and then
//! asks whether someone sleeps, a worker says it sleeps and then looks at the ticks; one of them sees the other.

use std::array;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, AtomicU32, AtomicU64};

use crossbeam::utils::CachePadded;
use pgrx::pg_sys::Oid;

use crate::postgres::latch;
use crate::postgres::shmem::{Reservation, SharedArray};
use crate::settings;

/// One element.
pub static LAUNCHER: SharedArray<Launcher> = SharedArray::new(c"pg_tviews launcher", || 1);
/// One element per database that has, or may have, the extension.
pub static DATABASES: SharedArray<Database> =
    SharedArray::new(c"pg_tviews databases", settings::max_databases);
/// Progress of TVIEWs, found by hash and linear probing.
pub static TVIEWS: SharedArray<Tview> = SharedArray::new(c"pg_tviews progress", settings::max_tviews);

/// All that is to be reserved.
pub static ALL: &[&dyn Reservation] = &[&LAUNCHER, &DATABASES, &TVIEWS];

const SOURCES: usize = 1024;
/// Most workers a database can have: the idle ones fit one word.
pub const WORKERS: usize = 64;
const BLOCKERS: usize = 8;
/// First tick of a database: larger than what a new [`Tview`] has absorbed, so each is looked at once.
const FIRST_TICK: u64 = 1;

/// The launcher, as others see it.
pub struct Launcher {
    /// Process number for its latch, or nobody. Launcher.
    pub number: AtomicU32,
    /// Process id, 0 if it is not running. Launcher.
    pub pid: AtomicI32,
    /// A database found no free [`Database`]. Set by anyone, cleared by the launcher's scan.
    pub databases_full: AtomicBool,
    /// The last request for a worker found `max_worker_processes` used up. Launcher.
    pub no_worker_slot: AtomicBool,
    /// When to look for new databases. Lowered by sessions that ran database DDL, raised by the launcher.
    pub scan_at: AtomicI64,
}

impl Default for Launcher {
    fn default() -> Self {
        Self {
            number: AtomicU32::new(latch::NOBODY),
            pid: AtomicI32::new(0),
            databases_full: AtomicBool::new(false),
            no_worker_slot: AtomicBool::new(false),
            scan_at: AtomicI64::new(0),
        }
    }
}

/// Wakes the launcher, if there is one.
pub fn wake_launcher() {
    if let Some(launcher) = LAUNCHER.get().first() {
        latch::set(launcher.number.load(SeqCst));
    }
}

/// A database.
pub struct Database {
    /// 0: free. Claimed by CAS by whoever needs it first, given back by the launcher only.
    oid: AtomicU32,
    /// Counts committing writers. Every writer.
    pub tick: CachePadded<AtomicU64>,
    /// Newest tick that concerns every TVIEW. Sessions that run COMMIT PREPARED, the worker that polls.
    pub all_tick: AtomicU64,
    /// Moves when TVIEW definitions changed. Sessions that change them, at COMMIT.
    pub generation: AtomicU64,
    /// A worker found the extension installed. Workers.
    pub present: AtomicBool,
    /// The generation (plus one) at which a worker found no extension. Workers; out of date once `generation` moves.
    missing_at: AtomicU64,
    /// A template, or closed to connections: must have no workers. Launcher.
    pub excluded: AtomicBool,
    /// Sessions (by pid) whose command needs this database without workers. Each sets and clears its own; the
    /// launcher clears those that died.
    blockers: [AtomicI32; BLOCKERS],
    /// Which workers sleep, by index. Workers set their bit, whoever wakes one clears it.
    idle: CachePadded<AtomicU64>,
    /// Index (plus one) of the worker that trims, 0 if none. That worker.
    pub housekeeper: AtomicU32,
    /// When the queue should be trimmed, 0 if not needed. Workers.
    pub trim_at: AtomicI64,
    /// When the audit table should be trimmed. Workers.
    pub trim_audit_at: AtomicI64,
    /// When to look for backlogs of TVIEWs that stand still. Workers.
    pub backlogs_at: AtomicI64,
    /// When an idle worker should look without being woken. Workers.
    pub poll_at: AtomicI64,
    /// By hash of the source's oid. Not padded: a writer has just written `tick`, which all of them share anyway.
    sources: [Source; SOURCES],
    /// By worker index.
    pub workers: [Worker; WORKERS],
}

/// A source table (or several, if hashes collide: a superfluous look).
#[derive(Default)]
pub struct Source {
    /// Tick of the newest commit that changed it. Writers.
    pub last_tick: AtomicU64,
    /// Writers need to wake nobody before this time: every TVIEW of this source cools down and a worker looks at its
    /// end. Workers.
    pub quiet_until: AtomicI64,
}

/// A worker of a database.
pub struct Worker {
    /// FREE -> STARTING (launcher) -> RUNNING (the worker) -> FREE (the worker; the launcher if it never started).
    pub state: AtomicU32,
    /// Counts starts, so that a worker that comes too late finds its place given away. Launcher.
    pub generation: AtomicU32,
    /// 0 unless running. The worker.
    pub pid: AtomicI32,
    /// For its latch. The worker.
    pub number: AtomicU32,
    /// When the launcher asked for it. Launcher; the worker clears it when it leaves because it was told to.
    pub started_at: AtomicI64,
    /// When it last ended otherwise. The worker.
    pub ended_at: AtomicI64,
    /// Starts since the last one that reached its work. Launcher adds, the worker resets.
    pub failed_starts: AtomicU32,
}

/// Nobody, and nobody under way.
pub const FREE: u32 = 0;
/// Asked of the postmaster, not yet running.
pub const STARTING: u32 = 1;
/// Running.
pub const RUNNING: u32 = 2;

impl Default for Worker {
    fn default() -> Self {
        Self {
            state: AtomicU32::new(FREE),
            generation: AtomicU32::new(0),
            pid: AtomicI32::new(0),
            number: AtomicU32::new(latch::NOBODY),
            started_at: AtomicI64::new(0),
            ended_at: AtomicI64::new(0),
            failed_starts: AtomicU32::new(0),
        }
    }
}

impl Default for Database {
    fn default() -> Self {
        Self {
            oid: AtomicU32::new(0),
            tick: CachePadded::new(AtomicU64::new(FIRST_TICK)),
            all_tick: AtomicU64::new(FIRST_TICK),
            generation: AtomicU64::new(0),
            present: AtomicBool::new(false),
            missing_at: AtomicU64::new(0),
            excluded: AtomicBool::new(false),
            blockers: array::from_fn(|_| AtomicI32::new(0)),
            idle: CachePadded::new(AtomicU64::new(0)),
            housekeeper: AtomicU32::new(0),
            trim_at: AtomicI64::new(0),
            trim_audit_at: AtomicI64::new(0),
            backlogs_at: AtomicI64::new(0),
            poll_at: AtomicI64::new(0),
            sources: array::from_fn(|_| Source::default()),
            workers: array::from_fn(|_| Worker::default()),
        }
    }
}

impl Database {
    /// The place of database `oid`, if it has one.
    pub fn find(oid: Oid) -> Option<&'static Database> {
        DATABASES
            .get()
            .iter()
            .find(|database| database.oid.load(SeqCst) == oid.to_u32())
    }

    /// The place of database `oid`, claimed if it has none; `None` if all are taken.
    pub fn find_or_claim(oid: Oid) -> Option<&'static Database> {
        let claim = |database: &&Database| {
            database
                .oid
                .compare_exchange(0, oid.to_u32(), SeqCst, SeqCst)
                .is_ok()
        };
        Self::find(oid).or_else(|| DATABASES.get().iter().find(claim))
    }

    /// Whose place this is; `None` if it is free.
    pub fn oid(&self) -> Option<Oid> {
        Some(Oid::from(self.oid.load(SeqCst))).filter(|oid| *oid != Oid::INVALID)
    }

    /// Launcher only: gives the place back. Ticks and generation keep counting, so nothing stale can look new.
    /// `generation` is the one at which the launcher decided: if it has moved since, someone wants the place.
    pub fn release(&self, generation: u64) {
        let oid = Oid::from(self.oid.load(SeqCst));
        Tview::release_all(oid, |_| false);
        self.present.store(false, SeqCst);
        self.missing_at.store(0, SeqCst);
        self.excluded.store(false, SeqCst);
        self.workers
            .iter()
            .for_each(|worker| worker.failed_starts.store(0, SeqCst));
        self.trim_at.store(0, SeqCst);
        self.oid.store(0, SeqCst);
        if self.generation.load(SeqCst) != generation {
            Self::find_or_claim(oid);
        }
    }

    /// A worker that read `generation` first found no extension.
    pub fn note_missing(&self, generation: u64) {
        self.present.store(false, SeqCst);
        self.missing_at.store(generation + 1, SeqCst);
    }

    /// The generation at which the extension was found missing, if that is still the newest one.
    pub fn missing(&self) -> Option<u64> {
        let generation = self.generation.load(SeqCst);
        (self.missing_at.load(SeqCst) == generation + 1).then_some(generation)
    }

    /// Where changes of `source` are noted.
    pub fn source(&self, source: Oid) -> &Source {
        &self.sources[Self::source_index(source)]
    }

    /// Which of the source places belongs to `source`.
    pub fn source_index(source: Oid) -> usize {
        hash(u64::from(source.to_u32())) as usize % SOURCES
    }

    /// The source place at an index of [`Self::source_index`].
    pub fn source_at(&self, index: usize) -> &Source {
        &self.sources[index]
    }

    /// Every commit wakes someone again, until a worker says otherwise.
    pub fn end_quiet(&self) {
        self.sources
            .iter()
            .for_each(|source| source.quiet_until.store(0, SeqCst));
    }

    /// Every TVIEW is to be looked at.
    pub fn touch_all(&self) {
        let tick = self.tick.fetch_add(1, SeqCst) + 1;
        self.all_tick.fetch_max(tick, SeqCst);
    }

    /// From now on worker `index` can be woken by a commit; it has to look at the ticks once more before it sleeps.
    pub fn mark_idle(&self, index: usize) {
        self.idle.fetch_or(1 << index, SeqCst);
    }

    /// Worker `index` works: commits need not wake it. One that tried to in the last moment meant work that this
    /// worker may not have seen: another one looks.
    pub fn mark_busy(&self, index: usize) {
        if self.idle.fetch_and(!(1 << index), SeqCst) & (1 << index) == 0 {
            self.wake_one();
        }
    }

    /// Worker `index` has ended or does not take work.
    pub fn mark_absent(&self, index: usize) {
        self.idle.fetch_and(!(1 << index), SeqCst);
    }

    /// Wakes one sleeping worker; if none sleeps, all will look at the ticks before they do.
    pub fn wake_one(&self) {
        loop {
            let idle = self.idle.load(SeqCst);
            if idle == 0 {
                return;
            }
            let index = idle.trailing_zeros() as usize;
            if self.idle.fetch_and(!(1 << index), SeqCst) & (1 << index) != 0 {
                latch::set(self.workers[index].number.load(SeqCst));
                return;
            }
        }
    }

    /// Wakes every worker, sleeping or not.
    pub fn wake_all(&self) {
        for worker in self.running() {
            latch::set(worker.number.load(SeqCst));
        }
    }

    /// The workers that run.
    pub fn running(&self) -> impl Iterator<Item = &Worker> {
        self.workers
            .iter()
            .filter(|worker| worker.state.load(SeqCst) == RUNNING)
    }

    /// Keeps workers away on behalf of session `pid`; false if too many sessions do already.
    pub fn block(&self, pid: i32) -> bool {
        self.blockers
            .iter()
            .any(|place| place.compare_exchange(0, pid, SeqCst, SeqCst).is_ok())
    }

    /// Takes back what [`Self::block`] did.
    pub fn unblock(&self, pid: i32) {
        for place in &self.blockers {
            if place.compare_exchange(pid, 0, SeqCst, SeqCst).is_ok() {
                return;
            }
        }
    }

    /// The sessions that keep workers away.
    pub fn blockers(&self) -> impl Iterator<Item = i32> + '_ {
        self.blockers
            .iter()
            .map(|place| place.load(SeqCst))
            .filter(|pid| *pid != 0)
    }

    /// Whether workers have to stay away.
    pub fn is_blocked(&self) -> bool {
        self.blockers().next().is_some()
    }
}

/// Progress of one TVIEW. Times are microseconds, 0 means never.
#[derive(Default)]
pub struct Tview {
    /// Database and TVIEW; 0 never used, [`GONE`] given back. Claimed by CAS by a worker that loads definitions, given
    /// back by one that no longer finds the TVIEW, or by the launcher with its database.
    key: AtomicU64,
    /// All ticks up to this are in the tv table. The worker that refreshed it.
    pub absorbed_tick: AtomicU64,
    /// Index (plus one) of the worker that refreshes it, 0 if none. That worker.
    pub runner: AtomicU32,
    /// When pending changes were first noticed. Workers; the runner resets it.
    pub dirty_since: AtomicI64,
    /// Not to be looked at before: cooling down, or backing off after a failure. The runner.
    pub not_before: AtomicI64,
    /// When the first of its dead keys is to be tried again; 0: there are none. The runner.
    pub retry_at: AtomicI64,
    /// When the last refresh began. The runner.
    pub started_at: AtomicI64,
    /// When the last refresh ended. The runner.
    pub finished_at: AtomicI64,
    /// How long a refresh takes, as a moving average. The runner.
    pub expected: AtomicI64,
    /// Failures in a row. The runner.
    pub failures: AtomicU32,
}

/// A place whose TVIEW is gone: searches go on past it, claims may take it.
const GONE: u64 = u64::MAX;

impl Tview {
    fn key_of(database: Oid, tview: Oid) -> u64 {
        u64::from(database.to_u32()) << 32 | u64::from(tview.to_u32())
    }

    /// Whether this place (still) belongs to that TVIEW.
    pub fn is(&self, database: Oid, tview: Oid) -> bool {
        self.key.load(SeqCst) == Self::key_of(database, tview)
    }

    /// Whether this place belongs to a TVIEW of that database.
    pub fn is_of(&self, database: Oid) -> bool {
        let key = self.key.load(SeqCst);
        key != GONE && (key >> 32) as u32 == database.to_u32()
    }

    /// The place of a TVIEW, claimed if it has none; `None` if all are taken.
    pub fn find_or_claim(database: Oid, tview: Oid) -> Option<&'static Tview> {
        let places = TVIEWS.get();
        let key = Self::key_of(database, tview);
        loop {
            let first = hash(key) as usize % places.len().max(1);
            let mut free = None;
            for place in places[first..].iter().chain(&places[..first]) {
                match place.key.load(SeqCst) {
                    found if found == key => return Some(place),
                    GONE => free = free.or(Some((place, GONE))),
                    0 => {
                        free = free.or(Some((place, 0)));
                        break;
                    }
                    _ => {}
                }
            }
            let (place, was) = free?;
            if place.key.compare_exchange(was, key, SeqCst, SeqCst).is_ok() {
                return Some(place);
            }
        }
    }

    /// Whether one more TVIEW could be tracked.
    pub fn any_free() -> bool {
        TVIEWS
            .get()
            .iter()
            .any(|place| matches!(place.key.load(SeqCst), 0 | GONE))
    }

    /// Which TVIEWs of `database` have a place.
    pub fn of(database: Oid) -> Vec<Oid> {
        let tview = |place: &Tview| Oid::from(place.key.load(SeqCst) as u32);
        TVIEWS
            .get()
            .iter()
            .filter(|place| place.is_of(database))
            .map(tview)
            .collect()
    }

    /// Gives back the places of the TVIEWs of `database` that are not to be kept.
    pub fn release_all(database: Oid, keep: impl Fn(Oid) -> bool) {
        for place in TVIEWS.get().iter().filter(|place| place.is_of(database)) {
            let key = place.key.load(SeqCst);
            if key != GONE && !keep(Oid::from(key as u32)) {
                place.forget();
                // Only now can it be claimed again.
                let _ = place.key.compare_exchange(key, GONE, SeqCst, SeqCst);
            }
        }
    }

    /// As good as new: it will be looked at.
    pub fn forget(&self) {
        self.absorbed_tick.store(0, SeqCst);
        self.dirty_since.store(0, SeqCst);
        self.not_before.store(0, SeqCst);
        self.retry_at.store(0, SeqCst);
        self.failures.store(0, SeqCst);
        self.expected.store(0, Relaxed);
    }
}

/// Spreads neighbouring oids (Fibonacci hashing).
fn hash(value: u64) -> u64 {
    value.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32
}

#[cfg(test)]
mod tests;
