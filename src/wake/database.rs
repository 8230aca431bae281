//! A database, its sources and its workers.

use std::array;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, AtomicU32, AtomicU64};

use crossbeam::utils::CachePadded;
use pgrx::pg_sys::Oid;

use super::hash::hash;
use super::quiet::is_quiet;
use super::tview::Tview;
use crate::postgres::process::latch;
use crate::postgres::process::shared_memory::SharedArray;
use crate::settings;

/// One element per database that has, or may have, the extension.
pub static DATABASES: SharedArray<Database> =
    SharedArray::new(c"pg_tviews databases", settings::max_databases);

/// So many that few sources share a place: a TVIEW is looked at when the source of another one changes that does.
const SOURCES: usize = 8192;
const WORDS: usize = SOURCES / u64::BITS as usize;
/// Most workers a database can have: the idle ones fit one word.
pub const WORKERS: usize = 64;
const BLOCKERS: usize = 8;
/// A database without workers is looked at as often as this, in microseconds.
pub const VISIT: i64 = 60_000_000;
/// How often the launcher is told that the workers have more to do than they can.
const MORE_AGAIN: i64 = 500_000;
/// First tick of a database: larger than what a new [`Tview`] has absorbed, so each is looked at once.
const FIRST_TICK: u64 = 1;

/// A database.
pub struct Database {
    /// 0: free. Claimed by CAS by whoever needs it first, given back by the launcher only.
    oid: AtomicU32,
    /// Counts committing writers. Every writer.
    pub tick: CachePadded<AtomicU64>,
    /// Newest tick that concerns every TVIEW. Sessions that change definitions.
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
    /// Which workers do something that may take long, by index. Each sets and clears its bit.
    long: AtomicU64,
    /// Index (plus one) of the worker that trims, 0 if none. That worker.
    pub housekeeper: AtomicU32,
    /// When the queue should be trimmed, 0 if not needed. Workers.
    pub trim_at: AtomicI64,
    /// How long to wait between two trims of the queue. The worker that trims.
    pub trim_pause: AtomicI64,
    /// When the audit table should be trimmed. Workers.
    pub trim_audit_at: AtomicI64,
    /// When to remove what dropped TVIEWs have left. Workers.
    pub tidy_at: AtomicI64,
    /// How long to wait for the next attempt at tables that were in use. The worker that tidies.
    pub tidy_pause: AtomicI64,
    /// When to look for backlogs of TVIEWs that stand still. Workers.
    pub backlogs_at: AtomicI64,
    /// When a worker should look into the queue without being told of a change; 0: before anything else. Workers, and sessions
    /// that do not know what they have committed.
    pub poll_at: AtomicI64,
    /// When such a look should be at all of the queue, not at what is new there only. Workers.
    pub look_at_all_at: AtomicI64,
    /// How many of its workers run. Each counts itself.
    attended: AtomicU32,
    /// The tick up to which the worker that left last had nothing to do; 0: unknown. Workers.
    rested_tick: AtomicU64,
    /// When a database without workers should have one again, whatever happens. Workers that leave; lowered by sessions that wait.
    visit_at: AtomicI64,
    /// When it was last noticed that its workers have more to do than they can, 0 once one of them finds nothing to do. Writers and workers.
    more_at: AtomicI64,
    /// Since when it needs a worker and has none, 0 if not. Launcher.
    pub waiting_since: AtomicI64,
    /// By hash of the source's oid. Not padded: a writer has just written `tick`, which all of them share anyway.
    sources: [Source; SOURCES],
    /// Source places, a bit for each, that have a TVIEW with something to do, now or after a pause. Set by whoever brings
    /// that about; cleared by a worker that sees all TVIEWs of the place at rest.
    restless: [AtomicU64; WORDS],
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
    /// It takes no work: it has read that `pg_tviews.enabled` is off. The worker.
    pub off: AtomicBool,
    /// It does something. The worker.
    pub busy: AtomicBool,
    /// Since when it runs. The worker.
    pub since: AtomicI64,
    /// When its last refresh ended, or when it started. The worker.
    pub worked_at: AtomicI64,
    /// Whether its slot is wanted elsewhere. Launcher; the worker when it starts, and when it finds something to do.
    pub asked: AtomicU32,
}

/// Nobody wants its slot.
pub const STAY: u32 = 0;
/// It should leave if it has nothing to do.
pub const LEAVE_IF_IDLE: u32 = 1;
/// It should leave after what it does now.
pub const LEAVE: u32 = 2;

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
            off: AtomicBool::new(false),
            busy: AtomicBool::new(false),
            since: AtomicI64::new(0),
            worked_at: AtomicI64::new(0),
            asked: AtomicU32::new(STAY),
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
            long: AtomicU64::new(0),
            housekeeper: AtomicU32::new(0),
            trim_at: AtomicI64::new(0),
            trim_pause: AtomicI64::new(0),
            trim_audit_at: AtomicI64::new(0),
            tidy_at: AtomicI64::new(0),
            tidy_pause: AtomicI64::new(0),
            backlogs_at: AtomicI64::new(0),
            poll_at: AtomicI64::new(0),
            look_at_all_at: AtomicI64::new(0),
            attended: AtomicU32::new(0),
            rested_tick: AtomicU64::new(0),
            visit_at: AtomicI64::new(0),
            more_at: AtomicI64::new(0),
            waiting_since: AtomicI64::new(0),
            sources: array::from_fn(|_| Source::default()),
            restless: array::from_fn(|_| AtomicU64::new(0)),
            workers: array::from_fn(|_| Worker::default()),
        }
    }
}

fn bit_of(place: usize) -> (usize, u64) {
    let bits = u64::BITS as usize;
    (place / bits, 1 << (place % bits))
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
        self.rested_tick.store(0, SeqCst);
        self.waiting_since.store(0, SeqCst);
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

    /// Changes of these sources are visible now. Callable after commit, as all in here: allocates, locks and raises nothing.
    pub fn note_changes(&self, sources: &[Oid]) {
        let tick = self.tick.fetch_add(1, SeqCst) + 1;
        for source in sources {
            let place = Self::source_index(*source);
            self.sources[place].last_tick.fetch_max(tick, SeqCst);
            self.disturb(place);
        }
    }

    /// Whether one of these sources has a TVIEW that may be refreshed now.
    pub fn is_awaited(&self, sources: &[Oid], now: i64) -> bool {
        let quiet_until = |source: &Oid| self.sources[Self::source_index(*source)].quiet_until.load(SeqCst);
        sources.iter().any(|source| !is_quiet(quiet_until(source), now))
    }

    /// Something is visible now, and nobody but the queue knows what: the next worker looks there.
    pub fn note_unknown_changes(&self) {
        self.poll_at.store(0, SeqCst);
    }

    /// A TVIEW that reads the source at this place has something to do.
    pub fn disturb(&self, place: usize) {
        let (word, bit) = bit_of(place);
        // Mostly it is set.
        if self.restless[word].load(SeqCst) & bit == 0 {
            self.restless[word].fetch_or(bit, SeqCst);
        }
    }

    /// Takes the mark of a place away if all its TVIEWs are at rest, and looks once more: whoever disturbs one changes it first
    /// and marks its place then, so one of the two sees the other.
    pub fn settle(&self, place: usize, at_rest: impl Fn() -> bool) {
        if at_rest() {
            let (word, bit) = bit_of(place);
            self.restless[word].fetch_and(!bit, SeqCst);
            if !at_rest() {
                self.disturb(place);
            }
        }
    }

    /// The places where there is something to do, now or after a pause.
    pub fn restless(&self) -> impl Iterator<Item = usize> + '_ {
        self.restless.iter().enumerate().flat_map(|(word, bits)| {
            let mut bits = bits.load(SeqCst);
            std::iter::from_fn(move || {
                let bit = (bits != 0).then(|| bits.trailing_zeros())?;
                bits &= bits - 1;
                Some(word * u64::BITS as usize + bit as usize)
            })
        })
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
        self.disturb_all();
    }

    /// As if all sources had changed: every TVIEW is considered, and those at rest are left alone.
    pub fn disturb_all(&self) {
        self.restless.iter().for_each(|word| word.store(u64::MAX, SeqCst));
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

    /// Whether worker `index` may do something that takes long: of several workers one is there for what is urgent.
    pub fn may_take_long(&self, index: usize) -> bool {
        let others = self.long.load(SeqCst) & !(1 << index);
        self.leaves_one(others)
    }

    /// Worker `index` is about to do something that may take long; false if it is the one that must not.
    pub fn begin_long(&self, index: usize) -> bool {
        let with_me = |long: u64| self.leaves_one(long & !(1 << index)).then_some(long | 1 << index);
        self.long.fetch_update(SeqCst, SeqCst, with_me).is_ok()
    }

    /// Worker `index` is through with it.
    pub fn end_long(&self, index: usize) {
        self.long.fetch_and(!(1 << index), SeqCst);
    }

    fn leaves_one(&self, others: u64) -> bool {
        let workers = self.running().count();
        workers < 2 || (others.count_ones() as usize) + 1 < workers
    }

    /// Wakes one sleeping worker; if none sleeps (false), all will look at the ticks before they do.
    pub fn wake_one(&self) -> bool {
        loop {
            let idle = self.idle.load(SeqCst);
            if idle == 0 {
                return false;
            }
            let index = idle.trailing_zeros() as usize;
            if self.idle.fetch_and(!(1 << index), SeqCst) & (1 << index) != 0 {
                latch::set(self.workers[index].number.load(SeqCst));
                return true;
            }
        }
    }

    /// A worker has begun; from now on only that can know of a rest.
    pub fn attend(&self) {
        self.rested_tick.store(0, SeqCst);
        self.attended.fetch_add(1, SeqCst);
    }

    /// A worker has ended. Whoever changed something before this counted on it: the launcher looks at the tick afterwards.
    pub fn unattend(&self) {
        self.attended.fetch_sub(1, SeqCst);
    }

    /// Whether a worker runs.
    pub fn is_attended(&self) -> bool {
        self.attended.load(SeqCst) > 0
    }

    /// A worker leaves that found nothing to do after `tick`, and would look again at `visit_at`.
    pub fn rest(&self, tick: u64, visit_at: i64) {
        self.visit_at.store(visit_at, SeqCst);
        self.rested_tick.store(tick, SeqCst);
    }

    /// A session waits for something: without workers this database needs one now.
    pub fn ask_for_visit(&self) {
        self.visit_at.store(0, SeqCst);
    }

    /// Whether a session has ever used its place: the launcher does not have to ask whether it has the extension.
    pub fn is_announced(&self) -> bool {
        self.tick.load(SeqCst) != FIRST_TICK
    }

    /// Until when there is nothing to do for a worker; None: there may be something.
    pub fn rests_until(&self, now: i64) -> Option<i64> {
        let visit_at = self.visit_at.load(SeqCst);
        let at_rest = self.present.load(SeqCst)
            && self.rested_tick.load(SeqCst) == self.tick.load(SeqCst)
            && self.poll_at.load(SeqCst) != 0
            // One that seems far is of a clock that was set back.
            && (now + 1..now + 2 * VISIT).contains(&visit_at);
        at_rest.then_some(visit_at)
    }

    /// Its workers have more to do than they can; false if that is known.
    pub fn note_more(&self, now: i64) -> bool {
        let known = self.more_at.load(SeqCst);
        let is_news = !(now - MORE_AGAIN..=now).contains(&known);
        if is_news {
            self.more_at.store(now, SeqCst);
        }
        is_news
    }

    /// A worker has found nothing to do.
    pub fn note_enough(&self) {
        self.more_at.store(0, SeqCst);
    }

    /// Whether its workers have had more to do than they can since one of them found nothing to do. All of them may be busy for long, and no
    /// writer comes again: what waits must not be forgotten.
    pub fn has_more(&self) -> bool {
        self.more_at.load(SeqCst) != 0
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

#[cfg(test)]
mod tests;
