//! `pg_tviews_pause` and `pg_tviews_resume`.

use crate::catalog::definition::{self, Definition};
use crate::catalog::owner::{by_whom, check_owner};
use crate::catalog::state::{change_state, needs_population, State};
use crate::error::OrRaise;
use crate::postgres::run_as::run_internal;
use crate::postgres::transaction::lock;
use crate::refresh::audit::{self, Entry};

/// Changes wait in the queue until [`resume`].
pub fn pause(name: &str) {
    switch(name, "pause", |current| match current.state {
        State::Populating | State::Active | State::Suspended => Some(State::Paused),
        State::Paused => None,
    });
}

/// Refreshes go on where they stopped.
pub fn resume(name: &str) {
    switch(name, "resume", |current| match current.state {
        State::Paused | State::Suspended if needs_population(current.tview) => Some(State::Populating),
        State::Paused | State::Suspended => Some(State::Active),
        State::Populating | State::Active => None,
    });
}

fn switch(name: &str, operation: &'static str, next: impl Fn(&Definition) -> Option<State>) {
    let found = definition::find(name).or_raise();
    check_owner(found.tview).or_raise();
    if let Some(class) = definition::table() {
        lock::object(class, found.tview);
    }
    // The lock may have been waited for.
    let current = run_internal(|| definition::load(found.tview));
    let Some(current) = current else {
        definition::dropped(&found.display()).raise()
    };
    let Some(next) = next(&current) else {
        pgrx::notice!("TVIEW {} is {} already", current.display(), current.state.name());
        return;
    };
    change_state(current.tview, next);
    let mut entry = Entry::new(&current.entity_name, current.tview, operation, audit::now());
    entry.details = Some(by_whom());
    audit::add(entry);
}
