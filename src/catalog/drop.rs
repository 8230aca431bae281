//! `pg_tviews_drop`: the mirror of create.

use pgrx::pg_sys;

use super::create::{by_whom, check_owner};
use super::definition::{self, Definition};
use super::{guard, name, triggers};
use crate::capture;
use crate::error::OrRaise;
use crate::postgres::identity::{self, run_internal};
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::{lock, relation, transaction};
use crate::refresh::audit::{self, Entry};
use crate::refresh::plan;
use crate::statement;

/// Drops a TVIEW: its definition, triggers nobody else needs, its table unless kept, its view if it was ours.
pub fn drop_tview(tview_name: &str, if_exists: bool, keep_table: bool) {
    let entity = name::resolve(tview_name).or_raise();
    let table = entity.find(&entity.table());
    let found = table.and_then(|table| run_internal(|| definition::load(table)));
    let Some(definition) = found else {
        if if_exists {
            pgrx::notice!(
                "TVIEW {:?} does not exist in schema {:?}, skipping",
                entity.name,
                entity.schema
            );
            return;
        }
        definition::unknown(&entity).raise();
    };
    check_owner(definition.tview).or_raise();
    if let Some(class) = definition::table() {
        // Waits out a refresh under way.
        lock::object(class, definition.tview);
    }
    let mut entry = Entry::new(&definition.entity_name, definition.tview, "drop", audit::now());
    entry.details = Some(by_whom());
    audit::add(entry);
    run_internal(|| {
        spi::session(|| {
            unregister(&definition);
            if keep_table {
                guard::remove(definition.tview);
            }
        })
    });
    plan::forget(definition.tview);
    if !keep_table {
        spi::run_for_user(&format!("DROP TABLE {}", definition.display()));
    }
    if let (true, Some(view)) = (definition.view_created, definition.view()) {
        spi::run_for_user(&format!("DROP VIEW {}", relation::display(view)));
    }
    capture::note_catalog_change();
}

/// Takes the definition away, and the triggers of sources no other TVIEW reads. With internal rights, inside
/// an SPI session.
pub fn unregister(definition: &Definition) {
    spi::run(
        &statement!("delete_definition"),
        Access::Current,
        &[(pg_sys::OIDOID, Value::of(definition.tview))],
    );
    triggers::remove_unused();
}

/// Takes the definitions away whose table was dropped by SQL. Their triggers go later, with [`tidy`]: whoever drops
/// a table need not wait for the writers of others.
pub fn forget_dropped() {
    if definition::table().is_some() {
        run_internal(|| {
            spi::session(|| spi::run(&statement!("forget_dropped"), Access::Current, &[]).len());
        });
    }
}

/// Removes what TVIEWs that were dropped by SQL have left, as far as nobody is in the way. For housekeeping.
pub fn tidy() {
    if definition::table().is_none() {
        return;
    }
    forget_dropped();
    // A table that is in use keeps its superfluous trigger until the next time.
    let _ = transaction::attempt(|| {
        run_internal(|| {
            identity::set("lock_timeout", "50ms");
            spi::session(triggers::remove_unused);
        })
    });
}
