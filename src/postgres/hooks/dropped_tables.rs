//! Which tables were empty when they were dropped. A dropped table cannot be asked. Its capture trigger is
//! dropped before it: then the table still exists, and is locked against all other sessions.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ffi::{c_int, c_void};

use pgrx::pg_guard;
use pgrx::pg_sys::{self, Oid};

use crate::postgres::{inheritance, relation, table_rows};

static mut NEXT: pg_sys::object_access_hook_type = None;

thread_local! {
    /// Tables found empty by the running command, and by earlier commands that failed: each command checks
    /// its tables again.
    static EMPTY: RefCell<BTreeSet<u32>> = const { RefCell::new(BTreeSet::new()) };
}

/// Puts the hook in front of those already installed; call once per process, from `_PG_init`.
pub fn install() {
    // SAFETY: the process is single-threaded and runs _PG_init once.
    unsafe {
        NEXT = pg_sys::object_access_hook;
        pg_sys::object_access_hook = Some(accessed);
    }
}

/// The tables that had no rows when the command that has just run dropped them or their trigger.
pub fn take_empty() -> Vec<Oid> {
    let empty = EMPTY.take();
    empty.into_iter().map(Oid::from).collect()
}

/// Deliberately without `#[pg_guard]`: an ERROR of another hook jumps over this frame, which owns nothing.
unsafe extern "C-unwind" fn accessed(
    access: pg_sys::ObjectAccessType::Type,
    class: Oid,
    object: Oid,
    column: c_int,
    argument: *mut c_void,
) {
    // SAFETY: the arguments are handed on as they came.
    unsafe {
        if let Some(next) = NEXT {
            next(access, class, object, column, argument);
        }
        if access == pg_sys::ObjectAccessType::OAT_DROP && class == pg_sys::TriggerRelationId {
            trigger_goes(object);
        }
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn trigger_goes(trigger: Oid) {
    let Some(table) = inheritance::captured_by(trigger) else {
        return;
    };
    let empty = is_empty(table);
    EMPTY.with_borrow_mut(|tables| {
        if empty {
            tables.insert(table.to_u32())
        } else {
            tables.remove(&table.to_u32())
        }
    });
}

/// A partitioned table has no rows itself; those of another server are unknown.
fn is_empty(table: Oid) -> bool {
    match relation::kind(table) {
        // SAFETY: a snapshot of this moment, taken off again; after an ERROR the transaction does that.
        Some('r') => unsafe {
            pg_sys::PushActiveSnapshot(pg_sys::GetLatestSnapshot());
            let holds_rows = table_rows::holds_rows(table);
            pg_sys::PopActiveSnapshot();
            holds_rows == Some(false)
        },
        kind => kind == Some('p'),
    }
}
