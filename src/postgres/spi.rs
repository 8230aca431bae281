//! SQL from inside the server: statements prepared once and kept, parameters as values, results by column.

use std::cell::Cell;
use std::ffi::{CStr, CString};

use pgrx::pg_sys::{self, Datum, Oid};
use pgrx::{FromDatum, IntoDatum};

use super::process::memory;
use super::{named, run_as};

/// What a statement sees.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// The active snapshot as it is; it must not write.
    Snapshot,
    /// What the commands before it did, too (and at READ COMMITTED what others have committed); it may write.
    Current,
}

/// A parameter or a result that stays in PostgreSQL's own representation. Valid until the session that
/// produced it ends.
#[derive(Clone, Copy)]
pub struct Value {
    datum: Datum,
    null: bool,
}

impl Value {
    pub const NULL: Value = Value {
        datum: Datum::null(),
        null: true,
    };

    /// The value of a Rust type that has a PostgreSQL form.
    pub fn of<T: IntoDatum>(value: T) -> Value {
        match value.into_datum() {
            Some(datum) => Value { datum, null: false },
            None => Value::NULL,
        }
    }

    /// A datum as it is.
    pub(super) fn of_datum(datum: Datum, null: bool) -> Value {
        Value { datum, null }
    }

    /// A `jsonb[]` of one element, given as JSON text in the encoding of the database.
    pub fn jsonb_array(json: &CStr) -> Value {
        // SAFETY: the input function of jsonb takes a C string, and the array is made of the one value it returns.
        unsafe {
            let text = Some(Datum::from(json.as_ptr()));
            let Some(mut element) = pgrx::direct_function_call_as_datum(pg_sys::jsonb_in, &[text]) else {
                return Value::NULL;
            };
            let array = pg_sys::construct_array(&mut element, 1, pg_sys::JSONBOID, -1, false, b'i' as _);
            Value {
                datum: Datum::from(array),
                null: false,
            }
        }
    }

    pub fn is_null(&self) -> bool {
        self.null
    }

    /// A value that is not NULL, in the current memory context.
    pub(super) fn some(datum: Datum) -> Value {
        Value { datum, null: false }
    }

    pub(super) fn datum(&self) -> Datum {
        self.datum
    }
}

/// Runs `body` with an SPI connection; results obtained inside are freed when it ends. Statements mean the same in every
/// session: names, functions and operators are those of pg_catalog.
pub fn session<R>(body: impl FnOnce() -> R) -> R {
    run_as::pinned(|| connected(body))
}

/// Runs a statement of the user's, who has written a part of it: under the search_path and the settings of the session.
pub fn run_for_user(sql: &str) {
    connected(|| run_as_it_is(sql, Access::Current, &[]));
}

fn connected<R>(body: impl FnOnce() -> R) -> R {
    // SAFETY: connect and finish are balanced; an ERROR in between aborts the (sub)transaction, which pops
    // the connection itself.
    unsafe {
        pg_sys::SPI_connect();
        let result = body();
        pg_sys::SPI_finish();
        result
    }
}

/// Rows that are in memory at a time while a result is streamed.
const FETCHED: std::ffi::c_long = 1_000;

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

    /// Runs it inside a [`session`]; `limit` 0 means all rows.
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

    /// What the prepared statement takes in memory: bytes.
    pub fn memory(&self) -> usize {
        if self.plan.get().is_null() {
            return 0;
        }
        // SAFETY: the plan was kept by us: its sources, their contexts and those of their generic plans are there.
        unsafe {
            let sources = pg_sys::SPI_plan_get_plan_sources(self.plan.get());
            let number = if sources.is_null() { 0 } else { (*sources).length };
            (0..number)
                .map(|n| {
                    let source = pg_sys::list_nth(sources, n).cast::<pg_sys::CachedPlanSource>();
                    let generic = (*source).gplan;
                    let of_generic = match generic.is_null() {
                        true => 0,
                        false => pg_sys::MemoryContextMemAllocated((*generic).context, true),
                    };
                    pg_sys::MemoryContextMemAllocated((*source).context, true) + of_generic
                })
                .sum()
        }
    }

    /// Runs it inside a [`session`] under the active snapshot; `each` gets the rows in portions, which are freed then, until it
    /// returns false.
    pub fn stream(&self, args: &[Value], each: impl FnMut(&Rows) -> bool) {
        assert_eq!(args.len(), self.types.len(), "parameters of {}", self.sql());
        // SAFETY: as in `run_as_it_is`.
        run_as::pinned(|| named::reading(&self.sql, || unsafe { stream(self.prepared(), args, each) }))
    }
}

/// The same for a statement that is run once.
pub fn stream_once(sql: &str, args: &[(Oid, Value)], each: impl FnMut(&Rows) -> bool) {
    let types: Vec<Oid> = args.iter().map(|(oid, _)| *oid).collect();
    let values: Vec<Value> = args.iter().map(|(_, value)| *value).collect();
    Statement::new(sql, &types).stream(&values, each);
}

/// # Safety
/// Inside an SPI connection, with a plan of one query that returns rows and takes `args.len()` parameters.
unsafe fn stream(plan: pg_sys::SPIPlanPtr, args: &[Value], mut each: impl FnMut(&Rows) -> bool) {
    let (mut datums, nulls) = datums(args);
    let portal = pg_sys::SPI_cursor_open(std::ptr::null(), plan, datums.as_mut_ptr(), nulls.as_ptr(), true);
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

fn datums(args: &[Value]) -> (Vec<Datum>, Vec<std::ffi::c_char>) {
    let null = |arg: &Value| if arg.null { b'n' } else { b' ' } as std::ffi::c_char;
    (
        args.iter().map(|arg| arg.datum).collect(),
        args.iter().map(null).collect(),
    )
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

fn run_as_it_is(sql: &str, access: Access, args: &[(Oid, Value)]) -> Rows {
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

thread_local! {
    static FIXED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work`, whose statements see the active snapshot also where they write, and what the commands before them did:
/// nothing that others commit meanwhile.
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

/// # Safety
/// Inside an SPI connection, with a plan that takes `args.len()` parameters.
unsafe fn execute(plan: pg_sys::SPIPlanPtr, access: Access, args: &[Value], limit: i64) -> Rows {
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
            limit as std::ffi::c_long,
        )
    } else {
        pg_sys::SPI_execute_plan(
            plan,
            datums.as_mut_ptr(),
            nulls.as_ptr(),
            access == Access::Snapshot,
            limit as std::ffi::c_long,
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

/// What a statement returned.
pub struct Rows {
    table: *mut pg_sys::SPITupleTable,
    processed: u64,
}

impl Rows {
    /// Rows returned, or rows written by a statement that returns none.
    pub fn len(&self) -> usize {
        self.processed as usize
    }

    pub fn is_empty(&self) -> bool {
        self.processed == 0
    }

    /// The value in a row and column, both counted from 0.
    pub fn value(&self, row: usize, column: usize) -> Value {
        assert!(row < self.len() && !self.table.is_null());
        // SAFETY: the tuple table holds `processed` tuples; it lives until the session ends, as values do.
        unsafe {
            let tuple = *(*self.table).vals.add(row);
            let mut null = false;
            let datum = pg_sys::SPI_getbinval(tuple, (*self.table).tupdesc, column as i32 + 1, &mut null);
            Value { datum, null }
        }
    }

    /// The value in a row and column as a Rust value; None for NULL. An ERROR if there is no room for the copy.
    pub fn get<T: FromDatum>(&self, row: usize, column: usize) -> Option<T> {
        let value = self.value(row, column);
        memory::room(self.copied(&value, column));
        // SAFETY: callers ask for the type the statement's text returns.
        unsafe { T::from_datum(value.datum, value.null) }
    }

    /// Bytes that a copy of a value may ask for at once: of an array, whose elements take more than in PostgreSQL.
    fn copied(&self, value: &Value, column: usize) -> usize {
        // SAFETY: the value stands in this column of the tuple table.
        unsafe {
            let attributes = (*(*self.table).tupdesc).attrs.as_slice(column + 1);
            match attributes[column].attlen {
                -1 if !value.null => 3 * pg_sys::toast_raw_datum_size(value.datum),
                _ => 0,
            }
        }
    }

    /// The value of the only row; None without a row or for NULL.
    pub fn one<T: FromDatum>(&self) -> Option<T> {
        if self.is_empty() {
            None
        } else {
            self.get(0, 0)
        }
    }
}
