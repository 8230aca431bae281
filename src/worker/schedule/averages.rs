//! Moving averages: how long a refresh takes, and how busy a worker is.

/// How long a refresh is expected to take after one has taken `sample`. Rises fast and falls slowly, since a
/// deadline missed is worse than one met early.
pub fn expected(before: i64, sample: i64) -> i64 {
    match before {
        0 => sample,
        before if sample > before => (before + sample) / 2,
        before => before - (before - sample) / 8,
    }
}

/// The share of its time that a worker spends on refreshes, from 0 to 1. `before`: the share before `idle`
/// and then `busy` microseconds. About a fifth of a second counts.
pub fn load(before: f64, idle: i64, busy: i64) -> f64 {
    const HORIZON: f64 = 200_000.0;
    let (idle, busy) = (idle.max(0) as f64, busy.max(0) as f64);
    let rested = before * (-idle / HORIZON).exp();
    1.0 - (1.0 - rested) * (-busy / HORIZON).exp()
}

/// The share of its time for which the refreshes of a TVIEW waited for a CPU, from 0 to 1: `before`, and then a
/// refresh that waited for `delay` of `elapsed` microseconds. The last refresh counts half.
pub fn delayed(before: f64, delay: i64, elapsed: i64) -> f64 {
    let share = delay.max(0) as f64 / elapsed.max(1) as f64;
    (before + share.min(1.0)) / 2.0
}
