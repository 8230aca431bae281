//! What a row trigger returns.

use pgrx::callconv::{BoxRet, FcInfo};
use pgrx::impl_sql_translatable;
use pgrx::pg_sys::{self, Datum};

/// The result of a row trigger: a row that belongs to its call.
pub struct WrittenRow(pg_sys::HeapTuple);

impl_sql_translatable!(WrittenRow, "trigger");

impl WrittenRow {
    pub(super) fn new(tuple: pg_sys::HeapTuple) -> Self {
        Self(tuple)
    }
}

// SAFETY: a trigger returns the address of a tuple.
unsafe impl BoxRet for WrittenRow {
    unsafe fn box_into<'fcx>(self, fcinfo: &mut FcInfo<'fcx>) -> pgrx::datum::Datum<'fcx> {
        // SAFETY: the tuple is that of the running call.
        unsafe { fcinfo.return_raw_datum(Datum::from(self.0)) }
    }
}
