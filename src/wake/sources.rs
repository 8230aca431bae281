//! The source tables of a database: when each changed last, and which of them have TVIEWs with work to do.

use std::array;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicI64, AtomicU64};

use pgrx::pg_sys::Oid;

use super::hash::hash;
use super::quiet::is_quiet;

/// So many that few sources share a place. Where two do, a change of one also has the TVIEWs of the other one
/// checked.
pub(super) const PLACES: usize = 8192;
const WORDS: usize = PLACES / u64::BITS as usize;

/// All sources of a database, each at the place that the hash of its OID gives.
pub struct Sources {
    /// Not padded: a writer has just written the tick of the database, a cache line that all writers share
    /// anyway.
    places: [Source; PLACES],
    /// One bit for each place that has a TVIEW with work to do, now or after a pause. The process that brings
    /// the work sets the bit; a worker that finds no work for any TVIEW of the place clears it.
    with_work: [AtomicU64; WORDS],
}

/// A source table, or several with the same hash.
#[derive(Default)]
pub struct Source {
    /// Tick of the newest commit that changed it. Writers.
    pub last_tick: AtomicU64,
    /// Writers need not wake a worker before this time: every TVIEW of this source pauses, and a worker
    /// checks them at the end of the pause. Workers.
    pub quiet_until: AtomicI64,
    /// How many commits have changed it. Writers.
    commits: AtomicU64,
}

impl Default for Sources {
    fn default() -> Self {
        Self {
            places: array::from_fn(|_| Source::default()),
            with_work: array::from_fn(|_| AtomicU64::new(0)),
        }
    }
}

fn bit_of(place: usize) -> (usize, u64) {
    let bits = u64::BITS as usize;
    (place / bits, 1 << (place % bits))
}

impl Sources {
    /// The place of `source`.
    pub fn place_of(source: Oid) -> usize {
        hash(u64::from(source.to_u32())) as usize % PLACES
    }

    /// The source at a place.
    pub fn at(&self, place: usize) -> &Source {
        &self.places[place]
    }

    /// A commit that drew `tick` changed `source`.
    pub fn note_change(&self, source: Oid, tick: u64) {
        let place = Self::place_of(source);
        self.places[place].commits.fetch_add(1, SeqCst);
        self.places[place].last_tick.fetch_max(tick, SeqCst);
        self.mark(place);
    }

    /// How many commits have changed the sources at these places.
    pub fn commits(&self, places: &[usize]) -> u64 {
        let commits = |place: &usize| self.places[*place].commits.load(SeqCst);
        places.iter().map(commits).sum()
    }

    /// The places of the sources of a TVIEW. Requests to refresh the TVIEW are logged under its own OID.
    pub fn places_of(sources: &[Oid], tview: Oid) -> Vec<usize> {
        let all = sources.iter().chain([&tview]);
        let mut places: Vec<usize> = all.map(|source| Self::place_of(*source)).collect();
        places.sort_unstable();
        places.dedup();
        places
    }

    /// Whether one of these sources has a TVIEW that may be refreshed now.
    pub fn is_awaited(&self, sources: &[Oid], now: i64) -> bool {
        let quiet_until = |source: &Oid| self.places[Self::place_of(*source)].quiet_until.load(SeqCst);
        sources.iter().any(|source| !is_quiet(quiet_until(source), now))
    }

    /// Every commit wakes a worker again, until a worker sets a new quiet time.
    pub fn end_quiet(&self) {
        self.places
            .iter()
            .for_each(|source| source.quiet_until.store(0, SeqCst));
    }

    /// A TVIEW of the source at this place has work to do.
    pub fn mark(&self, place: usize) {
        let (word, bit) = bit_of(place);
        // Usually the bit is set already, and a load is cheaper.
        if self.with_work[word].load(SeqCst) & bit == 0 {
            self.with_work[word].fetch_or(bit, SeqCst);
        }
    }

    /// As if all sources had changed: every TVIEW is checked, and those without work are not refreshed.
    pub fn mark_all(&self) {
        self.with_work
            .iter()
            .for_each(|word| word.store(u64::MAX, SeqCst));
    }

    /// Clears the mark of a place if no TVIEW of the place has work, and checks once more. A process that
    /// brings work first changes the TVIEW and then marks the place, so one of the two notices the other.
    pub fn clear(&self, place: usize, at_rest: impl Fn() -> bool) {
        if at_rest() {
            let (word, bit) = bit_of(place);
            self.with_work[word].fetch_and(!bit, SeqCst);
            if !at_rest() {
                self.mark(place);
            }
        }
    }

    /// The places that have work to do, now or after a pause.
    pub fn with_work(&self) -> impl Iterator<Item = usize> + '_ {
        self.with_work.iter().enumerate().flat_map(|(word, bits)| {
            let mut bits = bits.load(SeqCst);
            std::iter::from_fn(move || {
                let bit = (bits != 0).then(|| bits.trailing_zeros())?;
                bits &= bits - 1;
                Some(word * u64::BITS as usize + bit as usize)
            })
        })
    }
}

#[cfg(test)]
mod tests;
