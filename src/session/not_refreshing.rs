//! A TVIEW that is not being refreshed: why, and what to do.

use pgrx::{pg_sys, PgSqlErrorCode};

use super::rights::may_see_errors;
use crate::catalog::definition::Definition;
use crate::catalog::state::State;
use crate::error::Problem;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::{quote, transaction};
use crate::statement;

/// "TVIEW is paused" or "TVIEW is suspended", with what to do.
pub fn not_refreshing(definition: &Definition) -> Problem {
    let problem = Problem::new(
        PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
        format!("TVIEW {} is {}", definition.display(), definition.state.name()),
    );
    let name = quote::literal(&definition.display());
    match definition.state {
        State::Paused => problem.hint(format!("Run SELECT pg_tviews_resume({name}); to resume it.")),
        _ => {
            let resume = format!("It goes on automatically when the view works again; SELECT pg_tviews_resume({name}); tries immediately.");
            let reason = may_see_errors(definition)
                .then(|| last_error(definition))
                .flatten();
            match reason {
                Some((reason, hint)) => problem
                    .detail(format!("Its view fails: {reason}."))
                    .hint(hint.map_or(resume.clone(), |hint| format!("{hint} {resume}"))),
                None => problem.hint(resume),
            }
        }
    }
}

/// Why a TVIEW is suspended: SQLSTATE and message, and the hint that came with it.
fn last_error(definition: &Definition) -> Option<(String, Option<String>)> {
    let args = [(pg_sys::OIDOID, Value::of(definition.tview))];
    let read = || {
        let rows = spi::run(&statement!("audit_last_error"), Access::Snapshot, &args);
        (!rows.is_empty()).then(|| Some((rows.get(0, 0)?, rows.get(0, 1))))?
    };
    transaction::with_latest_snapshot(|| run_internal(|| spi::session(read)))
}
