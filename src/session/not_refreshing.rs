//! A TVIEW that is not being refreshed: why, and what to do.

use pgrx::PgSqlErrorCode;

use crate::catalog::definition::Definition;
use crate::catalog::state::State;
use crate::error::Problem;
use crate::postgres::{quote, transaction};
use crate::refresh::audit::{last_suspension, Suspension};
use crate::refresh::discretion::may_see;

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
            let reason = may_see(definition)
                .then(|| transaction::with_latest_snapshot(|| last_suspension(definition.tview)))
                .flatten();
            match reason {
                Some(Suspension { error, hint }) => problem
                    .detail(format!("Its view fails: {error}."))
                    .hint(hint.map_or(resume.clone(), |hint| format!("{hint} {resume}"))),
                None => problem.hint(resume),
            }
        }
    }
}
