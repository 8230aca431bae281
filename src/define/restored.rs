//! Definitions that a restore creates: they wait until the rest of the dump is restored, then are registered
//! like redefined TVIEWs. A dump contains `pg_tview_definition`, and the capture triggers with their tables,
//! but no queue and no positions.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use pgrx::pg_sys::{self, Oid};

use crate::catalog::definition::Definition;
use crate::catalog::state::State;
use crate::catalog::{announce, key_choice};
use crate::postgres::relation_changes;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::triggers::meta_insert::MetaInsertCall;
use crate::postgres::triggers::meta_update::MetaUpdateCall;
use crate::statement;

/// A dump may lack something that a definition needs. Its absence is accepted once no session has changed the
/// tables, loaded rows or created objects elsewhere, for so long.
const QUIET: Duration = Duration::from_secs(60);

thread_local! {
    /// TVIEWs that wait: since when, and the stamp of relation changes at that time.
    static WAITING: RefCell<HashMap<Oid, (Instant, u64)>> = RefCell::default();
}

/// The state of a row that is inserted into `pg_tview_definition`; None keeps the state that the row has.
/// Rows of a restored tv table do not correspond to any position in the queue of this database.
pub fn state_of_new(row: &MetaInsertCall) -> Option<&'static str> {
    announce::catalog_change();
    let state = row
        .get(c"state")
        .and_then(|state| State::from_name(&state))
        .filter(|state| *state != State::Paused);
    state.map(|_| State::Populating.name())
}

/// The number of columns that `pg_tview_meta` had as a table.
const COLUMNS_OF_TABLE: usize = 14;

/// Inserts a row of a dump of a version before 0.1.0, where `pg_tview_meta` was a table.
pub fn insert(row: &MetaUpdateCall) {
    let values = row.values();
    run_internal(|| {
        spi::session(|| {
            let values = &values[..COLUMNS_OF_TABLE];
            spi::run(&statement!("meta_insert"), Access::Current, values).len()
        })
    });
}

/// Whether a restore has not finished the TVIEW. A restore loads rows of the table before it creates the key,
/// and rows of a source before the triggers. An earlier refresh would block both. `sources`: what the view
/// reads, if that is known. While other objects are missing, pg_dump may have restored a view without its
/// query. With internal rights.
pub fn incomplete(definition: &Definition, sources: Option<&[Oid]>) -> bool {
    let progress = progress(definition);
    let complete = progress.registered
        || progress.triggers
            && !progress.pg_restore
            && sources.is_none_or(|sources| same(sources, &definition.sources))
            && key_choice::has_unique_index(definition.tview, &definition.key_columns);
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
        if progress.active || !relation_changes::unchanged_since(stamp, concerns) {
            waiting.insert(definition.tview, now);
            return true;
        }
        since.elapsed() < QUIET
    })
}

/// What the statement `is_restored` finds.
struct Progress {
    registered: bool,
    triggers: bool,
    pg_restore: bool,
    active: bool,
}

fn progress(definition: &Definition) -> Progress {
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
        Progress {
            registered: is(0),
            triggers: is(1),
            pg_restore: is(2),
            active: is(3),
        }
    })
}

/// Whether both lists have the same OIDs. The order of the registered sources is that of their OIDs in the
/// dumped database.
fn same(these: &[Oid], those: &[Oid]) -> bool {
    let these: HashSet<&Oid> = these.iter().collect();
    these == those.iter().collect()
}
