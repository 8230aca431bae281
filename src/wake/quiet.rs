//! How long writers need not wake workers: while a TVIEW would not be refreshed anyway.

/// Longest time writers stay quiet for, A pause that seems longer is a clock that was set back.
const LONGEST_QUIET: i64 = 10_000_000;

/// Whether writers of a source need not wake anyone.
pub fn is_quiet(quiet_until: i64, now: i64) -> bool {
    now < quiet_until && quiet_until - now <= LONGEST_QUIET
}
