//! SQL statements, prepared once and kept, or run once.

use std::cell::Cell;
use std::ffi::CString;

use pgrx::pg_sys::{self, Oid};

use super::execute::{execute, stream, Access};
use super::rows::Rows;
use super::value::Value;
use crate::postgres::{named, run_as};

/// Text of a statement, prepared when first run and kept for the life of the process.
pub struct Statement {
    sql: CString,
    types: Vec<Oid>,
    plan: Cell<pg_sys::SPIPlanPtr>,
}

impl Statement {
    /// `types`: the types of the parameters `$1`, `$2`, ...
    pub fn new(sql: impl Into<Vec<u8>>, types: &[Oid]) -> Statement {
        let sql = CString::new(sql).expect("SQL text has no NUL byte");
        Statement {
            sql,
            types: types.to_vec(),
            plan: Cell::new(std::ptr::null_mut()),
        }
    }

    pub fn sql(&self) -> &str {
        self.sql.to_str().unwrap_or_default()
    }

    /// Runs the statement inside a [`session`]; `limit` 0 means all rows.
    pub fn run(&self, access: Access, args: &[Value], limit: i64) -> Rows {
        assert_eq!(args.len(), self.types.len(), "parameters of {}", self.sql());
        run_as::pinned(|| self.run_as_it_is(access, args, limit))
    }

    fn run_as_it_is(&self, access: Access, args: &[Value], limit: i64) -> Rows {
        // SAFETY: called inside an SPI connection; the arrays live across the call; the plan was prepared
        // from `types`, which has as many entries as `args`.
        named::reading(&self.sql, || unsafe {
            execute(self.prepared(), access, args, limit)
        })
    }

    /// # Safety
    /// Inside an SPI connection.
    unsafe fn prepared(&self) -> pg_sys::SPIPlanPtr {
        // SAFETY: as the caller promises; the text and the types live across the call, and the plan is
        // kept.
        unsafe {
            if self.plan.get().is_null() {
                let mut types = self.types.clone();
                let plan = pg_sys::SPI_prepare(self.sql.as_ptr(), types.len() as i32, types.as_mut_ptr());
                if plan.is_null() {
                    pgrx::error!("could not prepare: {}", self.sql());
                }
                pg_sys::SPI_keepplan(plan);
                self.plan.set(plan);
            }
            self.plan.get()
        }
    }

    /// Bytes of memory that the prepared statement takes.
    pub fn memory(&self) -> usize {
        if self.plan.get().is_null() {
            return 0;
        }
        // SAFETY: the plan was kept by us: its sources, their contexts and those of their generic plans are
        // there.
        unsafe {
            let sources = pg_sys::SPI_plan_get_plan_sources(self.plan.get());
            let number = if sources.is_null() { 0 } else { (*sources).length };
            (0..number)
                .map(|n| {
                    let source = pg_sys::list_nth(sources, n).cast::<pg_sys::CachedPlanSource>();
                    let generic = (*source).gplan;
                    let of_generic = if generic.is_null() {
                        0
                    } else {
                        pg_sys::MemoryContextMemAllocated((*generic).context, true)
                    };
                    pg_sys::MemoryContextMemAllocated((*source).context, true) + of_generic
                })
                .sum()
        }
    }

    /// Runs the statement inside a [`session`] under the active snapshot. `each` gets the rows in portions,
    /// which are freed afterwards, until it returns false.
    pub fn stream(&self, args: &[Value], each: impl FnMut(&Rows) -> bool) {
        assert_eq!(args.len(), self.types.len(), "parameters of {}", self.sql());
        // SAFETY: as in `run_as_it_is`.
        run_as::pinned(|| named::reading(&self.sql, || unsafe { stream(self.prepared(), args, each) }))
    }
}

impl Drop for Statement {
    fn drop(&mut self) {
        if !self.plan.get().is_null() {
            // SAFETY: the plan was kept by us and nobody else frees it.
            unsafe {
                pg_sys::SPI_freeplan(self.plan.get());
            }
        }
    }
}

/// Prepares and runs a statement once, inside a [`session`].
pub fn run(sql: &str, access: Access, args: &[(Oid, Value)]) -> Rows {
    run_as::pinned(|| run_as_it_is(sql, access, args))
}

pub(super) fn run_as_it_is(sql: &str, access: Access, args: &[(Oid, Value)]) -> Rows {
    let text = CString::new(sql).expect("SQL text has no NUL byte");
    let mut types: Vec<Oid> = args.iter().map(|(oid, _)| *oid).collect();
    let values: Vec<Value> = args.iter().map(|(_, value)| *value).collect();
    // SAFETY: as in Statement::run; the plan is freed after its only use.
    named::reading(&text, || unsafe {
        let plan = pg_sys::SPI_prepare(text.as_ptr(), types.len() as i32, types.as_mut_ptr());
        if plan.is_null() {
            pgrx::error!("could not prepare: {sql}");
        }
        let rows = execute(plan, access, &values, 0);
        pg_sys::SPI_freeplan(plan);
        rows
    })
}

/// Like [`Statement::stream`], for a statement that is run once.
pub fn stream_once(sql: &str, args: &[(Oid, Value)], each: impl FnMut(&Rows) -> bool) {
    let types: Vec<Oid> = args.iter().map(|(oid, _)| *oid).collect();
    let values: Vec<Value> = args.iter().map(|(_, value)| *value).collect();
    Statement::new(sql, &types).stream(&values, each);
}
