//! Pause and resume.

use pgrx::pg_sys::{self, Oid};
use pgrx::PgSqlErrorCode;

use super::create::{by_whom, check_owner};
use super::definition::{self, Definition, State};
use crate::capture;
use crate::error::{OrRaise, Problem};
use crate::postgres::identity::run_internal;
use crate::postgres::lock;
use crate::postgres::spi::{self, Access, Value};
use crate::refresh::audit::{self, Entry};
use crate::statement;

/// Changes wait in the queue until [`resume`].
pub fn pause(name: &str) {
    switch(name, "pause", |current| match current.state {
        State::Populating | State::Active | State::Suspended => Some(State::Paused),
        State::Paused => None,
    });
}

/// Refreshes go on from where they stopped.
pub fn resume(name: &str) {
    switch(name, "resume", |current| match current.state {
        State::Paused | State::Suspended if needs_population(current.tview) => Some(State::Populating),
        State::Paused | State::Suspended => Some(State::Active),
        State::Populating | State::Active => None,
    });
}

/// Whether it was paused before its first population, or before that of its present definition.
pub fn needs_population(tview: Oid) -> bool {
    run_internal(|| {
        spi::session(|| {
            let args = [(pg_sys::OIDOID, Value::of(tview))];
            spi::run(&statement!("needs_population"), Access::Current, &args)
                .one::<bool>()
                .unwrap_or(true)
        })
    })
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
        Problem::new(
            PgSqlErrorCode::ERRCODE_UNDEFINED_OBJECT,
            format!("TVIEW \"{name}\" was dropped meanwhile"),
        )
        .raise()
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

/// Writes a TVIEW's state and tells the workers at commit.
pub fn change_state(tview: Oid, state: State) {
    run_internal(|| {
        spi::session(|| {
            spi::run(
                &statement!("change_state"),
                Access::Current,
                &[
                    (pg_sys::OIDOID, Value::of(tview)),
                    (pg_sys::TEXTOID, Value::of(state.name())),
                ],
            );
        })
    });
    capture::note_catalog_change();
}
