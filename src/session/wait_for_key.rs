//! `pg_tviews_wait` for one key: until no change committed before the call that concerns it is unapplied, whatever other
//! keys still wait for.
//!
//! That is so when the position of the TVIEW has passed the call, or when the row is what the view returns for the key in
//! a later snapshot. The first is looked at often and costs nothing. The second helps in a large backlog, or where the
//! refresh of other keys is held up.

use std::time::{Duration, Instant};

use pgrx::pg_sys;
use pgrx::PgSqlErrorCode;

use super::check::check_reader;
use super::named_key::{change_key, key_texts};
use super::not_refreshing::{may_see_errors, not_refreshing};
use super::patience::Patience;
use super::wait;
use crate::catalog::definition::{self, Definition};
use crate::catalog::feeds;
use crate::error::{OrRaise, Problem};
use crate::postgres::hooks::planner::reshaping;
use crate::postgres::run_as;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::transaction::{self, with_latest_snapshot};
use crate::refresh::batch::Batch;
use crate::refresh::equal_keys;
use crate::refresh::failing::dead_letter;
use crate::refresh::planner_settings::few_rows;

use crate::refresh::plan::sql::Reach;
use crate::refresh::plan::{self, Plan};
use crate::refresh::pushdown::push_down;
use crate::statement;
use crate::wake::undrained::undrained;

/// Most refreshes have ended by then: only now is a row worth computing.
const FIRST_LOOK: Duration = Duration::from_millis(20);
/// Looking at the row takes no more than this part of the time.
const SHARE: u32 = 5;

/// True once the row of a key shows all that was committed before the call; false on timeout.
pub fn wait_for_key(name: &str, key: &str, timeout: Option<Duration>) -> bool {
    wait::refuse_where_futile().or_raise();
    let named = definition::find(name).or_raise();
    check_reader(&named).or_raise();
    let object = change_key(&named, key).or_raise();
    let mut patience = Patience::new(timeout);
    let mut stages = feeds::stages_of(Some(&named));
    // Which rows of these it depends on, nobody can tell before they are there.
    stages
        .iter_mut()
        .for_each(|stage| stage.retain(|tview| *tview != named.tview));
    if wait::keeps_its_snapshot() {
        let behind = wait::is_behind_in_snapshot(&[named.tview])
            && !transaction::with_snapshot(|| is_right(&named, &object));
        if behind || wait::is_behind_in_snapshot(&stages.concat()) {
            wait::futile_in_snapshot().raise();
        }
        refuse_dead(&named, &object).or_raise();
        return true;
    }
    if !stages
        .iter()
        .all(|stage| wait::wait_for(stage, None, &mut patience))
    {
        return false;
    }
    patience.renew();
    let target = wait::target();
    let mut look_at = Instant::now() + FIRST_LOOK;
    loop {
        let Some(definition) = run_internal(|| definition::load(named.tview)) else {
            wait::dropped(&named).raise();
        };
        match wait::is_pending_now(named.tview, &target) {
            Some(true) => {}
            Some(false) => {
                refuse_dead(&definition, &object).or_raise();
                return true;
            }
            // The next look at its definition tells.
            None if patience.go_on() => continue,
            None => return false,
        }
        let stands_still = !definition.state.refreshes();
        if stands_still || undrained().is_some() || look_at <= Instant::now() {
            let begin = Instant::now();
            if with_latest_snapshot(|| is_right(&definition, &object)) {
                return true;
            }
            look_at = Instant::now() + (begin.elapsed() * SHARE).max(FIRST_LOOK);
        }
        if stands_still {
            not_refreshing(&definition).raise();
        }
        if !patience.go_on() {
            return false;
        }
    }
}

/// Whether the row is what the view returns for the key, in the active snapshot. False where that cannot be said soon.
fn is_right(definition: &Definition, object: &str) -> bool {
    let compared = transaction::probe(|| {
        let plan = ready(definition).filter(|plan| plan.permit().is_ok())?;
        // Computing one row would take as long as computing all.
        if plan.sources.values().any(Option::is_none) {
            return None;
        }
        Some(spi::session(|| {
            plan.as_owner(|| {
                do_not_wait_for_locks();
                is_same(&plan, object)
            })
        }))
    });
    matches!(compared, Ok(Some(true)))
}

fn is_same(plan: &Plan, object: &str) -> bool {
    let keys = key_texts(plan, &[object.to_string()]);
    let typed = Batch::from(&keys[..]).typed(plan);
    let statement = plan.shape.check(Reach::EachKey);
    few_rows(true);
    reshaping(&statement, push_down, || {
        spi::run(&statement, Access::Snapshot, &typed).is_empty()
    })
}

/// A dead key is not waited for, as that might take for ever, nor is its row right.
fn refuse_dead(definition: &Definition, object: &str) -> Result<(), Problem> {
    dead(definition, object).map_or(Ok(()), Err)
}

/// Why the key could not be recomputed, if it is dead.
fn dead(definition: &Definition, object: &str) -> Option<Problem> {
    let tview = (pg_sys::OIDOID, Value::of(definition.tview));
    let any = with_latest_snapshot(|| {
        run_internal(|| {
            spi::session(|| {
                let statement = statement!("dead_letter_keys");
                !spi::run(&statement, Access::Snapshot, &[tview]).is_empty()
            })
        })
    });
    if !any {
        return None;
    }
    let why = transaction::probe(|| {
        with_latest_snapshot(|| {
            spi::session(|| {
                let plan = ready(definition)?;
                let mut dead = dead_letter::read(&plan).all;
                if let (true, Err(refusal)) = (dead.is_empty(), plan.permit()) {
                    // Their types are not the caller's to read.
                    refusal.raise(&plan);
                }
                let (_, place) = *plan
                    .on_keys(|| {
                        let given = key_texts(&plan, &[object.to_string()]);
                        equal_keys::pairs(&plan, &given, &dead)
                    })
                    .first()?;
                let key = plan.key_object(&dead.swap_remove(place));
                let args = [tview, (pg_sys::TEXTOID, Value::of(key.as_str()))];
                run_internal(|| {
                    let rows = spi::run(&statement!("dead_letter_why"), Access::Snapshot, &args);
                    match rows.is_empty() {
                        true => None,
                        false => Some((key, rows.get::<String>(0, 0)?, rows.get::<String>(0, 1)?)),
                    }
                })
            })
        })
    });
    let problem = |key: &str, reason: String| {
        let problem = Problem::new(
            PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            format!("key {key} of {} could not be recomputed", definition.display()),
        )
        .hint("It is tried again when it changes, and from time to time; pg_tview_dead_letter says when.");
        match may_see_errors(definition) {
            true => problem.detail(format!("{reason}.")),
            false => problem,
        }
    };
    match why {
        // Perhaps it is.
        Err(error) if error.code == PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE => {
            Some(problem(object, error.message))
        }
        why => why
            .ok()
            .flatten()
            .map(|(key, sqlstate, message)| problem(&key, format!("{sqlstate}: {message}"))),
    }
}

/// The plan of a TVIEW; None where its view cannot be analysed now.
fn ready(definition: &Definition) -> Option<std::rc::Rc<Plan>> {
    plan::kept(definition.tview).or_else(|| {
        run_internal(|| {
            do_not_wait_for_locks();
            plan::prepare(definition.clone()).ok()
        })
    })
}

fn do_not_wait_for_locks() {
    run_as::set("lock_timeout", "10ms");
}
