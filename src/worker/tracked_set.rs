//! The TVIEWs of a worker's database, found by the sources that change.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use pgrx::pg_sys::Oid;

use super::schedule::{self, averages, long, Candidate, Need};
use super::tracked::Tracked;
use super::units::Units;
use crate::catalog::{State, TviewInfo};
use crate::wake::database::Database;
use crate::wake::quiet::LONGEST_QUIET;
use crate::wake::sources::Sources;
use crate::wake::tview::Tview;

/// For how long the answer is kept which refreshes are harmless.
const HARMLESS: i64 = 1_000_000;

/// All TVIEWs but the paused ones.
pub struct TrackedSet {
    database: &'static Database,
    list: Vec<Tracked>,
    /// For each source place: which TVIEWs read it.
    readers: HashMap<usize, Vec<usize>>,
    units: Units,
    /// Those that may have something to do, as last gathered.
    considered: Vec<usize>,
    /// For each TVIEW the round in which it was gathered last.
    considered_in: Vec<u64>,
    round: u64,
    /// When it was computed, and how long a refresh may take without making other TVIEWs late.
    harmless: (i64, i64),
}

impl TrackedSet {
    /// No TVIEW is loaded yet.
    pub fn new(database: &'static Database) -> Self {
        Self {
            database,
            list: Vec::new(),
            readers: HashMap::new(),
            units: Units::default(),
            considered: Vec::new(),
            considered_in: Vec::new(),
            round: 0,
            harmless: (0, i64::MAX),
        }
    }

    /// Takes newly loaded definitions; returns whether TVIEWs are gone. `known`: the TVIEWs that had a place
    /// before definitions were read. Those of them that are gone lose it; other places may belong to newer
    /// definitions.
    pub fn replace(&mut self, oid: Oid, infos: Vec<TviewInfo>, known: &[Oid]) -> bool {
        let exist: HashSet<Oid> = infos.iter().map(|info| info.tview).collect();
        let gone: HashSet<Oid> = known
            .iter()
            .copied()
            .filter(|tview| !exist.contains(tview))
            .collect();
        let some_gone = !gone.is_empty();
        Tview::release_all(oid, |tview| !gone.contains(&tview));
        self.load(oid, infos);
        self.units = Units::of(&self.list);
        self.considered_in = vec![0; self.list.len()];
        self.harmless = (0, i64::MAX);
        self.readers.clear();
        for (index, tracked) in self.list.iter().enumerate() {
            for source in &tracked.sources {
                self.readers.entry(*source).or_default().push(index);
            }
        }
        self.announce_throttled();
        self.database.sources.end_quiet();
        self.database.sources.mark_all();
        some_gone
    }

    /// Makes the list anew. The progress of what has changed or failed begins anew, too.
    fn load(&mut self, oid: Oid, infos: Vec<TviewInfo>) {
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
            if !unchanged || tracked.progress().failures.load(SeqCst) > 0 {
                tracked.progress().forget();
            }
            self.list.push(tracked);
        }
    }

    /// What queue rows may be about: sources, and TVIEWs for which a refresh was requested.
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

    /// What to do now. `only_short`: without refreshes that would make other TVIEWs late, because this worker
    /// is kept free for those. `generation`: of the definitions it holds.
    pub fn next(&mut self, now: i64, only_short: bool, generation: Option<u64>) -> schedule::Next {
        let longest = if only_short { self.harmless(now) } else { i64::MAX };
        self.consider(now, generation);
        let units = self.units.first_of_each(&self.list, &self.considered);
        let candidates = units.into_iter();
        let next = schedule::next(
            now,
            longest,
            candidates.map(|index| (index, self.candidate(index, now))),
        );
        self.considered
            .iter()
            .for_each(|index| self.announce_lateness(*index));
        next
    }

    /// Publishes for writers of each source of the TVIEW at `index` when the first of the TVIEWs that read the
    /// source is later than its `throttle_lag`.
    pub fn announce_lateness(&self, index: usize) {
        let tracked = self.get(index);
        if tracked.throttles_from().is_none() {
            return;
        }
        for source in &tracked.info.throttled {
            let readers = self
                .readers
                .get(&Sources::place_of(*source))
                .into_iter()
                .flatten();
            let readers = readers.map(|reader| &self.list[*reader]);
            let of_source = readers.filter(|reader| reader.info.throttled.contains(source));
            let earliest = of_source
                .filter_map(Tracked::throttles_from)
                .min_by_key(|(from, _)| if *from == 0 { i64::MAX } else { *from });
            if let Some((from, lag)) = earliest {
                self.database.throttle.publish(*source, from, lag);
            }
        }
    }

    fn announce_throttled(&self) {
        let throttling = |tracked: &&Tracked| tracked.throttles_from().is_some();
        let sources = self.list.iter().filter(throttling);
        let sources: HashSet<Oid> = sources
            .flat_map(|tracked| tracked.info.throttled.iter().copied())
            .collect();
        self.database.throttle.keep(&sources);
        (0..self.list.len()).for_each(|index| self.announce_lateness(index));
    }

    /// Those that are refreshed in one transaction with the TVIEW at `index`, each after those that feed it.
    pub fn unit(&self, index: usize) -> Vec<usize> {
        self.units.with(&self.list, index)
    }

    /// What the schedule needs to know of the TVIEW at `index`, with those that are refreshed with it.
    fn candidate(&self, index: usize, now: i64) -> Candidate {
        let alone = |index: usize| self.list[index].candidate(self.database, now);
        if self.list[index].info.unit.is_none() {
            return alone(index);
        }
        let candidates: Vec<Candidate> = self.unit(index).into_iter().map(alone).collect();
        schedule::together(&candidates).unwrap_or_else(|| alone(index))
    }

    /// Gathers the TVIEWs of places where there is something to do. Places where there is not are settled.
    fn consider(&mut self, now: i64, generation: Option<u64>) {
        self.considered.clear();
        self.round += 1;
        for place in self.database.sources.with_work() {
            let readers = self.readers.get(&place).map_or(&[][..], Vec::as_slice);
            for reader in readers {
                if std::mem::replace(&mut self.considered_in[*reader], self.round) != self.round {
                    self.considered.push(*reader);
                }
            }
            // There may be TVIEWs that this worker has not loaded yet.
            let knows_all = || Some(self.database.generation.load(SeqCst)) == generation;
            if readers.is_empty() {
                self.announce_no_reader(place, now, knows_all);
            }
            self.database.sources.clear(place, || {
                knows_all()
                    && readers
                        .iter()
                        .all(|reader| self.list[*reader].is_at_rest(self.database, now))
            });
        }
    }

    /// Whether the TVIEW at `index`, which is due, waits for more changes: its pause is longer now.
    pub fn gathers(&self, index: usize, now: i64) -> bool {
        let unit = self.unit(index);
        let mut pending = unit
            .iter()
            .map(|member| &self.list[*member])
            .filter(|member| member.candidate(self.database, now).need == Need::Refresh)
            .peekable();
        let gathers = pending.peek().is_some() && pending.all(|member| member.gathers(self.database, now));
        if gathers {
            unit.into_iter().for_each(|member| self.announce_quiet(member));
        }
        gathers
    }

    /// A refresh of the TVIEW at `index`, with the wake-up before, waited for a CPU for `delay` of `elapsed`
    /// microseconds.
    pub fn note_delay(&self, index: usize, delay: i64, elapsed: i64) {
        let delayed = &self.list[index].progress().delayed;
        let before = f64::from(delayed.load(SeqCst)) / 1000.0;
        let share = averages::delayed(before, delay, elapsed);
        delayed.store((share * 1000.0) as u32, SeqCst);
    }

    /// Whether a refresh of the TVIEW at `index` may make other TVIEWs late.
    pub fn is_long(&mut self, index: usize, now: i64) -> bool {
        let longest = self.harmless(now);
        long::is_long(now, &self.candidate(index, now), longest)
    }

    /// Whether it is unknown how long a refresh of the TVIEW at `index` takes.
    pub fn is_unknown(&self, index: usize, now: i64) -> bool {
        long::is_unknown(&self.candidate(index, now))
    }

    /// How long a refresh of the TVIEW at `index` may take in a worker that is kept free for urgent
    /// refreshes. Batches of a comparison are limited by their size.
    pub fn limit(&mut self, index: usize, now: i64) -> Option<Duration> {
        let longest = self.harmless(now);
        let is_unlimited = |member: usize| {
            let progress = self.list[member].progress();
            progress.comparing.load(SeqCst) || progress.failures.load(SeqCst) > 0
        };
        if self.unit(index).into_iter().any(is_unlimited) {
            return None;
        }
        let limit = long::limit(&self.candidate(index, now), longest)?;
        Some(Duration::from_micros(limit.unsigned_abs()))
    }

    /// How long a refresh may take without making other TVIEWs late. Computed once a second, since it reads
    /// all TVIEWs.
    fn harmless(&mut self, now: i64) -> i64 {
        let (at, harmless) = self.harmless;
        if (at..at + HARMLESS).contains(&now) {
            return harmless;
        }
        let candidates = self
            .list
            .iter()
            .map(|tracked| tracked.candidate(self.database, now));
        self.harmless = (now, long::harmless(candidates));
        self.harmless.1
    }

    /// The shortest bound of a TVIEW, in microseconds.
    pub fn least_bound(&self) -> i64 {
        let bounds = self.list.iter().map(|tracked| tracked.max_latency);
        bounds.min().unwrap_or(i64::MAX / 4)
    }

    /// Whether the TVIEW at `index` still has its place; if not, definitions have to be loaded again.
    pub fn holds_place(&self, index: usize) -> bool {
        self.get(index).holds_place(self.database)
    }

    /// Tells writers of a source whose TVIEWs are all paused to wake no worker for a while. A TVIEW that is
    /// resumed or created ends that, as all definitions are loaded again.
    fn announce_no_reader(&self, place: usize, now: i64, knows_all: impl Fn() -> bool) {
        let quiet_until = &self.database.sources.at(place).quiet_until;
        if knows_all() {
            quiet_until.store(now + LONGEST_QUIET / 2, SeqCst);
            if !knows_all() {
                quiet_until.store(0, SeqCst);
            }
        }
    }

    /// Tells writers of each source of the TVIEW at `index` until when they need to wake no worker: until the
    /// first of the TVIEWs that read the source may be refreshed again.
    pub fn announce_quiet(&self, index: usize) {
        for source in &self.get(index).sources {
            let place = self.database.sources.at(*source);
            let until = || {
                let readers = self.readers.get(source).into_iter().flatten();
                readers
                    .map(|reader| self.list[*reader].quiet_until())
                    .min()
                    .unwrap_or(0)
            };
            // Again if another worker changed something meanwhile: the later store must not be the older
            // value.
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
