//! How many keys the batches of a comparison have.

use std::time::Duration;

use crate::settings;

/// How long a batch is to take: changes wait for it.
const BATCH_TIME: Duration = Duration::from_millis(100);
/// The size of the first batch, before the time of one is known.
const FIRST_BATCH: usize = 1_000;
const MINIMUM: usize = 200;

/// The number of keys of the first batch.
pub fn first() -> usize {
    FIRST_BATCH.min(settings::batch_size())
}

/// The number of keys of the next batch, if one of `size` keys took so long.
pub fn next(size: usize, taken: Duration) -> usize {
    fitting(size, taken, BATCH_TIME, MINIMUM)
}

/// The number of keys that take `time`, if `size` keys took so long; at least `minimum`.
pub fn fitting(size: usize, taken: Duration, time: Duration, minimum: usize) -> usize {
    let fitting = size as f64 * time.as_secs_f64() / taken.as_secs_f64().max(0.001);
    let maximum = settings::batch_size();
    (fitting as usize)
        .clamp(size / 2, (size * 2).max(minimum))
        .clamp(minimum.min(maximum), maximum)
}
