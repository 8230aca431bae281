//! How the code of a view is run: with the rights of which role, for how long, and which errors end the
//! refresh.

use std::time::Duration;

use pgrx::PgSqlErrorCode;

use super::classes;
use crate::error::{Caught, Problem};
use crate::postgres::hooks::function_calls;
use crate::postgres::process::time_limit::limited;
use crate::postgres::transaction::Driver;
use crate::refresh::plan::Plan;
use crate::settings;

/// How the code of a view is run.
#[derive(Clone, Copy)]
pub struct Sandbox {
    pub driver: Driver,
    /// A server error counts as an error of the key, too.
    pub skips_server_errors: bool,
    /// How long a step may take, in addition to `pg_tviews.refresh_timeout`.
    pub limit: Option<Duration>,
}

impl Sandbox {
    /// Whether an error of a batch says nothing about the keys of the batch, and ends the refresh.
    pub fn stops_all(self, error: &Caught) -> bool {
        function_calls::was_refused()
            || (error.is_cancel() && self.limit.is_some())
            || classes::is_in_the_way(error)
            || classes::is_cancelled_drain(self.driver, error)
            || (classes::is_of_the_server(error)
                && !classes::is_out_of_memory(error)
                && !self.skips_server_errors)
    }

    /// Runs a step with the rights of the owner of the TVIEW. A worker limits its time; a session has its own
    /// statement_timeout.
    pub fn as_owner<R>(self, plan: &Plan, step: impl FnOnce() -> R) -> R {
        let limit = match self.driver {
            Driver::Worker => match (settings::refresh_timeout(), self.limit) {
                (Duration::ZERO, Some(limit)) => limit,
                (timeout, Some(limit)) => timeout.min(limit),
                (timeout, None) => timeout,
            },
            Driver::Procedure => Duration::ZERO,
        };
        limited(limit, took_too_long, || plan.as_owner(step))
    }
}

fn took_too_long(limit: Duration) -> Problem {
    Problem::new(
        PgSqlErrorCode::ERRCODE_QUERY_CANCELED,
        format!(
            "computing rows took longer than pg_tviews.refresh_timeout ({} ms)",
            limit.as_millis()
        ),
    )
    .hint("Make the view faster, or raise pg_tviews.refresh_timeout.")
}
