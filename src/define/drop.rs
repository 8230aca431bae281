//! `pg_tviews_drop`: the mirror of create.

use pgrx::pg_sys::{self, Oid};

use super::patience::{self, LockRequest};
use super::{capture_triggers, definition_row, fresh_name, fresh_view, unused_triggers, write_guard};
use crate::catalog::definition::{self, Definition};
use crate::catalog::entity::Entity;
use crate::catalog::owner::{by_whom, check_owner};
use crate::catalog::{announce, name};
use crate::error::{OrRaise, Problem};
use crate::postgres::relation;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::transaction;
use crate::postgres::transaction::lock::{self, TableLock};
use crate::refresh::audit::{self, Entry};
use crate::refresh::feed;
use crate::refresh::plan;
use crate::refresh::running::forget;
use crate::statement;

/// Drops a TVIEW: the definition, and the triggers that no other TVIEW needs. The table is dropped unless it
/// is kept, the view if the extension created it.
pub fn drop_tview(tview_name: &str, if_exists: bool, keep_table: bool) {
    let entity = name::resolve(tview_name).or_raise();
    // In a transaction block, a source would stay locked until the end of the block.
    let with_triggers = !transaction::in_block();
    let dropped = patience::patiently(
        || find(&entity),
        |found| found.map(|definition| drop_found(&definition, keep_table, with_triggers)),
    );
    match dropped {
        Some(()) => announce::catalog_change(),
        None if if_exists => {
            Problem::for_notice(format!("TVIEW {} does not exist, skipping", entity.display())).notice();
        }
        None => definition::unknown(&entity).raise(),
    }
}

/// The TVIEW, if the caller may drop it. Waits for a refresh in progress to end.
fn find(entity: &Entity) -> Option<Definition> {
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
    // The view that has the name now may be another one.
    let is_created = |view: &Oid| definition.view_created && *view == definition.seen_view;
    let view = definition.view().filter(is_created);
    let fresh = fresh_name::find(definition);
    let mut locks = locks(definition, keep_table, view);
    locks.extend(fresh.map(fresh_view::lock_to_drop));
    patience::lock_all(&locks);
    let mut entry = Entry::new(&definition.entity_name, definition.tview, "drop", audit::now());
    entry.details = Some(by_whom());
    audit::add(entry);
    if definition.feed {
        feed::everything(definition.tview, &definition.entity_name);
    }
    let with_unused_triggers = run_internal(|| {
        spi::session(|| {
            definition_row::delete(definition.tview);
            forget::throw_away(definition.tview);
            capture_triggers::with_unused()
        })
    });
    if keep_table {
        run_internal(|| spi::session(|| write_guard::remove(definition.tview)));
    }
    plan::forget(definition.tview);
    fresh.into_iter().for_each(fresh_view::drop);
    if !keep_table {
        spi::run_for_user(&format!("DROP TABLE {}", definition.display()));
    }
    if let Some(view) = view {
        spi::run_for_user(&format!("DROP VIEW {}", relation::display(view)));
    }
    if with_triggers {
        unused_triggers::remove_where_unlocked(&with_unused_triggers);
    }
}

/// The exclusive locks that dropping a TVIEW takes. Dropping the table drops its foreign keys, and their
/// triggers on the tables they refer to.
fn locks(definition: &Definition, keep_table: bool, view: Option<Oid>) -> Vec<LockRequest> {
    let referred = if keep_table {
        Vec::new()
    } else {
        referred_tables(definition.tview)
    };
    let relations = referred.into_iter().chain([definition.tview]).chain(view);
    relations
        .map(|relation| (relation, TableLock::AccessExclusive))
        .collect()
}

fn referred_tables(table: Oid) -> Vec<Oid> {
    run_internal(|| {
        spi::session(|| {
            let args = [(pg_sys::OIDOID, Value::of(table))];
            let rows = spi::run(&statement!("relation_referred"), Access::Current, &args);
            (0..rows.len()).filter_map(|row| rows.get(row, 0)).collect()
        })
    })
}
