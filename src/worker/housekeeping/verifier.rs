//! Verifies TVIEWs: one slice of one TVIEW at a time, with pauses so that the share of a CPU that this takes is kept.

use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use crate::postgres::process::{background_worker, clock, leftovers};
use crate::postgres::transaction::worker_transaction::{guarded, short_transaction};
use crate::settings;
use crate::verify::{self, Times};
use crate::wake::database::Database;

/// The longest pause before it is looked what is to be verified. A setting may have changed meanwhile.
const LOOK: i64 = 10_000_000;
/// How long a slice takes, if the bounds of all TVIEWs allow that.
const SLICE: Duration = Duration::from_millis(50);
/// A slice that takes longer is cancelled: if another worker is kept free for what is due, or the bounds allow that.
const LONGEST: Duration = Duration::from_secs(1);
/// The same whatever the bounds.
const SHORTEST: Duration = Duration::from_millis(20);

/// The shortest pause, in which the worker checks what else there is to do.
const PAUSE: i64 = 1_000;

/// When the next slice is due.
pub fn due_at(database: &Database) -> i64 {
    match settings::verify_cycle() {
        Some(_) => database.verify_at.load(SeqCst),
        None => i64::MAX,
    }
}

/// Verifies one slice. `bound`: the shortest of a TVIEW, in microseconds.
pub fn run(database: &Database, worker: usize, bound: i64) {
    background_worker::report_running("looking for rows to verify");
    let begin = Instant::now();
    let wait = match short_transaction(verify::next).flatten() {
        None => LOOK,
        Some(next) if next.wait > 0 => next.wait.min(LOOK),
        Some(next) => {
            background_worker::report_running(&format!("verifying {}", next.name));
            let spared = database.workers.running().count() > 1 && database.workers.begin_long(worker);
            guarded(|| verify::slice(next.tview, times(bound, spared)));
            // The slice ran code of the view.
            leftovers::remove();
            if spared {
                database.workers.end_long(worker);
            }
            0
        }
    };
    let pause = pause_after(begin.elapsed(), settings::verify_share());
    database
        .verify_at
        .store(clock::now().saturating_add(wait.max(pause).max(PAUSE)), SeqCst);
}

/// How long a slice may take. `spared`: another worker is kept free.
fn times(bound: i64, spared: bool) -> Times {
    let bound = Duration::from_micros(bound.unsigned_abs());
    Times {
        target: SLICE.min(bound / 5).max(SHORTEST / 4),
        longest: if spared {
            LONGEST
        } else {
            LONGEST.min(bound / 2).max(SHORTEST)
        },
    }
}

/// The pause after which what took so long has taken this share of the time, in microseconds.
fn pause_after(taken: Duration, share: f64) -> i64 {
    (taken.as_micros() as f64 * (1.0 / share - 1.0)).max(0.0) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_kept() {
        let taken = Duration::from_millis(50);
        assert_eq!(pause_after(taken, 0.01), 4_950_000);
        assert_eq!(pause_after(taken, 0.5), 50_000);
        assert_eq!(pause_after(taken, 1.0), 0);
    }

    #[test]
    fn a_slice_delays_what_is_due_by_half_the_bound_at_most() {
        assert_eq!(times(250_000, true).longest, LONGEST);
        assert_eq!(times(250_000, false).longest, Duration::from_millis(125));
        assert_eq!(times(250_000, false).target, SLICE);
        assert_eq!(times(60_000, false).target, Duration::from_millis(12));
        assert_eq!(times(i64::MAX / 4, false).longest, LONGEST);
    }
}
