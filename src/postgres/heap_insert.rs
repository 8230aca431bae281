//! Rows straight into a table of the extension: no SPI, no planner, no permission, read-only or row security
//! check. The writer's role and settings do not matter to its bookkeeping.

use pgrx::pg_sys::{self, Datum, Oid};

use super::jsonb;

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

/// Full id of the top-level transaction, assigned if it has none yet.
pub fn top_transaction_id() -> u64 {
    // SAFETY: callers are inside a transaction that may write.
    unsafe { pg_sys::GetTopFullTransactionId().value }
}

/// The wall clock, in PostgreSQL's microseconds.
pub fn clock() -> i64 {
    // SAFETY: reads the clock.
    unsafe { pg_sys::GetCurrentTimestamp() }
}

/// Inserts rows of as many values as `table` has columns, in their order. False: there is no such table (any
/// more), or it has another shape, as in the middle of DROP EXTENSION.
pub fn insert<const COLUMNS: usize>(
    table: Oid,
    rows: impl IntoIterator<Item = impl FnOnce(&mut dyn FnMut([Value; COLUMNS]))>,
) -> bool {
    // SAFETY: the relation is open and locked while `Table` lives; everything allocated belongs to its
    // executor state or, after an error, to the transaction that ends.
    unsafe {
        let Some(table) = Table::open(table, COLUMNS) else {
            return false;
        };
        for row in rows {
            row(&mut |values| table.insert(&values));
        }
        table.close();
    }
    true
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
    /// An executor state owns the memory, and lets indexes on expressions work if someone adds one.
    unsafe fn open(table: Oid, columns: usize) -> Option<Self> {
        let relation = pg_sys::try_table_open(table, pg_sys::RowExclusiveLock as pg_sys::LOCKMODE);
        if relation.is_null() {
            return None;
        }
        if (*(*relation).rd_att).natts as usize != columns {
            pg_sys::table_close(relation, pg_sys::NoLock as pg_sys::LOCKMODE);
            return None;
        }
        let executor = pg_sys::CreateExecutorState();
        let outer_context = pg_sys::MemoryContextSwitchTo((*executor).es_query_cxt);
        let result = pg_sys::palloc0(size_of::<pg_sys::ResultRelInfo>()).cast::<pg_sys::ResultRelInfo>();
        (*result).type_ = pg_sys::NodeTag::T_ResultRelInfo;
        pg_sys::InitResultRelInfo(result, relation, 1, std::ptr::null_mut(), 0);
        pg_sys::ExecOpenIndices(result, false);
        let slot = pg_sys::MakeSingleTupleTableSlot((*relation).rd_att, &raw const pg_sys::TTSOpsVirtual);
        let per_tuple = pg_sys::MakePerTupleExprContext(executor);
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

    unsafe fn insert(&self, values: &[Value]) {
        let previous = pg_sys::MemoryContextSwitchTo(self.row_context);
        pg_sys::ExecClearTuple(self.slot);
        for (index, value) in values.iter().enumerate() {
            *(*self.slot).tts_isnull.add(index) = matches!(value, Value::Null);
            *(*self.slot).tts_values.add(index) = datum(value);
        }
        pg_sys::ExecStoreVirtualTuple(self.slot);
        pg_sys::simple_table_tuple_insert(self.relation, self.slot);
        if (*self.result).ri_NumIndices > 0 {
            pg_sys::ExecInsertIndexTuples(
                self.result,
                self.slot,
                self.executor,
                false,
                false,
                std::ptr::null_mut(),
                std::ptr::null_mut(),
            );
        }
        pg_sys::ExecClearTuple(self.slot);
        pg_sys::MemoryContextSwitchTo(previous);
        pg_sys::MemoryContextReset(self.row_context);
    }

    unsafe fn close(self) {
        pg_sys::ExecCloseIndices(self.result);
        pg_sys::ExecDropSingleTupleTableSlot(self.slot);
        pg_sys::MemoryContextSwitchTo(self.outer_context);
        pg_sys::FreeExecutorState(self.executor);
        pg_sys::table_close(self.relation, pg_sys::NoLock as pg_sys::LOCKMODE);
    }
}

unsafe fn datum(value: &Value) -> Datum {
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
