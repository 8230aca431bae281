//! The TVIEWs of a worker's database: definitions as loaded, progress as shared.

use std::collections::{HashMap, HashSet};
use std::ops::Deref;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use pgrx::pg_sys::Oid;

use super::schedule::{self, Candidate, Need};
use crate::catalog::{State, TviewInfo};
use crate::wake::database::Database;
use crate::wake::tview::Tview;

/// Longest time writers stay quiet while a refresh runs.
const QUIET_RUN: i64 = 5_000_000;

/// How long to believe what refreshes are harmless.
const HARMLESS: i64 = 1_000_000;

/// Progress of a TVIEW: in shared memory, or, when that is full, this worker's own.
enum Progress {
    Shared(&'static Tview),
    Own(Box<Tview>),
}

impl Deref for Progress {
    type Target = Tview;

    fn deref(&self) -> &Tview {
        match self {
            Progress::Shared(tview) => tview,
            Progress::Own(tview) => tview,
        }
    }
}

/// One TVIEW.
pub struct Tracked {
    /// Its definition.
    pub info: TviewInfo,
    /// Its bound, in microseconds.
    pub max_latency: i64,
    /// Where its sources note changes: indexes into the database's source places.
    sources: Vec<usize>,
    progress: Progress,
}

impl Tracked {
    fn new(oid: Oid, info: TviewInfo) -> Self {
        // Its own oid: requests to refresh it are logged under that.
        let mut sources: Vec<usize> = info
            .sources
            .iter()
            .chain([&info.tview])
            .map(|source| Database::source_index(*source))
            .collect();
        sources.sort_unstable();
        sources.dedup();
        let progress = match Tview::find_or_claim(oid, info.tview) {
            Some(tview) => Progress::Shared(tview),
            None => Progress::Own(Box::default()),
        };
        let max_latency = i64::try_from(info.max_latency.as_micros())
            .unwrap_or(i64::MAX / 4)
            .min(i64::MAX / 4);
        Self {
            info,
            max_latency,
            sources,
            progress,
        }
    }

    /// Progress, as all workers of the database see it.
    pub fn progress(&self) -> &Tview {
        &self.progress
    }

    fn need(&self, database: &Database, now: i64) -> Need {
        let absorbed = self.progress.absorbed_tick.load(SeqCst);
        let newest = |index: &usize| database.source_at(*index).last_tick.load(SeqCst);
        if self.progress.runner.load(SeqCst) != 0 {
            match self.progress.parts.load(SeqCst) {
                0 => Need::Running,
                _ => Need::Help,
            }
        } else if absorbed == 0
            || self.sources.iter().any(|index| newest(index) > absorbed)
            || schedule::is_due(self.progress.retry_at.load(SeqCst), now)
        {
            Need::Refresh
        } else if self.progress.comparing.load(SeqCst) {
            Need::Compare
        } else if database.all_tick.load(SeqCst) > absorbed {
            Need::Look
        } else {
            Need::Nothing
        }
    }

    /// Where parts of its backlog can be offered to other workers.
    pub fn shared_progress(&self) -> Option<&'static Tview> {
        match self.progress {
            Progress::Shared(tview) => Some(tview),
            Progress::Own(_) => None,
        }
    }

    /// What the schedule needs to know now.
    fn candidate(&self, database: &Database, now: i64) -> Candidate {
        let progress = self.progress();
        let need = self.need(database, now);
        if matches!(need, Need::Look | Need::Refresh | Need::Compare)
            && progress.dirty_since.load(SeqCst) == 0
        {
            let (started, finished) = (
                progress.started_at.load(SeqCst),
                progress.finished_at.load(SeqCst),
            );
            let since = schedule::dirty_since(now, started, finished, self.max_latency);
            let _ = progress.dirty_since.compare_exchange(0, since, SeqCst, SeqCst);
        }
        Candidate {
            need,
            dirty_since: progress.dirty_since.load(SeqCst),
            not_before: progress.not_before.load(SeqCst),
            retry_at: progress.retry_at.load(SeqCst),
            expected: progress.expected.load(SeqCst),
            max_latency: self.max_latency,
            populating: self.info.state == State::Populating && !progress.comparing.load(SeqCst),
        }
    }

    /// Whether nothing is to be done for it until something happens to it. Without a shared place this worker alone knows.
    fn is_at_rest(&self, database: &Database, now: i64) -> bool {
        matches!(self.progress, Progress::Shared(_))
            && schedule::is_at_rest(now, &self.candidate(database, now))
    }

    /// Until when nobody needs to be woken for it. Its runner looks again when it is done, and whoever sleeps sets an
    /// alarm for the end of a pause; without a shared place nobody else knows of the pause.
    fn quiet_until(&self) -> i64 {
        let progress = self.progress();
        match self.progress {
            Progress::Own(_) => 0,
            Progress::Shared(_) if progress.runner.load(SeqCst) != 0 => {
                let allowance = progress
                    .expected
                    .load(SeqCst)
                    .saturating_mul(10)
                    .clamp(50_000, QUIET_RUN);
                progress.started_at.load(SeqCst) + allowance
            }
            Progress::Shared(_) => progress.not_before.load(SeqCst),
        }
    }

    /// Whether the place has not been given to another TVIEW.
    fn holds_place(&self, database: &Database) -> bool {
        matches!(self.progress, Progress::Own(_))
            || database
                .oid()
                .is_some_and(|oid| self.progress.is(oid, self.info.tview))
    }
}

/// All of them but the paused ones.
pub struct TrackedSet {
    database: &'static Database,
    list: Vec<Tracked>,
    /// For each source place: which TVIEWs read it.
    readers: HashMap<usize, Vec<usize>>,
    /// Those that may have something to do, as last gathered.
    considered: Vec<usize>,
    /// For each TVIEW the round in which it was gathered last.
    considered_in: Vec<u64>,
    round: u64,
    /// When it was found out, and how long a refresh may take without making others late.
    harmless: (i64, i64),
}

impl TrackedSet {
    /// None yet.
    pub fn new(database: &'static Database) -> Self {
        Self {
            database,
            list: Vec::new(),
            readers: HashMap::new(),
            considered: Vec::new(),
            considered_in: Vec::new(),
            round: 0,
            harmless: (0, i64::MAX),
        }
    }

    /// Takes newly loaded definitions. `known` are the TVIEWs that had a place before they were read: of these, the
    /// ones that are gone lose it (others may belong to definitions newer than these). Returns whether there were any.
    pub fn replace(&mut self, oid: Oid, infos: Vec<TviewInfo>, known: &[Oid]) -> bool {
        let exist: HashSet<Oid> = infos.iter().map(|info| info.tview).collect();
        let gone: HashSet<Oid> = known
            .iter()
            .copied()
            .filter(|tview| !exist.contains(tview))
            .collect();
        let some_gone = !gone.is_empty();
        Tview::release_all(oid, |tview| !gone.contains(&tview));

        let before: HashMap<Oid, Tracked> = self
            .list
            .drain(..)
            .map(|tracked| (tracked.info.tview, tracked))
            .collect();
        for info in infos.into_iter().filter(|info| info.state != State::Paused) {
            let tracked = Tracked::new(oid, info);
            let unchanged = before
                .get(&tracked.info.tview)
                .is_some_and(|old| old.info.state == tracked.info.state && old.sources == tracked.sources);
            if !unchanged || tracked.progress.failures.load(SeqCst) > 0 {
                tracked.progress.forget();
            }
            self.list.push(tracked);
        }
        self.considered_in = vec![0; self.list.len()];
        self.harmless = (0, i64::MAX);
        self.readers.clear();
        for (index, tracked) in self.list.iter().enumerate() {
            for source in &tracked.sources {
                self.readers.entry(*source).or_default().push(index);
            }
        }
        self.database.end_quiet();
        self.database.disturb_all();
        some_gone
    }

    /// What queue rows are of: the sources of TVIEWs, and TVIEWs of which something is requested.
    pub fn source_oids(&self) -> HashSet<Oid> {
        let infos = self.list.iter().map(|tracked| &tracked.info);
        infos
            .flat_map(|info| info.sources.iter().copied().chain([info.tview]))
            .collect()
    }

    /// The TVIEW at an index the schedule named.
    pub fn get(&self, index: usize) -> &Tracked {
        &self.list[index]
    }

    /// What to do now; without refreshes that would make other TVIEWs late, if this worker is to be there for those.
    /// `generation`: of the definitions it holds.
    pub fn next(&mut self, now: i64, only_short: bool, generation: Option<u64>) -> schedule::Next {
        let longest = if only_short { self.harmless(now) } else { i64::MAX };
        self.consider(now, generation);
        let considered = self.considered.iter();
        schedule::next(
            now,
            longest,
            considered.map(|index| (*index, self.list[*index].candidate(self.database, now))),
        )
    }

    /// Gathers the TVIEWs of places where there is something to do. Places where there is not are settled.
    fn consider(&mut self, now: i64, generation: Option<u64>) {
        self.considered.clear();
        self.round += 1;
        for place in self.database.restless() {
            let readers = self.readers.get(&place).map_or(&[][..], Vec::as_slice);
            for reader in readers {
                if std::mem::replace(&mut self.considered_in[*reader], self.round) != self.round {
                    self.considered.push(*reader);
                }
            }
            // There may be TVIEWs that this worker has not loaded yet.
            let knows_all = || Some(self.database.generation.load(SeqCst)) == generation;
            self.database.settle(place, || {
                knows_all()
                    && readers
                        .iter()
                        .all(|reader| self.list[*reader].is_at_rest(self.database, now))
            });
        }
    }

    /// Whether a refresh of the TVIEW at `index` may make others late.
    pub fn is_long(&mut self, index: usize, now: i64) -> bool {
        let longest = self.harmless(now);
        schedule::is_long(now, &self.list[index].candidate(self.database, now), longest)
    }

    /// Whether nobody knows how long a refresh of the TVIEW at `index` takes.
    pub fn is_unknown(&self, index: usize, now: i64) -> bool {
        schedule::is_unknown(&self.list[index].candidate(self.database, now))
    }

    /// How long a refresh of the TVIEW at `index` may take in a worker that is there for what is urgent. Batches of a comparison are
    /// limited by their size.
    pub fn limit(&mut self, index: usize, now: i64) -> Option<Duration> {
        let longest = self.harmless(now);
        let tracked = &self.list[index];
        if tracked.progress.comparing.load(SeqCst) || tracked.progress.failures.load(SeqCst) > 0 {
            return None;
        }
        let limit = schedule::limit(&tracked.candidate(self.database, now), longest)?;
        Some(Duration::from_micros(limit.unsigned_abs()))
    }

    /// Of all TVIEWs, so it is not asked for each time.
    fn harmless(&mut self, now: i64) -> i64 {
        let (at, harmless) = self.harmless;
        if (at..at + HARMLESS).contains(&now) {
            return harmless;
        }
        let candidates = self
            .list
            .iter()
            .map(|tracked| tracked.candidate(self.database, now));
        self.harmless = (now, schedule::harmless(candidates));
        self.harmless.1
    }

    /// Whether the TVIEW at `index` still has its place; if not, definitions have to be loaded again.
    pub fn holds_place(&self, index: usize) -> bool {
        self.get(index).holds_place(self.database)
    }

    /// Tells writers of the sources of the TVIEW at `index` until when they need to wake nobody: until the first of
    /// the TVIEWs that read the source may be refreshed again.
    pub fn announce_quiet(&self, index: usize) {
        for source in &self.get(index).sources {
            let place = self.database.source_at(*source);
            let until = || {
                let readers = self.readers.get(source).into_iter().flatten();
                readers
                    .map(|reader| self.list[*reader].quiet_until())
                    .min()
                    .unwrap_or(0)
            };
            // Again if another worker changed something meanwhile: the later store must not be the older view.
            for _ in 0..3 {
                let announced = until();
                place.quiet_until.store(announced, SeqCst);
                if until() == announced {
                    break;
                }
            }
        }
    }
}
