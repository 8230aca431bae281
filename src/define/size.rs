//! Whether a view is small enough to fill its table before pg_tviews_create returns: measured by computing
//! its rows.

use std::time::{Duration, Instant};

use pgrx::{pg_sys, PgSqlErrorCode};

use crate::error::{Caught, Problem};
use crate::postgres::hooks::function_calls;
use crate::postgres::process::time_limit;
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::{privileges, relation, role};
use crate::refresh::failing::search_path_hint::with_search_path_hint;
use crate::refresh::plan::Plan;
use crate::settings;

/// Maximum number of rows. Tables of larger views are filled by a worker, after commit.
const MAX_ROWS: i64 = 20_000;
/// Maximum time to compute the rows while writers go on. While they are kept out for new triggers, the setting
/// pg_tviews.fill_limit applies. With its default, the time to write the rows, and the time for which writers queue behind the
/// lock, a writer waits less than a tenth of a second.
const LONGEST: Duration = Duration::from_millis(250);

/// How long a small view took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measured {
    took: Duration,
}

impl Measured {
    /// Whether the table may be filled while writers wait, or while they do not.
    pub fn is_quick(self, writers_wait: bool) -> bool {
        self.took <= longest(writers_wait)
    }
}

/// Maximum time to fill the table: computing, comparing and writing.
pub fn limit(writers_wait: bool) -> Duration {
    2 * longest(writers_wait)
}

fn longest(writers_wait: bool) -> Duration {
    let limit = settings::fill_limit();
    if writers_wait {
        limit
    } else {
        limit.max(LONGEST)
    }
}

/// Computes the rows of the view; None if there are too many, or if they take too long. A missing privilege
/// on an object below the view raises its error here, before anything is locked. The executor checks all
/// privileges, as for every refresh.
pub fn measure(plan: &Plan) -> Option<Measured> {
    let begin = Instant::now();
    // The whole row is selected: a column that is not selected is not computed.
    let sql = format!(
        "SELECT count(v) <= $1 FROM (SELECT v FROM {} AS v LIMIT $1 + 1) AS few",
        plan.shape.view
    );
    let args = [(pg_sys::INT8OID, Value::of(MAX_ROWS))];
    function_calls::forget();
    let count = || plan.as_owner(|| spi::session(|| spi::run(&sql, Access::Current, &args).one::<bool>()));
    match time_limit::at_most(longest(false), count)? {
        Ok(few) => (few == Some(true)).then(|| Measured {
            took: begin.elapsed(),
        }),
        Err(caught) if is_for_a_worker(&caught) => None,
        Err(caught) => unreadable(plan, caught).raise(),
    }
}

/// Whether a worker fills the table later: another session holds a lock that is needed, or the view calls what code of
/// its owner must not call in this session.
pub fn is_for_a_worker(caught: &Caught) -> bool {
    if function_calls::was_refused() {
        function_calls::forget();
        return true;
    }
    matches!(
        caught.code,
        PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE | PgSqlErrorCode::ERRCODE_T_R_DEADLOCK_DETECTED
    )
}

/// Why the TVIEW's owner cannot read the view.
fn unreadable(plan: &Plan, caught: Caught) -> Problem {
    let problem = Problem::from(with_search_path_hint(caught));
    if problem.code != PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE {
        return problem;
    }
    let owner = plan.definition.owner;
    let source = plan
        .source_oids()
        .into_iter()
        .find(|source| !privileges::may_select(owner, *source));
    let (what, owner) = (
        source.map_or("...".to_string(), relation::display),
        role::name(owner),
    );
    problem
        .detail(format!(
            "Refreshes read the view as the owner of its table, {owner}."
        ))
        .hint(format!("Run GRANT SELECT ON {what} TO {owner};"))
}
