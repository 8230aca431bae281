//! One slice of the verification of a TVIEW, in a transaction of its own.

use std::cell::Cell;
use std::time::{Duration, Instant};

use pgrx::pg_sys::Oid;

use super::portion::{self, Found, Portion};
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
use crate::refresh::plan::key::Key;
use crate::refresh::plan::{self, Plan};
use crate::settings;

/// A TVIEW that cannot be verified now is tried again after that.
const POSTPONED: Duration = Duration::from_secs(2);
/// The same of one whose view fails.
const FAILED: Duration = Duration::from_secs(600);
/// Suspects that took too long are examined in groups of so many.
const FEW_SUSPECTS: usize = 20;
/// After a row that takes too long, the walk rests for this part of a cycle: however many such rows a TVIEW has, most of
/// the time is left for others.
const REST: u32 = 500;

/// What is needed of a slice.
struct Slice<'s> {
    refresh: &'s Refresh<'s>,
    plan: &'s Plan,
    times: Times,
    /// The last key, once the keys are found.
    reached: &'s Cell<Option<Key>>,
}

/// What is said of a TVIEW of which missing and extra rows are found, and nothing else.
const IN_PART: &str = "contents depend on the order in which rows are read";

/// Verifies the next rows of a TVIEW. In a worker, outside any transaction.
pub fn slice(tview: Oid, times: Times) {
    let begin = Instant::now();
    let reached = Cell::new(None);
    match attempt(tview, times, &reached) {
        Ok(true) => {}
        Ok(false) => change(tview, |_| POSTPONED),
        Err(error) if error.is_cancel() && begin.elapsed() >= limit(times) => change(tview, |walk| {
            let by_key = plan::kept(tview).is_some_and(|plan| KeyOrder::of(&plan).is_some());
            too_long(walk, times, by_key, reached.take())
        }),
        Err(error) if classes::is_in_the_way(&error) => change(tview, |_| POSTPONED),
        Err(error) => change(tview, |walk| {
            let because = format!("comparing rows failed with SQLSTATE {}", error.sqlstate());
            walk.unverified_because = Some(because);
            settings::verify_cycle().map_or(FAILED, |cycle| cycle.min(FAILED))
        }),
    }
}

/// How long one step of a slice may take.
fn limit(times: Times) -> Duration {
    match settings::refresh_timeout() {
        Duration::ZERO => times.longest,
        timeout => timeout.min(times.longest),
    }
}

/// False: the TVIEW cannot be verified now.
fn attempt(tview: Oid, times: Times, reached: &Cell<Option<Key>>) -> Result<bool, Caught> {
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
        reached,
    };
    // A row is not slow because its code waits for a lock.
    let wait = settings::lock_timeout().min(limit(times) / 2);
    let done = Driver::Worker.repeatable_read(
        || (!walk::try_lock() || !refresh.lock_to_compare(&plan, wait)).then_some(false),
        || spi::session(|| slice.run(tview)),
    );
    // Another worker may have the rights for it.
    if refresh.refused.get() {
        return Ok(false);
    }
    done
}

/// Changes what is stored of a TVIEW that could not be verified. The change returns the pause until the next slice.
fn change(tview: Oid, change: impl FnOnce(&mut Walk) -> Duration) {
    short_transaction(|| {
        spi::session(|| {
            let mut walk = match plan::kept(tview) {
                Some(plan) => Walk::of(tview, &plan.hash),
                None => walk::stored(tview),
            };
            let pause = change(&mut walk);
            walk.store(pause);
        })
    });
}

/// Why rows are left out.
fn one_row_too_long(times: Times) -> String {
    format!(
        "comparing one row takes longer than {} ms",
        times.longest.as_millis()
    )
}

/// Fewer keys are compared, down to one, which is passed over if it takes too long alone. `by_key`: rows can be compared
/// in the order of their keys; `reached`: the last key of the slice, if its keys were found. Returns the pause until the
/// next slice.
fn too_long(walk: &mut Walk, times: Times, by_key: bool, reached: Option<Key>) -> Duration {
    let suspects = walk.suspects.len();
    if suspects > 0 {
        return suspects_too_long(walk, times);
    }
    match (walk.method, reached) {
        // Few rows are compared together in any case, and each of these may be large or slow.
        (Method::All, _) if by_key => walk.by_key(),
        (Method::All, _) => walk.give_up(format!(
            "comparing all rows takes longer than {} ms, and their keys have no order in which to compare fewer",
            times.longest.as_millis()
        )),
        _ if walk.keys_at_once > 1 => walk.keys_at_once = (walk.keys_at_once / 4).max(1),
        (_, Some(key)) if walk.walking => {
            walk.verified_to = Some(key.clone());
            return pass_over(walk, &key, times);
        }
        _ => walk.give_up(format!(
            "finding the key of the next row takes longer than {} ms",
            times.longest.as_millis()
        )),
    }
    Duration::ZERO
}

/// Fewer suspects are examined, and the others after them.
fn suspects_too_long(walk: &mut Walk, times: Times) -> Duration {
    let number = walk.suspects.len();
    if number > 1 {
        walk.examine_first((number / 4).clamp(1, FEW_SUSPECTS));
        return Duration::ZERO;
    }
    let slow = std::mem::take(&mut walk.suspects);
    walk.next_suspects(1);
    slow.iter().map(|key| pass_over(walk, key, times)).sum()
}

/// The walk goes on without a row. Returns the pause until the next slice.
fn pass_over(walk: &mut Walk, key: &Key, times: Times) -> Duration {
    walk.pass_over(key);
    walk.unverified_because = Some(one_row_too_long(times));
    settings::verify_cycle().map_or(Duration::ZERO, |cycle| cycle / REST)
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
        self.reached.set(portion.last.clone());
        let found = portion::differing(self.refresh, self.plan, &portion);
        self.go_on(walk, portion, found, begin.elapsed());
        true
    }

    /// Stores what comparing a slice has found, and how far the walk is.
    fn go_on(&self, mut walk: Walk, portion: Portion, found: Found, taken: Duration) {
        let pause = if found.keys.is_empty() {
            Duration::ZERO
        } else {
            SUSPECTED
        };
        walk.suspects = found.keys;
        let is_again = std::mem::replace(&mut walk.more_suspects, found.more);
        // Rows that differ in great number are compared once more. Those that differ for another reason than damage
        // would otherwise keep the walk where it is.
        if !found.more || is_again {
            walk.rows += found.rows;
            match portion.last.filter(|_| portion.more) {
                Some(last) => walk.verified_to = Some(last),
                None => walk.complete(),
            }
        }
        walk.unverified_because = self.because(&walk);
        walk.keys_at_once = batch_size::fitting(walk.keys_at_once, taken, self.times.target, 1);
        walk.store(pause);
    }

    /// Why not all is verified.
    fn because(&self, walk: &Walk) -> Option<String> {
        if !portion::has_one_content(self.plan) {
            return Some(IN_PART.to_string());
        }
        walk.leaves_rows_out().then(|| one_row_too_long(self.times))
    }
}

/// Whether rows that differ are either pending or a fault.
fn is_settled(now: &Now) -> bool {
    now.state == State::Active && now.comparing.is_none() && now.position.is_some()
}
