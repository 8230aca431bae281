//! Dead keys, whose rows could not be recomputed. They are not waited for, as that might take for ever.

use pgrx::pg_sys::{self, Oid};
use pgrx::PgSqlErrorCode;

use super::named_key::key_texts;
use super::plan_now::plan_now;
use crate::catalog::definition::Definition;
use crate::catalog::session_statement::SessionStatement;
use crate::error::{Caught, Problem};
use crate::postgres::relation;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::transaction::{self, with_latest_snapshot};
use crate::refresh::discretion::may_see;
use crate::refresh::equal_keys;
use crate::refresh::failing::dead_letter;
use crate::statement;

thread_local! {
    static COUNTS: SessionStatement = const { SessionStatement::new() };
}

/// A NOTICE for each TVIEW that has dead keys. Not a WARNING: one such key would fill the server's log.
pub fn report_dead_keys(tviews: &[Oid]) {
    let counts: Vec<(Oid, i64)> = with_latest_snapshot(|| {
        run_internal(|| {
            spi::session(|| {
                let rows = COUNTS.with(|s| {
                    s.get(|| statement!("dead_letter_counts"), &[pg_sys::OIDARRAYOID])
                        .run(Access::Snapshot, &[Value::of(tviews.to_vec())], 0)
                });
                (0..rows.len())
                    .filter_map(|row| Some((rows.get(row, 0)?, rows.get(row, 1)?)))
                    .collect()
            })
        })
    });
    for (tview, keys) in counts {
        let table = relation::display(tview);
        let message = match keys {
            1 => format!("one row of {table} is not up to date: its key could not be recomputed"),
            more => format!("{more} rows of {table} are not up to date: their keys could not be recomputed"),
        };
        Problem::for_notice(message)
            .hint("Run SELECT * FROM pg_tview_dead_letter; to see why.")
            .notice();
    }
}

/// An error if the key, given as a JSON object, is dead.
pub fn refuse_dead_key(definition: &Definition, object: &str) -> Result<(), Problem> {
    if !has_dead_keys(definition) {
        return Ok(());
    }
    match find(definition, object) {
        Ok(None) => Ok(()),
        Ok(Some(dead)) => {
            let reason = format!("{}: {}", dead.sqlstate, dead.message);
            Err(not_recomputed(definition, &dead.key, reason))
        }
        // The owner's code cannot be run to compare keys: this one may be dead.
        Err(error) if error.code == PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE => {
            Err(not_recomputed(definition, object, error.message))
        }
        Err(_) => Ok(()),
    }
}

/// A dead key as a JSON object, and the error that it fails with.
struct DeadKey {
    key: String,
    sqlstate: String,
    message: String,
}

fn has_dead_keys(definition: &Definition) -> bool {
    let tview = (pg_sys::OIDOID, Value::of(definition.tview));
    with_latest_snapshot(|| {
        run_internal(|| {
            spi::session(|| {
                let statement = statement!("dead_letter_keys");
                !spi::run(&statement, Access::Snapshot, &[tview]).is_empty()
            })
        })
    })
}

/// The dead key that equals the one given.
fn find(definition: &Definition, object: &str) -> Result<Option<DeadKey>, Caught> {
    transaction::probe(|| {
        with_latest_snapshot(|| {
            spi::session(|| {
                let plan = plan_now(definition)?;
                let mut dead = dead_letter::read(&plan).all;
                if let (true, Err(refusal)) = (dead.is_empty(), plan.permit()) {
                    // Code of their types must not run in this session.
                    refusal.raise(&plan);
                }
                let (_, place) = *plan
                    .on_keys(|| {
                        let given = key_texts(&plan, &[object.to_string()]);
                        equal_keys::pairs(&plan, &given, &dead)
                    })
                    .first()?;
                let key = plan.key_object(&dead.swap_remove(place));
                run_internal(|| why(definition.tview, key))
            })
        })
    })
}

/// The error that a dead key fails with; None if it is not dead any more.
fn why(tview: Oid, key: String) -> Option<DeadKey> {
    let args = [
        (pg_sys::OIDOID, Value::of(tview)),
        (pg_sys::TEXTOID, Value::of(key.as_str())),
    ];
    let rows = spi::run(&statement!("dead_letter_why"), Access::Snapshot, &args);
    if rows.is_empty() {
        return None;
    }
    Some(DeadKey {
        key,
        sqlstate: rows.get(0, 0)?,
        message: rows.get(0, 1)?,
    })
}

fn not_recomputed(definition: &Definition, key: &str, reason: String) -> Problem {
    let problem = Problem::new(
        PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
        format!("key {key} of {} could not be recomputed", definition.display()),
    )
    .hint("It is tried again when it changes, and from time to time; pg_tview_dead_letter says when.");
    if may_see(definition) {
        problem.detail(format!("{reason}."))
    } else {
        problem
    }
}
