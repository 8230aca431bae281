//! What a session is told of a TVIEW that is too late.

use std::time::Duration;

use pgrx::PgSqlErrorCode;

use super::staleness::{Lag, Stale};
use crate::error::Problem;
use crate::postgres::process::clock;
use crate::postgres::{own_sqlstate, relation};

/// SQLSTATE of "the TVIEW is too late". In the class of PostgreSQL's "object not in prerequisite state".
const TOO_LATE: [u8; 5] = *b"55T01";

/// "The TVIEW is too late", with by how much.
pub fn too_late(stale: &Stale, lag: Option<&Lag>, maximum: Duration, why: &str) -> Problem {
    let table = relation::display(stale.tview);
    let lag = lag.map(|lag| {
        let changes = match lag.changes {
            1 => "1 change is pending".to_string(),
            more => format!("{more} changes are pending"),
        };
        match lag.since {
            i64::MIN => format!("{table} has not been filled yet: {changes}."),
            since => {
                let lag = length(clock::now().saturating_sub(since));
                format!("{table} is {lag} behind: {changes}.")
            }
        }
    });
    let why = Some(why.to_string()).filter(|why| !why.is_empty());
    let detail: Vec<String> = lag.into_iter().chain(why).collect();
    Problem::new(
        PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
        if maximum.is_zero() {
            format!("{table} does not show everything that is committed")
        } else {
            let maximum = i64::try_from(maximum.as_micros()).unwrap_or(i64::MAX);
            format!("{table} is later than {}", length(maximum))
        },
    )
    .detail(detail.join(" "))
}

/// Raises it as an ERROR.
pub fn raise(problem: Problem) -> ! {
    own_sqlstate::raise(problem, TOO_LATE)
}

/// Sends it as a NOTICE.
pub fn notice(mut problem: Problem) {
    problem.code = PgSqlErrorCode::ERRCODE_WARNING;
    problem.notice();
}

/// A time for people.
fn length(microseconds: i64) -> String {
    match microseconds.max(0) {
        less @ 0..10_000_000 => format!("{} ms", less / 1000),
        more => format!("{} s", more / 1_000_000),
    }
}
