//! Pauses between two runs of a service that takes long.

use std::time::Instant;

/// At least `shortest`, and long enough that what began at `begin` takes at most a twentieth of the time.
pub fn pause_after(begin: Instant, shortest: i64) -> i64 {
    shortest.max(20 * begin.elapsed().as_micros() as i64)
}
