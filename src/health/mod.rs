//! `pg_tviews_health_check`: what is wrong, and the command that corrects it. What cannot be checked is an
//! error.

mod drift;
mod fault;
mod server;
mod tviews;

use std::cell::OnceCell;

use crate::postgres::role::current_role;
use crate::postgres::run_as::run_internal;
use crate::postgres::transaction::{attempt, in_recovery};
use fault::{Faults, Level};
use tviews::Inspection;

/// One row of the answer.
#[derive(Debug, Clone)]
pub struct Finding {
    pub level: Level,
    pub component: &'static str,
    pub message: String,
}

/// A part of the extension that is checked.
struct Component {
    name: &'static str,
    /// The message if nothing is wrong.
    well: &'static str,
    /// The message on a standby, where it differs.
    well_on_standby: Option<&'static str>,
    check: fn(&Inspection) -> Faults,
}

/// In the order in which they depend on each other.
const COMPONENTS: [Component; 10] = [
    Component {
        name: "library",
        well: "preloaded, and of the version of the extension",
        well_on_standby: None,
        check: server::library,
    },
    Component {
        name: "settings",
        well: "workers are allowed, and there is room for every database and TVIEW",
        well_on_standby: None,
        check: server::settings,
    },
    Component {
        name: "workers",
        well: "launcher and refresh workers are running",
        well_on_standby: Some("this server is a standby: the primary refreshes, none of its workers run here, and what is shown is as late as pg_last_xact_replay_timestamp() says. Commands named in other rows are for the primary"),
        check: server::workers,
    },
    Component {
        name: "own triggers",
        well: "DDL and updates of definitions are noticed",
        well_on_standby: None,
        check: tviews::own_triggers,
    },
    Component {
        name: "capture triggers",
        well: "every source captures its changes",
        well_on_standby: None,
        check: tviews::capture_triggers,
    },
    Component {
        name: "backing views",
        well: "all exist",
        well_on_standby: None,
        check: tviews::backing_views,
    },
    Component {
        name: "tviews",
        well: "none is paused, suspended or failing",
        well_on_standby: None,
        check: tviews::states,
    },
    Component {
        name: "backlog",
        well: "every TVIEW is within its bound",
        well_on_standby: Some("not checked on a standby: ask the primary"),
        check: tviews::backlog,
    },
    Component {
        name: "dead letter",
        well: "no key is set aside",
        well_on_standby: None,
        check: tviews::dead_keys,
    },
    Component {
        name: "verification",
        well: "no row was found to differ from its view",
        well_on_standby: None,
        check: drift::found,
    },
];

/// Checks everything. The server is checked for every role; TVIEWs for roles with the rights of their owner
/// or of pg_monitor.
pub fn check() -> Vec<Finding> {
    let inspection = Inspection {
        caller: current_role(),
        tviews: OnceCell::new(),
    };
    COMPONENTS
        .iter()
        .flat_map(|component| component.findings(&inspection))
        .collect()
}

impl Component {
    fn findings(&self, inspection: &Inspection) -> Vec<Finding> {
        let faults = attempt(|| run_internal(|| (self.check)(inspection))).unwrap_or_else(|error| {
            let text = format!("could not be checked: {}: {}", error.sqlstate(), error.message);
            vec![(Level::Error, text)]
        });
        let finding = |(level, message)| Finding {
            level,
            component: self.name,
            message,
        };
        if faults.is_empty() {
            let on_standby = self.well_on_standby.filter(|_| in_recovery());
            return vec![finding((Level::Ok, on_standby.unwrap_or(self.well).to_string()))];
        }
        faults.into_iter().map(finding).collect()
    }
}
