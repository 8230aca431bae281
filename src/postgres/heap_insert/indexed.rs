//! Entries of inserted rows in indexes that a user has added to the table.

use pgrx::pg_sys;
use pgrx::pg_sys::ffi::pg_guard_ffi_boundary;

use crate::postgres::versions::index_insert;

/// As in the parent, one error guard for many calls.
mod raw {
    use pgrx::pg_sys::{self, EState, Relation, ResultRelInfo, TupleTableSlot};

    #[allow(improper_ctypes)]
    extern "C-unwind" {
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
        pub fn ExecStoreHeapTuple(
            tuple: pg_sys::HeapTuple,
            slot: *mut TupleTableSlot,
            free: bool,
        ) -> *mut TupleTableSlot;
        pub fn ExecOpenIndices(result: *mut ResultRelInfo, speculative: bool);
        pub fn ExecCloseIndices(result: *mut ResultRelInfo);
    }
}

/// The open indexes of a table. An executor state owns the memory, and is needed for indexes on expressions.
pub struct Indexed {
    executor: *mut pg_sys::EState,
    result: *mut pg_sys::ResultRelInfo,
    slot: *mut pg_sys::TupleTableSlot,
    row_context: pg_sys::MemoryContext,
}

impl Indexed {
    /// # Safety
    /// An open table, which stays open longer than this.
    pub unsafe fn open(relation: pg_sys::Relation) -> Self {
        // SAFETY: what is allocated belongs to the executor state, which is freed by `close` or by the end of
        // the transaction.
        unsafe {
            pg_guard_ffi_boundary(|| {
                let executor = raw::CreateExecutorState();
                let outer_context = pg_sys::MemoryContextSwitchTo((*executor).es_query_cxt);
                let result = raw::palloc0(size_of::<pg_sys::ResultRelInfo>()).cast::<pg_sys::ResultRelInfo>();
                (*result).type_ = pg_sys::NodeTag::T_ResultRelInfo;
                raw::InitResultRelInfo(result, relation, 1, std::ptr::null_mut(), 0);
                raw::ExecOpenIndices(result, false);
                let slot =
                    raw::MakeSingleTupleTableSlot((*relation).rd_att, &raw const pg_sys::TTSOpsHeapTuple);
                let per_tuple = raw::MakePerTupleExprContext(executor);
                pg_sys::MemoryContextSwitchTo(outer_context);
                Indexed {
                    executor,
                    result,
                    slot,
                    row_context: (*per_tuple).ecxt_per_tuple_memory,
                }
            })
        }
    }

    /// Adds the entries of a row.
    ///
    /// # Safety
    /// A row that has just been inserted into the table; inside a guard.
    pub unsafe fn add(&self, tuple: pg_sys::HeapTuple) {
        // SAFETY: the slot is of the row type of the table, and empty before and after.
        unsafe {
            let outer_context = pg_sys::MemoryContextSwitchTo(self.row_context);
            raw::ExecStoreHeapTuple(tuple, self.slot, false);
            index_insert::insert(self.result, self.slot, self.executor);
            if let Some(clear) = (*(*self.slot).tts_ops).clear {
                clear(self.slot);
            }
            pg_sys::MemoryContextSwitchTo(outer_context);
            raw::MemoryContextReset(self.row_context);
        }
    }

    /// # Safety
    /// The table is still open; inside a guard.
    pub unsafe fn close(self) {
        // SAFETY: all of it was opened by `open`, and is not used again.
        unsafe {
            raw::ExecCloseIndices(self.result);
            raw::ExecDropSingleTupleTableSlot(self.slot);
            raw::FreeExecutorState(self.executor);
        }
    }
}
