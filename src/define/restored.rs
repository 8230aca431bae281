//! Definitions that a dump brings: they wait until the rest of the dump is there, then are registered like redefined
//! ones. `pg_tview_definition` is dumped, and so are the capture triggers, with their tables; queue and positions are not.

use crate::catalog::announce;
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use pgrx::pg_sys::{self, Oid};

use crate::catalog::columns;
use crate::catalog::definition::{Definition, State};
use crate::postgres::relation_changes;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::triggers::meta_insert::MetaInsertCall;
use crate::postgres::triggers::meta_update::MetaUpdateCall;
use crate::statement;

/// What a dump holds is complete in itself. Should something have been missing in it, its absence is accepted once
/// nobody has touched the tables, or loaded rows or made objects elsewhere, for so long.
const QUIET: Duration = Duration::from_secs(60);

thread_local! {
    /// Since when, and with which stamp, a TVIEW is seen waiting.
    static WAITING: RefCell<HashMap<Oid, (Instant, u64)>> = RefCell::default();
}

/// The state a row gets that is added to `pg_tview_definition`, if not its own: rows of the tv table say nothing about
/// what the queue of this database holds.
pub fn state_of_new(row: &MetaInsertCall) -> Option<&'static str> {
    announce::catalog_change();
    let state = row
        .get(c"state")
        .and_then(|state| State::from_name(&state))
        .filter(|state| *state != State::Paused);
    state.map(|_| State::Populating.name())
}

/// Adds what a dump of pg_tviews 0.1.0 holds, where `pg_tview_meta` was a table.
pub fn insert(row: &MetaUpdateCall) {
    run_internal(|| {
        spi::session(|| spi::run(&statement!("meta_insert"), Access::Current, &row.values()).len())
    });
}

/// Whether a restore is not through with the TVIEW: rows of the table are loaded before its key is, and rows of a
/// source before its triggers are. Started earlier, a refresh would be in the way of both. `sources`: those the view
/// reads, if that is known; while other objects are missing a restored view may stand for itself only. With internal
/// rights.
pub fn incomplete(definition: &Definition, sources: Option<&[Oid]>) -> bool {
    let found = look(definition);
    let complete = found.registered
        || found.triggers
            && !found.pg_restore
            && sources.is_none_or(|sources| same(sources, &definition.sources))
            && columns::has_unique_index(definition.tview, &definition.key_columns);
    WAITING.with_borrow_mut(|waiting| {
        if complete {
            if sources.is_some() {
                waiting.remove(&definition.tview);
            }
            return false;
        }
        let now = (Instant::now(), relation_changes::stamp());
        let (since, stamp) = *waiting.entry(definition.tview).or_insert(now);
        let concerns = |relation| relation == definition.tview || definition.sources.contains(&relation);
        if found.at_work || !relation_changes::unchanged_since(stamp, concerns) {
            waiting.insert(definition.tview, now);
            return true;
        }
        since.elapsed() < QUIET
    })
}

struct Found {
    registered: bool,
    triggers: bool,
    pg_restore: bool,
    at_work: bool,
}

fn look(definition: &Definition) -> Found {
    spi::session(|| {
        let rows = spi::run(
            &statement!("is_restored"),
            Access::Current,
            &[
                (pg_sys::OIDOID, Value::of(definition.tview)),
                (pg_sys::OIDARRAYOID, Value::of(definition.sources.clone())),
            ],
        );
        let is = |column| rows.get(0, column) == Some(true);
        Found {
            registered: is(0),
            triggers: is(1),
            pg_restore: is(2),
            at_work: is(3),
        }
    })
}

/// Their order is that of the numbers they had where the dump was taken.
fn same(these: &[Oid], those: &[Oid]) -> bool {
    let these: HashSet<&Oid> = these.iter().collect();
    these == those.iter().collect()
}
