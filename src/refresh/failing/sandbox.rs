//! How users' view code is run: as whom, for how long, and whose fault it is when it fails.

use std::time::Duration;

use super::kinds;
use crate::error::Caught;
use crate::postgres::process::time_limit::limited;
use crate::postgres::transaction::Driver;
use crate::refresh::plan::Plan;
use crate::settings;

#[derive(Clone, Copy)]
pub struct Care {
    pub driver: Driver,
    /// Trouble of the server counts as the fault of a key, too.
    pub gives_up: bool,
    /// How long a step may take before it is given up for now, whatever a refresh may take at most.
    pub limit: Option<Duration>,
}

impl Care {
    /// Whether an error of one batch says nothing about its keys.
    pub fn stops_all(self, error: &Caught) -> bool {
        (error.is_cancel() && self.limit.is_some())
            || kinds::is_in_the_way(error)
            || kinds::is_unwanted(self.driver, error)
            || (kinds::is_passing(error) && !kinds::needs_less(error) && !self.gives_up)
    }

    /// Runs a step of a refresh with the rights of the TVIEW's owner, in a worker for a limited time: a session has its
    /// own statement_timeout.
    pub fn as_owner<R>(self, plan: &Plan, step: impl FnOnce() -> R) -> R {
        let limit = match self.driver {
            Driver::Worker => match (settings::refresh_timeout(), self.limit) {
                (Duration::ZERO, Some(limit)) => limit,
                (timeout, Some(limit)) => timeout.min(limit),
                (timeout, None) => timeout,
            },
            Driver::Procedure => Duration::ZERO,
        };
        limited(limit, || plan.as_owner(step))
    }
}
