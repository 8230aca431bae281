//! When a refresh that did not succeed is tried again.

/// The first pause after which a suspended TVIEW is tried again. DDL that may have helped ends the pause.
pub(super) const SUSPENDED: i64 = 5_000_000;
/// The pause where the TVIEW turned out not to be ready: its changed definition is about to be loaded.
pub(super) const NOT_READY: i64 = 250_000;
const LONGEST_BACKOFF: i64 = 60_000_000;

/// Pause after the `failures`-th failure in a row: doubles up to a minute. `chance`, from 0 to 999, spreads
/// the retries of TVIEWs that failed together.
pub(super) fn backoff(first: i64, failures: u32, chance: i64) -> i64 {
    let pause = first
        .saturating_mul(1 << failures.saturating_sub(1).min(20))
        .min(LONGEST_BACKOFF);
    pause - pause / 4 * chance / 1000
}

/// Pause where another session refreshes the TVIEW or locks what it reads: half of what a refresh takes,
/// doubled with each of the `times` in a row, up to a second. Each attempt may keep writers waiting for a
/// moment.
pub(super) fn busy_pause(expected: i64, times: u32) -> i64 {
    let pause = (expected / 2).clamp(5_000, 100_000);
    (pause << times.saturating_sub(1).min(10)).min(1_000_000)
}
