//! Inserts rows into a table of the extension without SPI and planner, and without checks of permissions,
//! read-only transactions and row security: the role and the settings of the session that changes a source
//! must not matter.

use std::ffi::CStr;

use pgrx::pg_sys::ffi::pg_guard_ffi_boundary;
use pgrx::pg_sys::{self, Datum, Oid};
use pgrx::PgSqlErrorCode;

use super::jsonb;
use super::versions::attributes::attributes;
use super::versions::index_insert;
use crate::error::Problem;

/// A column value of a row to insert.
pub enum Value<'a> {
    Null,
    Oid(Oid),
    /// Text in the encoding of the database.
    Text(&'a str),
    /// JSON text to be stored as `jsonb`.
    Jsonb(&'a [u8]),
    Xid8(u64),
    Timestamp(i64),
}

/// Inserts rows with values for these columns; others are NULL. False: there is no such table any more, as in
/// the middle of DROP EXTENSION. Raises an ERROR if a column is missing.
pub fn insert<'a, const COLUMNS: usize>(
    table: Oid,
    names: &[&CStr; COLUMNS],
    rows: impl IntoIterator<Item = [Value<'a>; COLUMNS]>,
) -> bool {
    // SAFETY: the relation is open and locked while `Table` lives; everything allocated belongs to its
    // executor state or, after an error, to the transaction that ends. What is guarded as one owns nothing.
    unsafe {
        let Some(table) = pg_guard_ffi_boundary(|| Table::open(table)) else {
            return false;
        };
        let places = names.map(|name| table.place(name));
        for row in rows {
            let previous = pg_sys::MemoryContextSwitchTo(table.row_context);
            let columns = row
                .each_ref()
                .map(|value| (datum(value), matches!(value, Value::Null)));
            pg_guard_ffi_boundary(|| table.insert(&places, &columns));
            pg_sys::MemoryContextSwitchTo(previous);
        }
        pg_guard_ffi_boundary(|| table.close());
    }
    true
}

/// Functions of PostgreSQL, declared here because each of pgrx's declarations converts errors separately,
/// which would take a twentieth of the time of a row.
mod raw {
    use pgrx::pg_sys::{self, EState, Oid, Relation, ResultRelInfo, TupleTableSlot};

    #[allow(improper_ctypes)]
    extern "C-unwind" {
        pub fn try_table_open(table: Oid, lock: pg_sys::LOCKMODE) -> Relation;
        pub fn table_close(relation: Relation, lock: pg_sys::LOCKMODE);
        pub fn palloc0(size: usize) -> *mut std::ffi::c_void;
        pub fn MemoryContextReset(context: pg_sys::MemoryContext);
        pub fn CreateExecutorState() -> *mut EState;
        pub fn FreeExecutorState(executor: *mut EState);
        pub fn MakePerTupleExprContext(executor: *mut EState) -> *mut pg_sys::ExprContext;
        pub fn InitResultRelInfo(
            result: *mut ResultRelInfo,
            relation: Relation,
            index: pg_sys::Index,
            root: *mut ResultRelInfo,
            options: i32,
        );
        pub fn MakeSingleTupleTableSlot(
            descriptor: pg_sys::TupleDesc,
            kind: *const pg_sys::TupleTableSlotOps,
        ) -> *mut TupleTableSlot;
        pub fn ExecDropSingleTupleTableSlot(slot: *mut TupleTableSlot);
        pub fn ExecStoreVirtualTuple(slot: *mut TupleTableSlot) -> *mut TupleTableSlot;
        pub fn simple_table_tuple_insert(relation: Relation, slot: *mut TupleTableSlot);
        pub fn ExecOpenIndices(result: *mut ResultRelInfo, speculative: bool);
        pub fn ExecCloseIndices(result: *mut ResultRelInfo);
    }
}

struct Table {
    relation: pg_sys::Relation,
    executor: *mut pg_sys::EState,
    result: *mut pg_sys::ResultRelInfo,
    slot: *mut pg_sys::TupleTableSlot,
    row_context: pg_sys::MemoryContext,
    outer_context: pg_sys::MemoryContext,
}

impl Table {
    /// An executor state owns the memory, and is needed for indexes on expressions, if a user adds one.
    unsafe fn open(table: Oid) -> Option<Self> {
        // SAFETY: what is allocated belongs to the executor state, which is freed with the table or by the
        // end of the transaction.
        unsafe {
            let relation = raw::try_table_open(table, pg_sys::RowExclusiveLock as pg_sys::LOCKMODE);
            if relation.is_null() {
                return None;
            }
            let executor = raw::CreateExecutorState();
            let outer_context = pg_sys::MemoryContextSwitchTo((*executor).es_query_cxt);
            let result = raw::palloc0(size_of::<pg_sys::ResultRelInfo>()).cast::<pg_sys::ResultRelInfo>();
            (*result).type_ = pg_sys::NodeTag::T_ResultRelInfo;
            raw::InitResultRelInfo(result, relation, 1, std::ptr::null_mut(), 0);
            raw::ExecOpenIndices(result, false);
            let slot = raw::MakeSingleTupleTableSlot((*relation).rd_att, &raw const pg_sys::TTSOpsVirtual);
            let per_tuple = raw::MakePerTupleExprContext(executor);
            let row_context = (*per_tuple).ecxt_per_tuple_memory;
            Some(Table {
                relation,
                executor,
                result,
                slot,
                row_context,
                outer_context,
            })
        }
    }

    /// The index of a column. Its number may differ from the one the table was created with.
    unsafe fn place(&self, name: &CStr) -> usize {
        // SAFETY: the relation is open; its descriptor has `natts` attributes with NUL-terminated names.
        unsafe {
            let descriptor = (*self.relation).rd_att;
            let columns = attributes(descriptor);
            let is_named = |column: &pg_sys::FormData_pg_attribute| {
                !column.attisdropped && CStr::from_ptr(column.attname.data.as_ptr()) == name
            };
            columns.iter().position(is_named).unwrap_or_else(|| {
                Problem::new(
                    PgSqlErrorCode::ERRCODE_UNDEFINED_COLUMN,
                    format!("a table of pg_tviews has lost its column {name:?}"),
                )
                .hint("Run DROP EXTENSION pg_tviews CASCADE; and create the extension and its TVIEWs again.")
                .raise()
            })
        }
    }

    /// Inserts one row: of each column the value, and whether it is null. The slot is empty before and after.
    unsafe fn insert(&self, places: &[usize], columns: &[(Datum, bool)]) {
        // SAFETY: the slot has a value and a flag for each attribute of the open relation; `places` are
        // indexes of these.
        unsafe {
            for index in 0..(*(*self.relation).rd_att).natts as usize {
                *(*self.slot).tts_isnull.add(index) = true;
            }
            for (index, (value, is_null)) in places.iter().zip(columns) {
                *(*self.slot).tts_values.add(*index) = *value;
                *(*self.slot).tts_isnull.add(*index) = *is_null;
            }
            raw::ExecStoreVirtualTuple(self.slot);
            raw::simple_table_tuple_insert(self.relation, self.slot);
            if (*self.result).ri_NumIndices > 0 {
                index_insert::insert(self.result, self.slot, self.executor);
            }
            if let Some(clear) = (*(*self.slot).tts_ops).clear {
                clear(self.slot);
            }
            raw::MemoryContextReset(self.row_context);
        }
    }

    unsafe fn close(&self) {
        // SAFETY: all of it was opened by `open`, and is not used again.
        unsafe {
            raw::ExecCloseIndices(self.result);
            raw::ExecDropSingleTupleTableSlot(self.slot);
            pg_sys::MemoryContextSwitchTo(self.outer_context);
            raw::FreeExecutorState(self.executor);
            raw::table_close(self.relation, pg_sys::NoLock as pg_sys::LOCKMODE);
        }
    }
}

unsafe fn datum(value: &Value) -> Datum {
    // SAFETY: the texts are read within their lengths and copied.
    unsafe {
        match value {
            Value::Null => Datum::from(0),
            Value::Oid(oid) => Datum::from(*oid),
            Value::Xid8(xid) => Datum::from(*xid),
            Value::Timestamp(microseconds) => Datum::from(*microseconds),
            Value::Text(text) => Datum::from(pg_sys::cstring_to_text_with_len(
                text.as_ptr().cast(),
                text.len() as i32,
            )),
            Value::Jsonb(json) => jsonb::from_text(json),
        }
    }
}
