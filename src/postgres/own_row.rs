//! The trigger on pg_tview_definition that sees a row before it is written: what a dump brings means something else here.

use std::ffi::{CStr, CString};

use pgrx::pg_sys::{self, Datum};
use pgrx::{ereport, pg_guard, PgSqlErrorCode};

use super::memory;
use crate::catalog::restored;

/// A row on its way into a table.
pub struct OwnRow<'a> {
    data: &'a pg_sys::TriggerData,
}

impl<'a> OwnRow<'a> {
    /// Raises an ERROR if the call is none of a BEFORE ROW trigger.
    unsafe fn of(fcinfo: pg_sys::FunctionCallInfo) -> OwnRow<'a> {
        if pgrx::trigger_support::called_as_trigger(fcinfo) {
            let data = &*(*fcinfo).context.cast::<pg_sys::TriggerData>();
            let timing = data.tg_event & pg_sys::TRIGGER_EVENT_TIMINGMASK;
            if timing == pg_sys::TRIGGER_EVENT_BEFORE && data.tg_event & pg_sys::TRIGGER_EVENT_ROW != 0 {
                return OwnRow { data };
            }
        }
        ereport!(
            ERROR,
            PgSqlErrorCode::ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED,
            "can only be called by the triggers of the extension's own tables"
        );
    }

    fn tuple(&self) -> pg_sys::HeapTuple {
        match self.data.tg_event & pg_sys::TRIGGER_EVENT_OPMASK {
            pg_sys::TRIGGER_EVENT_UPDATE => self.data.tg_newtuple,
            _ => self.data.tg_trigtuple,
        }
    }

    /// The value of a column as text.
    pub fn get(&self, column: &CStr) -> Option<String> {
        // SAFETY: the trigger data of the running call holds the tuple and its description; the result is
        // null or a C string.
        unsafe {
            let descriptor = (*self.data.tg_relation).rd_att;
            let number = pg_sys::SPI_fnumber(descriptor, column.as_ptr());
            let value = pg_sys::SPI_getvalue(self.tuple(), descriptor, number);
            (!value.is_null()).then(|| memory::text_of(value))
        }
    }

    /// The row with another value in a column of type text.
    fn with(&self, column: &CStr, value: &str) -> pg_sys::HeapTuple {
        let value = CString::new(value).unwrap_or_default();
        // SAFETY: as above; the new tuple is made in the memory the trigger was called in.
        unsafe {
            let descriptor = (*self.data.tg_relation).rd_att;
            let mut number = pg_sys::SPI_fnumber(descriptor, column.as_ptr());
            let mut value = Datum::from(pg_sys::cstring_to_text(value.as_ptr()));
            let mut null = false;
            pg_sys::heap_modify_tuple_by_cols(self.tuple(), descriptor, 1, &mut number, &mut value, &mut null)
        }
    }
}

/// Tells PostgreSQL how to call [`pg_tviews_meta_added`].
#[unsafe(no_mangle)]
pub extern "C" fn pg_finfo_pg_tviews_meta_added() -> &'static pg_sys::Pg_finfo_record {
    const VERSION_1: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };
    &VERSION_1
}

/// Trigger function of pg_tview_definition; see `sql/install/triggers.sql`.
///
/// # Safety
/// Called by PostgreSQL's function manager only.
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn pg_tviews_meta_added(fcinfo: pg_sys::FunctionCallInfo) -> Datum {
    let row = OwnRow::of(fcinfo);
    let tuple = match restored::state_of_new(&row) {
        Some(state) => row.with(c"state", state),
        None => row.tuple(),
    };
    Datum::from(tuple)
}
