//! Which TVIEW next, and when. Plain arithmetic on microseconds, no PostgreSQL.

/// Longest pause this module asks for. A pause that seems longer is a clock that was set back: it is over.
const LONGEST_PAUSE: i64 = 61_000_000;
/// TVIEWs that are only looked at to be sure come after those known to be behind; there may be thousands of them.
const JUST_LOOKING: i64 = 5_000_000;
/// What takes longer keeps others waiting, however badly they keep their bounds.
const LONG: i64 = 1_000_000;
/// A comparison of all rows leaves way to changes.
const COMPARING: i64 = 1_000_000;
/// Whoever helps another worker has nothing else to do.
const HELPING: i64 = 3_600_000_000;

/// What the decision needs to know of one TVIEW.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    /// What there is to do.
    pub need: Need,
    /// When that was first noticed.
    pub dirty_since: i64,
    /// Cooling down or backing off until then.
    pub not_before: i64,
    /// When something that failed is to be tried again; 0: nothing is.
    pub retry_at: i64,
    /// How long its refresh takes.
    pub expected: i64,
    /// From commit to visible, at most.
    pub max_latency: i64,
    /// It is its first population: nobody knows how long that takes.
    pub populating: bool,
}

/// What there is to do for a TVIEW.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing.
    Nothing,
    /// Another worker is at it.
    Running,
    /// Nothing is known to be pending, but it should be looked at.
    Look,
    /// A source changed.
    Refresh,
    /// All its rows are being compared: the next batch.
    Compare,
    /// The worker that refreshes it has more than it can do alone.
    Help,
}

impl Need {
    /// Whether there is something for this worker.
    fn is_work(self) -> bool {
        matches!(self, Need::Look | Need::Refresh | Need::Compare | Need::Help)
    }
}

/// What a worker should do now.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Refresh the candidate at this index; `more` are due besides.
    Refresh {
        /// Index among the candidates.
        index: usize,
        /// Another worker would find something to do, too.
        more: bool,
    },
    /// Nothing is due before this time (or until someone wakes the worker).
    Sleep {
        /// The end of the first pause.
        until: Option<i64>,
    },
}

/// Least slack first. A candidate without need but in a pause counts for the alarm clock: writers stay quiet meanwhile.
/// Refreshes that take longer than `longest` are left to others.
pub fn next(now: i64, longest: i64, candidates: impl Iterator<Item = (usize, Candidate)>) -> Next {
    let mut first: Option<(i64, usize)> = None;
    let mut due = 0;
    let mut until: Option<i64> = None;
    let mut alarm = |at: i64| until = Some(until.map_or(at, |until: i64| until.min(at)));
    for (index, candidate) in candidates {
        if candidate.need != Need::Help && is_paused(candidate.not_before, now) {
            alarm(candidate.not_before);
        } else if candidate.need == Need::Nothing && candidate.retry_at > now {
            alarm(candidate.retry_at);
        } else if candidate.need.is_work() && is_long(now, &candidate, longest) {
            if candidate.expected <= LONG {
                alarm(spared_at(&candidate).max(now + 1));
            }
        } else if candidate.need.is_work() {
            due += 1;
            let slack = slack(&candidate);
            if first.is_none_or(|(least, _)| slack < least) {
                first = Some((slack, index));
            }
        }
    }
    match first {
        Some((_, index)) => Next::Refresh { index, more: due > 1 },
        None => Next::Sleep { until },
    }
}

fn slack(candidate: &Candidate) -> i64 {
    let extra = match candidate.need {
        Need::Look => JUST_LOOKING,
        Need::Compare => COMPARING,
        Need::Help => HELPING,
        Need::Nothing | Need::Running | Need::Refresh => 0,
    };
    candidate.dirty_since.saturating_add(candidate.max_latency) - candidate.expected + extra
}

/// Whether nothing is to be done for it until something happens to it.
pub fn is_at_rest(now: i64, candidate: &Candidate) -> bool {
    candidate.need == Need::Nothing && candidate.retry_at == 0 && !is_paused(candidate.not_before, now)
}

/// How long a refresh may take without making those late that keep their bounds easily, and without keeping others waiting that do
/// not, but are quick.
pub fn harmless(candidates: impl Iterator<Item = Candidate>) -> i64 {
    let bound = |candidate: Candidate| {
        let half = candidate.max_latency / 2;
        match candidate.populating {
            false if candidate.expected <= half && candidate.expected > 0 => Some(half),
            false if candidate.expected <= LONG => Some(LONG),
            _ => None,
        }
    };
    candidates.filter_map(bound).min().unwrap_or(i64::MAX)
}

/// How long a refresh may take that nobody expects to be long: then it is one. None: there is nobody whom it could keep waiting.
pub fn limit(candidate: &Candidate, longest: i64) -> Option<i64> {
    (longest < i64::MAX).then(|| LONG.max(longest).max(candidate.expected.saturating_mul(4)))
}

/// Whether nobody knows yet how long a refresh takes.
pub fn is_unknown(candidate: &Candidate) -> bool {
    matches!(candidate.need, Need::Look | Need::Refresh) && candidate.expected == 0
}

/// From when on it is late for long.
fn spared_at(candidate: &Candidate) -> i64 {
    candidate.dirty_since.saturating_add(candidate.max_latency) + LONG
}

/// Whether a refresh takes longer than `longest`. Parts of a backlog and batches of a comparison are small; and what is late
/// for long is not kept waiting any more by what is longer still.
pub fn is_long(now: i64, candidate: &Candidate, longest: i64) -> bool {
    let spared = matches!(candidate.need, Need::Help | Need::Compare)
        || (!candidate.populating && candidate.expected <= LONG && now >= spared_at(candidate));
    !spared && (candidate.expected > longest || (candidate.populating && longest < i64::MAX))
}

/// Whether something that was to be tried again at `retry_at` (0: nothing was) is due.
pub fn is_due(retry_at: i64, now: i64) -> bool {
    retry_at != 0 && retry_at <= now
}

/// Whether a pause that ends at `not_before` is still on.
pub fn is_paused(not_before: i64, now: i64) -> bool {
    now < not_before && not_before - now <= LONGEST_PAUSE
}

/// When pending changes noticed at `now` may have begun. While a TVIEW is refreshed or cools down nobody looks, so they
/// may be as old as the last refresh.
pub fn dirty_since(now: i64, started_at: i64, finished_at: i64, max_latency: i64) -> i64 {
    if finished_at <= now && now - finished_at < max_latency {
        started_at.max(now - max_latency)
    } else {
        now
    }
}

/// How long a TVIEW that was just refreshed waits for more changes to share the next refresh: in proportion to what a
/// refresh costs, at most a part of its bound. The busier the worker (`load`, from 0 to 1), the longer: work shared is CPU
/// left to writers. The same if this refresh has absorbed several `changes`: as many more are on their way.
pub fn cooldown(max_latency: i64, duration: i64, load: f64, changes: u64) -> i64 {
    let gathered = changes.clamp(1, 8) - 1;
    let times = 4.0 + 0.5 * gathered as f64 + 50.0 * (load - 0.2).clamp(0.0, 1.0);
    (max_latency * 2 / 5).min((duration as f64 * times) as i64)
}

/// The share of its time that a worker spends on refreshes, as it was `before`, after `idle` and then `busy` microseconds.
/// About a fifth of a second counts.
pub fn load(before: f64, idle: i64, busy: i64) -> f64 {
    const HORIZON: f64 = 200_000.0;
    let (idle, busy) = (idle.max(0) as f64, busy.max(0) as f64);
    let rested = before * (-idle / HORIZON).exp();
    1.0 - (1.0 - rested) * (-busy / HORIZON).exp()
}

/// Moving average of refresh times; quick to rise, since a deadline missed is worse than one met early.
pub fn expected(before: i64, sample: i64) -> i64 {
    match before {
        0 => sample,
        before if sample > before => (before + sample) / 2,
        before => before - (before - sample) / 8,
    }
}

/// Pause after the `failures`-th failure in a row: doubles up to a minute. `chance` in 0..1000 spreads retries of
/// TVIEWs that failed together.
pub fn backoff(first: i64, failures: u32, chance: i64) -> i64 {
    let pause = first
        .saturating_mul(1 << failures.saturating_sub(1).min(20))
        .min(60_000_000);
    pause - pause / 4 * chance / 1000
}

/// Pause when someone else refreshes the TVIEW, or holds what it reads: a part of what a refresh takes, doubled with
/// each of the `times` in a row, up to a second. Attempts may keep writers waiting for a moment.
pub fn busy_pause(expected: i64, times: u32) -> i64 {
    let pause = (expected / 2).clamp(5_000, 100_000);
    (pause << times.saturating_sub(1).min(10)).min(1_000_000)
}

#[cfg(test)]
mod tests;
