//! Whether a pause is made longer, so that more changes share the next refresh. Each refresh costs something
//! that does not depend on how much changed. Where every CPU is in use, writers pay for that.
//!
//! Only the end of a pause is asked, step by step: a pause goes on where the last refresh waited for a CPU and
//! writers keep committing. A TVIEW that does not pause is refreshed immediately.

/// The machine counts as saturated where refreshes wait for a CPU for so large a share of their time. Two workers
/// and two writers on two CPUs wait for half of it.
const SATURATED: f64 = 0.3;
/// So many commits in a step are more than an isolated change.
const SEVERAL: u64 = 8;
/// The longest step. Each ends with a look at whether writers still commit.
const LONGEST_STEP: i64 = 25_000;
/// Shorter steps would cost more than they save.
const SHORTEST_STEP: i64 = 2_000;
/// Pauses that last so many times as long as a refresh: longer ones would save next to nothing.
const ENOUGH: i64 = 50;

/// A TVIEW whose pause has ended.
#[derive(Clone, Copy, Debug)]
pub struct Rested {
    /// When the pause ended.
    pub not_before: i64,
    /// When the last refresh ended.
    pub finished_at: i64,
    /// When the oldest of the pending changes may have been committed.
    pub dirty_since: i64,
    /// How long its refresh is expected to take, with all that it waits for.
    pub expected: i64,
    /// The bound of the TVIEW.
    pub max_latency: i64,
    /// The share of the time of its last refreshes for which they waited for a CPU.
    pub delayed: f64,
    /// Commits since the last refresh began, or since the pause was made longer, up to the newest that changed
    /// one of its sources. Those that changed other sources count, too.
    pub commits: u64,
}

/// Until when the pause goes on; None: the TVIEW is refreshed now. A refresh still starts so early that three
/// fifths of the bound have passed when it ends, even if it takes twice as long as expected.
pub fn goes_on_until(now: i64, tview: &Rested) -> Option<i64> {
    let step = (tview.max_latency / 10).min(LONGEST_STEP);
    let has_just_ended = (0..step).contains(&(now - tview.not_before));
    if step < SHORTEST_STEP || !has_just_ended || tview.delayed < SATURATED || tview.commits < SEVERAL {
        return None;
    }
    let latest =
        (tview.dirty_since + tview.max_latency / 5 * 3).saturating_sub(tview.expected.saturating_mul(2));
    let enough = tview
        .finished_at
        .saturating_add(tview.expected.saturating_mul(ENOUGH));
    let until = latest.min(enough).min(now + step);
    (until.saturating_sub(now) >= step / 2).then_some(until)
}
