//! The state of a TVIEW: its names, and how it is changed.

use pgrx::pg_sys::{self, Oid};

use super::announce;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Value};
use crate::statement;

/// ```text
/// create -> populating -> active <-> paused (by the owner)
///              ^            |  ^
///              |            v  |
///              |         suspended (the view fails, until it works again)
///              +-- redefined, reconciled
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Populating,
    Active,
    Paused,
    Suspended,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            State::Populating => "populating",
            State::Active => "active",
            State::Paused => "paused",
            State::Suspended => "suspended",
        }
    }

    pub fn from_name(name: &str) -> Option<State> {
        [State::Populating, State::Active, State::Paused, State::Suspended]
            .into_iter()
            .find(|state| state.name() == name)
    }

    /// Whether changes are being applied.
    pub fn refreshes(self) -> bool {
        matches!(self, State::Populating | State::Active)
    }

    /// Whether a refresh may be tried.
    pub fn may_refresh(self) -> bool {
        self != State::Paused
    }
}

/// Writes the state of a TVIEW; workers are notified at commit.
pub fn change_state(tview: Oid, state: State) {
    run_internal(|| {
        spi::session(|| {
            spi::run(
                &statement!("meta_set_state"),
                Access::Current,
                &[
                    (pg_sys::OIDOID, Value::of(tview)),
                    (pg_sys::TEXTOID, Value::of(state.name())),
                ],
            );
        })
    });
    announce::catalog_change();
}

/// Whether the TVIEW was paused before its rows were first computed from the present definition.
pub fn needs_population(tview: Oid) -> bool {
    run_internal(|| {
        spi::session(|| {
            let args = [(pg_sys::OIDOID, Value::of(tview))];
            spi::run(&statement!("audit_needs_population"), Access::Current, &args)
                .one::<bool>()
                .unwrap_or(true)
        })
    })
}
