//! The state of a TVIEW after a refresh that has applied everything.

use super::audit::{self, Entry};
use super::one_refresh::Refresh;
use super::plan::Plan;
use crate::catalog::state::{change_state, State};

impl Refresh<'_> {
    /// The state of a TVIEW that has applied everything: active, unless its population is in progress.
    pub fn state_after(&self) -> State {
        match self.comparing.get() {
            Some(true) => State::Populating,
            Some(false) | None => State::Active,
        }
    }

    /// Changes the state of a TVIEW that has applied everything. Ends a suspension, and reports that in the
    /// audit table.
    pub fn enter_state_after(&self, plan: &Plan, before: State) {
        if before != self.state_after() {
            change_state(self.tview, self.state_after());
        }
        if before == State::Suspended {
            let definition = &plan.definition;
            let mut entry = Entry::new(&definition.entity_name, self.tview, "resume", audit::now());
            entry.details = Some(serde_json::json!({ "reason": "the view works again" }));
            audit::add(entry);
        }
    }
}
