//! Tables whose rows this transaction does not capture one by one: all of their rows count as changed.
//!
//! ```text
//! pg_tviews_bulk_load -> all rows of each source are recorded -> row triggers of the tables are off
//!   -> each statement that writes such a table: previews are told once more that all rows may have changed
//! ```
//!
//! Only triggers that the call has found are off. A trigger of a source that the call does not know records
//! its rows one by one, as ever.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;

use pgrx::pg_sys::{self, Oid};

use super::{flush, mark_all_rows, shown};
use crate::postgres::hooks::invalidation;
use crate::postgres::hooks::transaction_events::{self, Handlers, SubtransactionEvent, TransactionEvent};
use crate::postgres::inheritance;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::transaction;
use crate::postgres::triggers::row_triggers_off;
use crate::statement;

/// Called at events of transactions.
pub const HANDLERS: Handlers = Handlers {
    transaction: on_transaction,
    subtransaction: on_subtransaction,
};

/// What one call has turned off.
struct Load {
    /// The subtransaction of the call.
    level: u32,
    /// The command of the call. The invalidations that it announced are applied when the command ends.
    command: u32,
    tables: HashSet<Oid>,
    triggers: HashSet<Oid>,
    sources: HashSet<Oid>,
}

impl Load {
    /// Whether the other one turns off nothing else.
    fn covers(&self, other: &Load) -> bool {
        other.tables.is_subset(&self.tables)
            && other.triggers.is_subset(&self.triggers)
            && other.sources.is_subset(&self.sources)
    }
}

thread_local! {
    static LOADS: RefCell<Vec<Load>> = const { RefCell::new(Vec::new()) };
    /// Whether there is one. Read before each statement that writes.
    static ANY: Cell<bool> = const { Cell::new(false) };
    /// Whether the relation cache may have lost marks.
    static STALE: Cell<bool> = const { Cell::new(false) };
}

/// Stops capturing rows of a table, and of its partitions and children, one by one. Returns the sources of
/// which all rows count as changed now; none if no TVIEW reads the table.
pub fn begin(table: Oid) -> Vec<Oid> {
    let mut tables = inheritance::inheritors(table);
    tables.push(table);
    let args = [(pg_sys::OIDARRAYOID, Value::of(tables))];
    let found: Vec<[Oid; 3]> = run_internal(|| {
        spi::session(|| {
            let rows = spi::run(&statement!("triggers_capturing_rows"), Access::Snapshot, &args);
            let row = |row| Some([rows.get(row, 0)?, rows.get(row, 1)?, rows.get(row, 2)?]);
            (0..rows.len()).filter_map(row).collect()
        })
    });
    let all = |column: usize| -> HashSet<Oid> { found.iter().map(|row| row[column]).collect() };
    let load = Load {
        level: transaction_events::current_subtransaction(),
        command: transaction::command(),
        tables: all(0),
        triggers: all(1),
        sources: all(2),
    };
    // In this order: rows are recorded until all of them are.
    let mut sources: Vec<Oid> = load.sources.iter().copied().collect();
    sources.sort_by_key(|source| source.to_u32());
    sources.iter().copied().for_each(mark_all_rows);
    // A call that is repeated for each row must not make the next statements slower and slower.
    let is_new = LOADS.with_borrow(|loads| !loads.iter().any(|earlier| earlier.covers(&load)));
    if !found.is_empty() && is_new {
        load.tables.iter().copied().for_each(invalidation::announce);
        LOADS.with_borrow_mut(|loads| loads.push(load));
        ANY.set(true);
    }
    sources
}

/// Whether [`before_write`] and [`after_write`] have anything to do.
pub fn is_any() -> bool {
    ANY.get()
}

/// Relation cache callback, see [`invalidation`].
pub fn forget(_relation: Oid) {
    STALE.set(true);
}

/// Before a statement opens the tables that it writes.
pub fn before_write() {
    if STALE.take() {
        turn_off();
    }
    after_write();
}

fn turn_off() {
    let command = transaction::command();
    LOADS.with_borrow(|loads| {
        let ended = || loads.iter().filter(|load| load.command != command);
        let is_off = |trigger: Oid| ended().any(|load| load.triggers.contains(&trigger));
        for load in ended() {
            for table in &load.tables {
                row_triggers_off::mark(*table, is_off);
            }
        }
    });
}

/// After a statement that writes, and before it, for queries that it calls: rows have changed since previews
/// were made.
pub fn after_write() {
    if flush::is_ending() {
        return;
    }
    let level = transaction_events::current_subtransaction();
    LOADS.with_borrow(|loads| {
        for source in loads.iter().flat_map(|load| &load.sources) {
            shown::note(level, source.to_u32(), None);
        }
    });
}

fn on_transaction(event: TransactionEvent) {
    if event != TransactionEvent::BeforeEnd {
        ANY.set(false);
        LOADS.with(|loads| {
            if let Ok(mut loads) = loads.try_borrow_mut() {
                loads.clear();
            }
        });
    }
}

fn on_subtransaction(event: SubtransactionEvent) {
    if !ANY.get() {
        return;
    }
    LOADS.with_borrow_mut(|loads| match event {
        SubtransactionEvent::BeforeCommit { .. } => {}
        SubtransactionEvent::Committed {
            subtransaction,
            parent,
        } => {
            for load in loads.iter_mut().filter(|load| load.level >= subtransaction) {
                load.level = parent;
            }
        }
        SubtransactionEvent::Aborted { subtransaction } => {
            loads.retain(|load| load.level < subtransaction);
            ANY.set(!loads.is_empty());
        }
    });
}
