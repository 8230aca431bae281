//! One slice of the verification of a TVIEW, in a transaction of its own.

use std::time::{Duration, Instant};

use pgrx::pg_sys::Oid;

use super::portion;
use super::suspects;
use super::walk::{self, Method, Walk, SUSPECTED};
use super::Times;
use crate::catalog::state::State;
use crate::define::in_step;
use crate::error::Caught;
use crate::postgres::spi;
use crate::postgres::transaction::worker_transaction::short_transaction;
use crate::postgres::transaction::Driver;
use crate::refresh::comparison::batch_size;
use crate::refresh::comparison::key_order::KeyOrder;
use crate::refresh::current::{self, Now};
use crate::refresh::failing::classes;
use crate::refresh::one_refresh::Refresh;
use crate::refresh::plan::{self, Plan};
use crate::settings;

/// A TVIEW that cannot be verified now is tried again after that.
const POSTPONED: Duration = Duration::from_secs(2);
/// The same of one whose view fails.
const FAILED: Duration = Duration::from_secs(600);
/// Suspects that took too long are examined in groups of so many.
const FEW_SUSPECTS: usize = 20;

/// What is needed of a slice.
struct Slice<'s> {
    refresh: &'s Refresh<'s>,
    plan: &'s Plan,
    times: Times,
}

/// What is said of a TVIEW of which missing and extra rows are found, and nothing else.
const IN_PART: &str = "contents depend on the order in which rows are read";

/// Verifies the next rows of a TVIEW. In a worker, outside any transaction.
pub fn slice(tview: Oid, times: Times) {
    match attempt(tview, times) {
        Ok(true) => {}
        Ok(false) => change(tview, POSTPONED, |_| {}),
        Err(error) if error.is_cancel() => change(tview, POSTPONED, |walk| {
            let by_key = plan::kept(tview).is_some_and(|plan| KeyOrder::of(&plan).is_some());
            too_long(walk, times, by_key);
        }),
        Err(error) if classes::is_in_the_way(&error) => change(tview, POSTPONED, |_| {}),
        Err(error) => {
            let because = format!("comparing rows failed with SQLSTATE {}", error.sqlstate());
            let pause = settings::verify_cycle().map_or(FAILED, |cycle| cycle.min(FAILED));
            change(tview, pause, |walk| walk.unverified_because = Some(because));
        }
    }
}

/// False: the TVIEW cannot be verified now.
fn attempt(tview: Oid, times: Times) -> Result<bool, Caught> {
    let plan = match plan::kept(tview).filter(|plan| plan.in_step.get()) {
        Some(plan) => plan,
        None => match in_step::prepare(Driver::Worker, tview)? {
            Ok(plan) => plan,
            Err(_) => return Ok(false),
        },
    };
    let mut refresh = Refresh::new(Driver::Worker, in_step::prepare, tview, None, 0);
    refresh.limit = Some(times.longest);
    refresh.all_partitions.set(true);
    let slice = Slice {
        refresh: &refresh,
        plan: &plan,
        times,
    };
    let done = Driver::Worker.repeatable_read(
        || (!walk::try_lock() || !refresh.lock_to_compare(&plan)).then_some(false),
        || spi::session(|| slice.run(tview)),
    );
    // Another worker may have the rights for it.
    if refresh.refused.get() {
        return Ok(false);
    }
    done
}

/// Changes what is stored of a TVIEW that could not be verified.
fn change(tview: Oid, pause: Duration, change: impl FnOnce(&mut Walk)) {
    short_transaction(|| {
        spi::session(|| {
            let mut walk = match plan::kept(tview) {
                Some(plan) => Walk::of(tview, &plan.hash),
                None => walk::stored(tview),
            };
            change(&mut walk);
            walk.store(pause);
        })
    });
}

/// Fewer keys are compared, down to one. `by_key`: rows can be compared in the order of their keys.
fn too_long(walk: &mut Walk, times: Times, by_key: bool) {
    let longest = times.longest.as_millis();
    let suspects = walk.suspects.len();
    if suspects > 1 {
        walk.suspects.truncate((suspects / 4).clamp(1, FEW_SUSPECTS));
        walk.more_suspects = true;
    } else if suspects == 0 && walk.method == Method::All && by_key {
        // Few rows are compared together in any case, and each of these may be large or slow.
        walk.by_key();
    } else if suspects == 0 && walk.method != Method::All && walk.keys_at_once > 1 {
        walk.keys_at_once = (walk.keys_at_once / 4).max(1);
    } else if suspects == 0 && walk.method == Method::All {
        walk.give_up(format!(
            "comparing all rows takes longer than {longest} ms, and their keys have no order in which to compare fewer"
        ));
    } else {
        walk.give_up(format!("comparing one row takes longer than {longest} ms"));
    }
}

impl Slice<'_> {
    fn run(&self, tview: Oid) -> bool {
        let begin = Instant::now();
        let Some(now) = current::now(tview).filter(is_settled) else {
            return false;
        };
        if now.hash != self.plan.hash {
            plan::forget(tview);
            return false;
        }
        let mut walk = Walk::of(tview, &now.hash);
        if !walk.suspects.is_empty() {
            return suspects::examine(self.refresh, self.plan, &now, walk);
        }
        if !walk.walking {
            walk.begin(portion::method(self.refresh, self.plan));
            // A slice that is cancelled must find it.
            walk.store(Duration::ZERO);
            return true;
        }
        let portion = portion::next(self.refresh, self.plan, &now, &walk);
        let found = portion::differing(self.refresh, self.plan, &portion);
        let pause = if found.keys.is_empty() {
            Duration::ZERO
        } else {
            SUSPECTED
        };
        walk.suspects = found.keys;
        let is_again = std::mem::replace(&mut walk.more_suspects, found.more);
        walk.unverified_because = (!portion::has_one_content(self.plan)).then(|| IN_PART.to_string());
        // Rows that differ in great number are compared once more. Those that differ for another reason than damage
        // would otherwise keep the walk where it is.
        if !found.more || is_again {
            walk.rows += found.rows;
            match portion.upto {
                Some(upto) => walk.verified_to = Some(upto),
                None => walk.complete(),
            }
        }
        walk.keys_at_once = batch_size::fitting(walk.keys_at_once, begin.elapsed(), self.times.target, 1);
        walk.store(pause);
        true
    }
}

/// Whether rows that differ are either pending or a fault.
fn is_settled(now: &Now) -> bool {
    now.state == State::Active && now.comparing.is_none() && now.position.is_some()
}
