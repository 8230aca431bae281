//! How a prepared statement is run: with which snapshot, all rows at once or in portions.

use std::cell::Cell;
use std::ffi::{c_char, c_long, CStr};

use pgrx::pg_sys::{self, Datum};

use super::rows::Rows;
use super::value::Value;
use crate::postgres::process::memory;
use crate::postgres::transaction::with_snapshot;

/// What a statement sees.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// The active snapshot as it is; the statement must not write.
    Snapshot,
    /// Also the changes of earlier commands, and at READ COMMITTED those that other transactions have
    /// committed; the statement may write.
    Current,
}

thread_local! {
    static FIXED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work`, whose statements see the active snapshot and the changes of earlier commands, also where they
/// write: nothing that other transactions commit meanwhile.
pub fn under_active_snapshot<R>(work: impl FnOnce() -> R) -> R {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            FIXED.set(self.0);
        }
    }
    let _restore = Restore(FIXED.replace(true));
    work()
}

/// Runs `work`, whose statements see one snapshot, even at READ COMMITTED: the active one if they do so already, else
/// a new one of the transaction.
pub fn under_one_snapshot<R>(work: impl FnOnce() -> R) -> R {
    if FIXED.get() {
        work()
    } else {
        with_snapshot(|| under_active_snapshot(work))
    }
}

/// Rows that are in memory at a time while a result is streamed.
const FETCHED: c_long = 1_000;

/// # Safety
/// Inside an SPI connection, with a plan that takes `args.len()` parameters.
pub(super) unsafe fn execute(plan: pg_sys::SPIPlanPtr, access: Access, args: &[Value], limit: i64) -> Rows {
    // SAFETY: as the caller promises; the arrays live across the call.
    unsafe {
        memory::check();
        let (mut datums, nulls) = datums(args);
        pg_sys::SPI_tuptable = std::ptr::null_mut();
        let code = if access == Access::Current && FIXED.get() {
            pg_sys::SPI_execute_snapshot(
                plan,
                datums.as_mut_ptr(),
                nulls.as_ptr(),
                pg_sys::GetActiveSnapshot(),
                std::ptr::null_mut(),
                false,
                true,
                limit as c_long,
            )
        } else {
            pg_sys::SPI_execute_plan(
                plan,
                datums.as_mut_ptr(),
                nulls.as_ptr(),
                access == Access::Snapshot,
                limit as c_long,
            )
        };
        if code < 0 {
            let reason = CStr::from_ptr(pg_sys::SPI_result_code_string(code)).to_string_lossy();
            pgrx::error!("statement failed: {reason}");
        }
        Rows {
            table: pg_sys::SPI_tuptable,
            processed: pg_sys::SPI_processed,
        }
    }
}

/// # Safety
/// Inside an SPI connection, with a plan of one query that returns rows and takes `args.len()` parameters.
pub(super) unsafe fn stream(plan: pg_sys::SPIPlanPtr, args: &[Value], mut each: impl FnMut(&Rows) -> bool) {
    // SAFETY: as the caller promises; the arrays live across the call, and a portion is freed after its
    // only use.
    unsafe {
        let (mut datums, nulls) = datums(args);
        let portal =
            pg_sys::SPI_cursor_open(std::ptr::null(), plan, datums.as_mut_ptr(), nulls.as_ptr(), true);
        loop {
            memory::check();
            pg_sys::SPI_tuptable = std::ptr::null_mut();
            pg_sys::SPI_cursor_fetch(portal, true, FETCHED);
            let rows = Rows {
                table: pg_sys::SPI_tuptable,
                processed: pg_sys::SPI_processed,
            };
            let more = !rows.is_empty() && each(&rows);
            pg_sys::SPI_freetuptable(rows.table);
            if !more {
                break;
            }
        }
        pg_sys::SPI_cursor_close(portal);
    }
}

fn datums(args: &[Value]) -> (Vec<Datum>, Vec<c_char>) {
    let null = |arg: &Value| if arg.is_null() { b'n' } else { b' ' } as c_char;
    (
        args.iter().map(|arg| arg.datum()).collect(),
        args.iter().map(null).collect(),
    )
}
