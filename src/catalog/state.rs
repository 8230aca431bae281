//! The state of a TVIEW: read and changed.

use pgrx::pg_sys::{self, Oid};

use super::announce;
use super::definition::State;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Value};
use crate::statement;

/// Writes a TVIEW's state and tells the workers at commit.
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
/// Whether it was paused before its first population, or before that of its present definition.
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
