//! Attempts at one transaction for several TVIEWs, until it commits or none of them can be refreshed with others.

use std::time::{Duration, Instant};

use pgrx::pg_sys::Oid;

use super::attempt::{Attempt, End};
use super::outcome::{Member, Verdict};
use crate::catalog::TviewInfo;
use crate::error::Caught;
use crate::postgres::transaction::Driver;
use crate::queue::append;
use crate::refresh::one_refresh::Prepare;
use crate::refresh::progress::UntilEnd;

/// If DDL makes plans stale in between, the plans are made again. DDL in a loop must not block this process.
const MAXIMUM_STALE: usize = 5;

/// Refreshes TVIEWs, each after those that feed it, in one transaction of a background worker. Catches every ERROR.
/// `tviews`: as the worker knows them; `limit`: how long each step may take. Returns what became of each, in the same order.
pub fn run(prepare: Prepare, tviews: &[&TviewInfo], limit: Option<Duration>) -> Vec<Member> {
    let oids: Vec<Oid> = tviews.iter().map(|info| info.tview).collect();
    let mut attempt = Attempt::new(Driver::Worker, prepare, &oids, limit);
    attempt.know_groups(tviews.iter().map(|info| info.membership.clone()));
    run_to_end(attempt).0
}

/// The same in a procedure that may commit. Returns the error that ends the procedure, if any.
pub fn drain(prepare: Prepare, tviews: &[Oid]) -> (Vec<Member>, Option<Caught>) {
    run_to_end(Attempt::new(Driver::Procedure, prepare, tviews, None))
}

fn run_to_end(mut attempt: Attempt) -> (Vec<Member>, Option<Caught>) {
    let _shown = UntilEnd;
    let (mut stale, mut cancelled) = (0, None);
    loop {
        let started = Instant::now();
        let end = attempt.run();
        append::note_applied(None);
        match end {
            End::Committed => return (attempt.members(Verdict::UpToDate, started.elapsed()), None),
            End::Stale if stale < MAXIMUM_STALE => stale += 1,
            End::Stale => return (attempt.members(Verdict::Busy, started.elapsed()), None),
            // The others are refreshed without it.
            End::Leaves(index) => {
                attempt.leave(index);
                if attempt.is_empty() {
                    return (attempt.members(Verdict::Waits, started.elapsed()), None);
                }
            }
            End::Failed => return (attempt.members(Verdict::Alone, started.elapsed()), None),
            End::Stopped(index, verdict) => {
                attempt.stop(index, verdict);
                return (attempt.members(Verdict::Waits, started.elapsed()), None);
            }
            End::Cancelled(error) => cancelled = Some(error),
        }
        if cancelled.is_some() {
            return (attempt.members(Verdict::Waits, started.elapsed()), cancelled);
        }
    }
}
