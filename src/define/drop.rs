//! `pg_tviews_drop`: the mirror of create.

use crate::catalog::announce;
use pgrx::pg_sys::{self, Oid};

use super::patience::{self, Wanted};
use super::{capture_triggers, write_guard};
use crate::catalog::definition::{self, Definition};
use crate::catalog::name::{self, Entity};
use crate::catalog::owner::{by_whom, check_owner};
use crate::error::OrRaise;
use crate::postgres::relation;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::transaction::lock::{self, Attempt, TableLock};
use crate::postgres::transaction::{self, Driver};
use crate::refresh::audit::{self, Entry};
use crate::refresh::plan;
use crate::statement;

/// Drops a TVIEW: its definition, triggers nobody else needs, its table unless kept, its view if it was ours.
pub fn drop_tview(tview_name: &str, if_exists: bool, keep_table: bool) {
    let entity = name::resolve(tview_name).or_raise();
    // In a transaction block nobody knows for how long a source would be locked.
    let with_triggers = !transaction::in_block();
    let dropped = patience::patiently(
        || found(&entity),
        |found| found.map(|definition| drop_found(&definition, keep_table, with_triggers)),
    );
    match dropped {
        Some(()) => announce::catalog_change(),
        None if if_exists => pgrx::notice!(
            "TVIEW \"{}\" does not exist in schema \"{}\", skipping",
            entity.name,
            entity.schema
        ),
        None => definition::unknown(&entity).raise(),
    }
}

/// The TVIEW, if the caller may drop it. Waits out a refresh under way.
fn found(entity: &Entity) -> Option<Definition> {
    let load = || {
        let table = entity.find(&entity.table());
        table.and_then(|table| run_internal(|| definition::load(table)))
    };
    let found = load()?;
    check_owner(found.tview).or_raise();
    lock::object(definition::table()?, found.tview);
    load()
}

fn drop_found(definition: &Definition, keep_table: bool, with_triggers: bool) {
    // Its very own: the view that stands there now may be another of the same name.
    let ours = |view: &Oid| definition.view_created && *view == definition.seen_view;
    let view = definition.view().filter(ours);
    patience::lock_all(&wanting(definition, keep_table, view));
    let mut entry = Entry::new(&definition.entity_name, definition.tview, "drop", audit::now());
    entry.details = Some(by_whom());
    audit::add(entry);
    let sources = unregister(definition);
    if keep_table {
        run_internal(|| spi::session(|| write_guard::remove(definition.tview)));
    }
    plan::forget(definition.tview);
    if !keep_table {
        spi::run_for_user(&format!("DROP TABLE {}", definition.display()));
    }
    if let Some(view) = view {
        spi::run_for_user(&format!("DROP VIEW {}", relation::display(view)));
    }
    if with_triggers {
        remove_triggers(&sources);
    }
}

/// What dropping a TVIEW locks against everybody. With the table go its foreign keys, and what they have put on the tables they
/// refer to.
fn wanting(definition: &Definition, keep_table: bool, view: Option<Oid>) -> Vec<Wanted> {
    let referred = match keep_table {
        true => Vec::new(),
        false => run_internal(|| {
            spi::session(|| {
                let sql =
                    "SELECT confrelid FROM pg_catalog.pg_constraint WHERE conrelid = $1 AND contype = 'f'";
                let args = [(pg_sys::OIDOID, Value::of(definition.tview))];
                let rows = spi::run(sql, Access::Current, &args);
                (0..rows.len()).filter_map(|row| rows.get(row, 0)).collect()
            })
        }),
    };
    referred
        .into_iter()
        .chain([definition.tview])
        .chain(view)
        .map(|relation| (relation, TableLock::AccessExclusive))
        .collect()
}

/// Takes the definition away; returns the tables that have triggers nobody needs any more.
fn unregister(definition: &Definition) -> Vec<Oid> {
    run_internal(|| {
        spi::session(|| {
            let args = [(pg_sys::OIDOID, Value::of(definition.tview))];
            spi::run(&statement!("meta_delete"), Access::Current, &args);
            capture_triggers::with_unused()
        })
    })
}

/// Removes the triggers that nobody needs any more from those of the tables that nobody is at; the others, and what stands there
/// for other reasons, are left to housekeeping.
fn remove_triggers(tables: &[Oid]) {
    for table in tables {
        let _ = transaction::attempt(|| {
            if lock::try_table(*table, TableLock::AccessExclusive) == Attempt::Locked {
                run_internal(|| spi::session(|| capture_triggers::remove_unused(*table)));
            }
        });
    }
}

/// Takes the definitions away whose table was dropped by SQL. Their triggers go later, with [`tidy`]: whoever drops
/// a table need not wait for the writers of others.
pub fn forget_dropped() {
    if definition::table().is_some() {
        run_internal(|| {
            spi::session(|| spi::run(&statement!("meta_forget_dropped"), Access::Current, &[]).len());
        });
    }
}

/// Removes what dropped TVIEWs have left, one table in a transaction of its own, so that nothing is locked while another table is
/// waited for. `patient`: waits for a moment where a table is in use, at which others queue behind; else it is passed over.
/// Returns how many tables were in use. Outside a transaction, for housekeeping.
pub fn tidy(driver: Driver, patient: bool) -> usize {
    let unused = driver.transaction(|| {
        transaction::with_snapshot(|| {
            definition::table().map_or(Vec::new(), |_| {
                forget_dropped();
                run_internal(|| spi::session(capture_triggers::with_unused))
            })
        })
    });
    let unused = unused.unwrap_or_default();
    let left = unused.into_iter().filter(|table| {
        let removed = driver.transaction(|| {
            let lock = TableLock::AccessExclusive;
            if patient {
                patience::lock_all(&[(*table, lock)]);
            } else if lock::try_table(*table, lock) != Attempt::Locked {
                return false;
            }
            transaction::with_snapshot(|| {
                run_internal(|| spi::session(|| capture_triggers::remove_unused(*table)))
            });
            true
        });
        !removed.unwrap_or(false)
    });
    left.count()
}
