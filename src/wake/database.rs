//! A database that has, or may have, the extension: whether it needs workers, and what its workers share.

use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64};

use crossbeam::utils::CachePadded;
use pgrx::pg_sys::Oid;

use super::blockers::Blockers;
use super::queue_known::Known;
use super::sources::Sources;
use super::throttle::Throttle;
use super::tview::Tview;
use super::workers::Workers;
use crate::postgres::process::shared_memory::SharedArray;
use crate::settings;

/// One element per database that has, or may have, the extension.
pub static DATABASES: SharedArray<Database> =
    SharedArray::new(c"pg_tviews databases", settings::max_databases);

/// A worker is started this often, in microseconds, in a database that has none.
pub const VISIT: i64 = 60_000_000;
/// How often the launcher is woken because the workers of a database have more to do than they can.
const OVERLOAD_AGAIN: i64 = 500_000;
/// First tick of a database: larger than what a new [`Tview`] has absorbed, so each TVIEW is checked once.
const FIRST_TICK: u64 = 1;

/// A database. Times are microseconds.
pub struct Database {
    /// 0: free. Claimed by CAS by the first process that needs the place, given back by the launcher only.
    oid: AtomicU32,
    /// Counts committing writers. Every writer.
    pub tick: CachePadded<AtomicU64>,
    /// Newest tick that affects every TVIEW. Sessions that change definitions.
    pub all_tick: AtomicU64,
    /// Moves when TVIEW definitions changed. Sessions that change them, at COMMIT.
    pub generation: AtomicU64,
    /// A worker found the extension installed. Workers.
    pub present: AtomicBool,
    /// The generation (plus one) at which a worker found no extension; out of date once `generation` moves.
    /// Workers.
    missing_at: AtomicU64,
    /// Whether the launcher has found the database in `pg_database`, and so knows `excluded`. Launcher.
    pub listed: AtomicBool,
    /// A template, or closed to connections: must have no workers. Launcher.
    pub excluded: AtomicBool,
    pub blockers: Blockers,
    /// Index (plus one) of the worker that trims, 0 if none. That worker.
    pub housekeeper: AtomicU32,
    /// When the queue should be trimmed, 0 if not needed. Workers.
    pub trim_at: AtomicI64,
    /// How long to wait between two trims of the queue. The worker that trims.
    pub trim_pause: AtomicI64,
    /// When the audit table should be trimmed. Workers.
    pub trim_audit_at: AtomicI64,
    /// When the change feed is to be trimmed.
    pub trim_feed_at: AtomicI64,
    /// When rows are to be verified next. The worker that keeps house.
    pub verify_at: AtomicI64,
    /// When to remove what dropped TVIEWs have left. Workers.
    pub tidy_at: AtomicI64,
    /// How long to wait for the next attempt at tables that were in use. The worker that tidies.
    pub tidy_pause: AtomicI64,
    /// When to check the backlogs of TVIEWs that are not being refreshed. Workers.
    pub backlogs_at: AtomicI64,
    /// When a worker should read the queue although no commit has woken it; 0: before anything else. Workers,
    /// and sessions that do not know what they have committed.
    pub poll_at: AtomicI64,
    /// When it should read all of the queue, not only what is new. Workers.
    pub look_at_all_at: AtomicI64,
    /// Number of workers that run. Each counts itself.
    attended: AtomicU32,
    /// The tick up to which the worker that ended last had nothing to do; 0: unknown. Workers.
    rested_tick: AtomicU64,
    /// When a database without workers should have one again in any case. Workers that end; lowered by
    /// sessions that wait.
    visit_at: AtomicI64,
    /// When it was last noticed that the workers have more to do than they can; 0 once one of them finds
    /// nothing to do. Writers and workers.
    overloaded_at: AtomicI64,
    /// Since when the database needs a worker and has none, 0 if not. Launcher.
    pub waiting_since: AtomicI64,
    /// Which rows of the queue have left their ids. Readers of the queue, and statements that change it.
    pub queue_known: Known,
    pub sources: Sources,
    pub throttle: Throttle,
    pub workers: Workers,
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
            listed: AtomicBool::new(false),
            excluded: AtomicBool::new(false),
            blockers: Blockers::default(),
            housekeeper: AtomicU32::new(0),
            trim_at: AtomicI64::new(0),
            trim_pause: AtomicI64::new(0),
            trim_audit_at: AtomicI64::new(0),
            trim_feed_at: AtomicI64::new(0),
            verify_at: AtomicI64::new(0),
            tidy_at: AtomicI64::new(0),
            tidy_pause: AtomicI64::new(0),
            backlogs_at: AtomicI64::new(0),
            poll_at: AtomicI64::new(0),
            look_at_all_at: AtomicI64::new(0),
            attended: AtomicU32::new(0),
            rested_tick: AtomicU64::new(0),
            visit_at: AtomicI64::new(0),
            overloaded_at: AtomicI64::new(0),
            waiting_since: AtomicI64::new(0),
            queue_known: Known::default(),
            sources: Sources::default(),
            throttle: Throttle::default(),
            workers: Workers::default(),
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

    /// The database that this place belongs to; `None` if the place is free.
    pub fn oid(&self) -> Option<Oid> {
        Some(Oid::from(self.oid.load(SeqCst))).filter(|oid| *oid != Oid::INVALID)
    }

    /// Launcher only: gives the place back. Ticks and generation keep counting, so nothing stale can look
    /// new. `generation` is the one at which the launcher decided: if it has moved since, a session needs the
    /// place.
    pub fn release(&self, generation: u64) {
        let oid = Oid::from(self.oid.load(SeqCst));
        Tview::release_all(oid, |_| false);
        self.present.store(false, SeqCst);
        self.missing_at.store(0, SeqCst);
        self.listed.store(false, SeqCst);
        self.excluded.store(false, SeqCst);
        self.workers
            .iter()
            .for_each(|worker| worker.failed_starts.store(0, SeqCst));
        self.queue_known.release();
        self.throttle.release();
        self.trim_at.store(0, SeqCst);
        self.rested_tick.store(0, SeqCst);
        self.waiting_since.store(0, SeqCst);
        self.oid.store(0, SeqCst);
        if self.generation.load(SeqCst) != generation {
            Self::find_or_claim(oid);
        }
    }

    /// A worker that had read `generation` before found no extension.
    pub fn note_missing(&self, generation: u64) {
        self.present.store(false, SeqCst);
        self.missing_at.store(generation + 1, SeqCst);
    }

    /// The generation at which the extension was found missing, if that is still the newest one.
    pub fn missing(&self) -> Option<u64> {
        let generation = self.generation.load(SeqCst);
        (self.missing_at.load(SeqCst) == generation + 1).then_some(generation)
    }

    /// Changes of these sources are visible now. Callable after commit: allocates, locks and raises nothing.
    pub fn note_changes(&self, sources: &[Oid]) {
        let tick = self.tick.fetch_add(1, SeqCst) + 1;
        for source in sources {
            self.sources.note_change(*source, tick);
        }
    }

    /// Changes are visible now of sources that only the queue knows: the next worker reads them there.
    pub fn note_unknown_changes(&self) {
        self.poll_at.store(0, SeqCst);
    }

    /// Every TVIEW must be checked.
    pub fn touch_all(&self) {
        let tick = self.tick.fetch_add(1, SeqCst) + 1;
        self.all_tick.fetch_max(tick, SeqCst);
        self.sources.mark_all();
    }

    /// A worker has started; from now on only that worker can know whether there is nothing to do.
    pub fn attend(&self) {
        self.rested_tick.store(0, SeqCst);
        self.attended.fetch_add(1, SeqCst);
    }

    /// A worker has ended. Writers that committed before counted on it: the launcher checks the tick
    /// afterwards.
    pub fn unattend(&self) {
        self.attended.fetch_sub(1, SeqCst);
    }

    /// Whether a worker runs.
    pub fn is_attended(&self) -> bool {
        self.attended.load(SeqCst) > 0
    }

    /// A worker ends that found nothing to do after `tick`, and would check again at `visit_at`.
    pub fn rest(&self, tick: u64, visit_at: i64) {
        self.visit_at.store(visit_at, SeqCst);
        self.rested_tick.store(tick, SeqCst);
    }

    /// A session waits for a refresh: without workers this database needs one now.
    pub fn ask_for_visit(&self) {
        self.visit_at.store(0, SeqCst);
    }

    /// Whether a session has ever used the place: then the launcher need not find out whether the database
    /// has the extension.
    pub fn is_announced(&self) -> bool {
        self.tick.load(SeqCst) != FIRST_TICK
    }

    /// Until when there is nothing to do for a worker; None: there may be something.
    pub fn rests_until(&self, now: i64) -> Option<i64> {
        let visit_at = self.visit_at.load(SeqCst);
        let at_rest = self.present.load(SeqCst)
            && self.rested_tick.load(SeqCst) == self.tick.load(SeqCst)
            && self.poll_at.load(SeqCst) != 0
            // A time that seems far was set before the clock was set back.
            && (now + 1..now + 2 * VISIT).contains(&visit_at);
        at_rest.then_some(visit_at)
    }

    /// How many workers are not waiting for work.
    pub fn busy_workers(&self) -> usize {
        self.workers
            .running()
            .filter(|worker| worker.busy.load(SeqCst))
            .count()
    }

    /// For how long the database has needed a worker and had none.
    pub fn waits_for(&self, now: i64) -> i64 {
        match self.waiting_since.load(SeqCst) {
            0 => 0,
            since => (now - since).max(0),
        }
    }

    /// The workers have more to do than they can; false if that was noticed a moment ago.
    pub fn note_overload(&self, now: i64) -> bool {
        let known = self.overloaded_at.load(SeqCst);
        let is_news = !(now - OVERLOAD_AGAIN..=now).contains(&known);
        if is_news {
            self.overloaded_at.store(now, SeqCst);
        }
        is_news
    }

    /// A worker has found nothing to do.
    pub fn end_overload(&self) {
        self.overloaded_at.store(0, SeqCst);
    }

    /// Whether the workers have had more to do than they can since one of them found nothing to do. All of
    /// them may be busy for long while no writer commits: the changes that wait must not be forgotten.
    pub fn is_overloaded(&self) -> bool {
        self.overloaded_at.load(SeqCst) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wake::throttle::Delays;

    #[test]
    fn a_database_is_missing_only_until_its_generation_moves() {
        let database = Database::default();
        assert_eq!(database.missing(), None);
        database.note_missing(0);
        assert_eq!(database.missing(), Some(0));
        database.generation.fetch_add(1, SeqCst);
        assert_eq!(database.missing(), None);
    }

    #[test]
    fn a_place_given_back_shows_its_next_owner_nothing() {
        let database = Database::default();
        database.oid.store(5, SeqCst);
        database.present.store(true, SeqCst);
        database.note_missing(0);
        database.throttle.note_delay(true, 40);
        database.release(0);
        assert_eq!((database.oid(), database.missing()), (None, None));
        assert_eq!(database.throttle.delays(), Delays::default());
        assert!(!database.present.load(SeqCst));
    }
}
