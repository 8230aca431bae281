//! How long writers need not wake workers: while the TVIEWs of their source pause.

/// Longest quiet time. A time that seems longer was set before the clock was set back.
pub const LONGEST_QUIET: i64 = 10_000_000;

/// Whether writers of a source need not wake a worker.
pub fn is_quiet(quiet_until: i64, now: i64) -> bool {
    now < quiet_until && quiet_until - now <= LONGEST_QUIET
}
