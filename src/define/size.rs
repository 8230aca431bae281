//! Whether a view is small enough to fill its table before pg_tviews_create returns: measured by computing it, for a while.

use std::time::{Duration, Instant};

use pgrx::{pg_sys, PgSqlErrorCode};

use crate::error::{Caught, Problem};
use crate::postgres::process::time_limit;
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::{privileges, relation, role};
use crate::refresh::failing::search_path_hint::with_search_path_hint;
use crate::refresh::plan::Plan;

/// Views with more rows are filled by a worker, after commit.
const MOST_ROWS: i64 = 20_000;
/// So are those that take longer to compute.
const LONGEST: Duration = Duration::from_millis(250);
/// The same while writers are kept out for new triggers.
const LONGEST_WITHOUT_WRITERS: Duration = Duration::from_millis(100);

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

/// The longest that filling the table may take: computing, comparing, writing.
pub fn limit(writers_wait: bool) -> Duration {
    2 * longest(writers_wait)
}

fn longest(writers_wait: bool) -> Duration {
    match writers_wait {
        true => LONGEST_WITHOUT_WRITERS,
        false => LONGEST,
    }
}

/// Computes the rows of the view; None: there are too many of them, or they take too long. Also where a missing right on something below
/// the view shows, before anything is locked: the executor checks all of them, as it will for every refresh.
pub fn measure(plan: &Plan) -> Option<Measured> {
    let begin = Instant::now();
    // The row as a whole is asked for: a column that nobody asks for is not computed.
    let sql = format!(
        "SELECT count(v) <= $1 FROM (SELECT v FROM {} AS v LIMIT $1 + 1) AS few",
        plan.shape.view
    );
    let args = [(pg_sys::INT8OID, Value::of(MOST_ROWS))];
    let count = || plan.as_owner(|| spi::session(|| spi::run(&sql, Access::Current, &args).one::<bool>()));
    match time_limit::at_most(LONGEST, count)? {
        Ok(few) => (few == Some(true)).then(|| Measured {
            took: begin.elapsed(),
        }),
        Err(caught) if is_busy(&caught) => None,
        Err(caught) => unreadable(plan, caught).raise(),
    }
}

/// Somebody else holds what is needed: a worker gets it later.
pub fn is_busy(caught: &Caught) -> bool {
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
        .hint(format!("GRANT SELECT ON {what} TO {owner};"))
}
