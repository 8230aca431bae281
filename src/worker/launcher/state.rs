//! What the launcher sees of one database: its workers, whether it needs one, whether one can be started.

use std::sync::atomic::Ordering::SeqCst;

use super::{SCAN, SECOND, START};
use crate::postgres::process;
use crate::settings;
use crate::wake::database::Database;
use crate::wake::worker::{Worker, FREE, RUNNING, STARTING, STAY};
use crate::worker::slots::{Doing, Member, Team};

/// The state of a database, and when it will change without a process reporting that.
pub(super) fn inspect(database: &Database, now: i64) -> (Team, i64) {
    let mut at = now + SCAN;
    for pid in database.blockers.pids().filter(|pid| !process::is_alive(*pid)) {
        database.blockers.remove(pid);
    }
    let (members, late_at) = members(database, now);
    at = at.min(late_at);
    let blocked = database.blockers.any();
    let may_have = !blocked && !database.excluded.load(SeqCst) && database.missing().is_none();
    if blocked {
        at = at.min(now + SECOND);
    }
    let mut waiting_since = None;
    if may_have && members.is_empty() {
        match database.rests_until(now) {
            Some(until) => at = at.min(until),
            None => {
                let known = Some(database.waiting_since.load(SeqCst)).filter(|at| *at != 0);
                waiting_since = known.or(Some(now));
            }
        }
    }
    // After a crash a place stays free for a while, and no process reports the end of that.
    let place_at = earliest_place(database);
    if may_have && place_at > now {
        at = at.min(place_at);
    }
    database.waiting_since.store(waiting_since.unwrap_or(0), SeqCst);
    // One worker is enough to find out whether there is any use for more.
    let most = if database.present.load(SeqCst) {
        usize::MAX
    } else {
        1
    };
    let team = Team {
        waiting_since,
        more: database.is_overloaded(),
        allowed: settings::workers().min(most),
        can_start: may_have && free_place(database, now).is_some(),
        members,
    };
    (team, at)
}

/// The workers of a database, and when the first of those that start is late.
fn members(database: &Database, now: i64) -> (Vec<Member>, i64) {
    let mut at = i64::MAX;
    let mut members = Vec::new();
    for (place, worker) in database.workers.iter().enumerate() {
        let doing = match worker.state.load(SeqCst) {
            RUNNING => doing(worker),
            STARTING => {
                let late_at = worker.started_at.load(SeqCst) + START;
                if late_at <= now {
                    let _ = worker.state.compare_exchange(STARTING, FREE, SeqCst, SeqCst);
                }
                at = at.min(late_at.max(now + SECOND));
                Doing::Starting
            }
            _ => continue,
        };
        let since = worker.since.load(SeqCst);
        members.push(Member { place, doing, since });
    }
    (members, at)
}

fn doing(worker: &Worker) -> Doing {
    if worker.asked.load(SeqCst) != STAY {
        Doing::Leaving
    } else if worker.busy.load(SeqCst) {
        Doing::Working
    } else {
        Doing::Idle(worker.worked_at.load(SeqCst))
    }
}

/// A place for a worker to be started now.
pub(super) fn free_place(database: &Database, now: i64) -> Option<(usize, &Worker)> {
    let may_start = |worker: &Worker| {
        let at = earliest_start(worker);
        // A time that seems far off is past: the clock was set back.
        at <= now || at > now + 128 * SECOND
    };
    let mut workers = database.workers.iter().enumerate().take(settings::workers());
    workers.find(|(_, worker)| worker.state.load(SeqCst) == FREE && may_start(worker))
}

/// When the first of the free places may be used.
fn earliest_place(database: &Database) -> i64 {
    let free = database.workers.iter().take(settings::workers());
    free.filter(|worker| worker.state.load(SeqCst) == FREE)
        .map(earliest_start)
        .min()
        .unwrap_or(i64::MAX)
}

/// A second after the last end, longer if starts failed in a row. Immediately if the launcher had asked the
/// worker to leave.
fn earliest_start(worker: &Worker) -> i64 {
    match worker.ended_at.load(SeqCst).max(worker.started_at.load(SeqCst)) {
        0 => 0,
        last => last + (SECOND << worker.failed_starts.load(SeqCst).min(6)),
    }
}
