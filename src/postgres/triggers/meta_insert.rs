//! The trigger on pg_tview_definition that sees a row before it is written: what a dump brings means
//! something else here.

use std::ffi::{CStr, CString};

use pgrx::pg_sys::{self, Datum};

use super::call;
use super::written_row::WrittenRow;
use crate::postgres::process::memory;

/// A row that is about to be written.
pub struct MetaInsertCall<'a> {
    data: &'a pg_sys::TriggerData,
}

impl MetaInsertCall<'_> {
    /// Reads the call; raises an ERROR if it is not one of our trigger.
    pub fn of<'a>(fcinfo: pg_sys::FunctionCallInfo) -> MetaInsertCall<'a> {
        let data = call::data(
            fcinfo,
            pg_sys::TRIGGER_EVENT_ROW | pg_sys::TRIGGER_EVENT_TIMINGMASK,
            pg_sys::TRIGGER_EVENT_ROW | pg_sys::TRIGGER_EVENT_BEFORE,
            "pg_tviews_meta_added() can only be called by the trigger of pg_tview_definition",
        );
        MetaInsertCall { data }
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

    /// What the trigger returns: the row as it is, or with another value in a column of type text.
    pub fn written(&self, column: &CStr, value: Option<&str>) -> WrittenRow {
        let Some(value) = value else {
            return WrittenRow::new(self.tuple());
        };
        let value = CString::new(value).unwrap_or_default();
        // SAFETY: as above; the new tuple is made in the memory the trigger was called in.
        WrittenRow::new(unsafe {
            let descriptor = (*self.data.tg_relation).rd_att;
            let mut number = pg_sys::SPI_fnumber(descriptor, column.as_ptr());
            let mut value = Datum::from(pg_sys::cstring_to_text(value.as_ptr()));
            let mut null = false;
            pg_sys::heap_modify_tuple_by_cols(
                self.tuple(),
                descriptor,
                1,
                &raw mut number,
                &raw mut value,
                &raw mut null,
            )
        })
    }
}
