//! The row trigger of the view pg_tview_meta, which runs instead of the write.

use std::ffi::CStr;

use pgrx::datum::Interval;
use pgrx::pg_sys::{self, Datum, Oid};
use pgrx::FromDatum;

use super::call;
use super::written_row::WrittenRow;
use crate::postgres::process::memory;
use crate::postgres::spi::Value;
use crate::postgres::versions::attributes::attributes;

extern "C-unwind" {
    fn datum_image_eq(left: Datum, right: Datum, by_value: bool, length: std::ffi::c_int) -> bool;
}

/// What a statement does to the view.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operation {
    Insert,
    Update,
    Delete,
}

/// A row that a statement writes to the view.
pub struct MetaUpdateCall<'a> {
    data: &'a pg_sys::TriggerData,
}

impl MetaUpdateCall<'_> {
    /// Reads the call; raises an ERROR if it is not one of our trigger.
    pub fn of<'a>(fcinfo: pg_sys::FunctionCallInfo) -> MetaUpdateCall<'a> {
        let data = call::data(
            fcinfo,
            pg_sys::TRIGGER_EVENT_ROW | pg_sys::TRIGGER_EVENT_TIMINGMASK,
            pg_sys::TRIGGER_EVENT_ROW | pg_sys::TRIGGER_EVENT_INSTEAD,
            "pg_tviews_meta_written() can only be called by the trigger of pg_tview_meta",
        );
        MetaUpdateCall { data }
    }

    pub fn operation(&self) -> Operation {
        match self.data.tg_event & pg_sys::TRIGGER_EVENT_OPMASK {
            pg_sys::TRIGGER_EVENT_INSERT => Operation::Insert,
            pg_sys::TRIGGER_EVENT_UPDATE => Operation::Update,
            _ => Operation::Delete,
        }
    }

    /// The row as the statement would write it, or the row that it deletes.
    fn new_tuple(&self) -> pg_sys::HeapTuple {
        match self.operation() {
            Operation::Update => self.data.tg_newtuple,
            Operation::Insert | Operation::Delete => self.data.tg_trigtuple,
        }
    }

    pub fn tview(&self) -> Option<Oid> {
        self.get(c"tview_oid")
    }

    pub fn max_latency(&self) -> Option<Interval> {
        self.get(c"max_latency")
    }

    pub fn throttle_lag(&self) -> Option<Interval> {
        self.get(c"throttle_lag")
    }

    pub fn feed(&self) -> Option<bool> {
        self.get(c"feed")
    }

    pub fn refresh_group(&self) -> Option<String> {
        self.get(c"refresh_group")
    }

    pub fn fk_columns(&self) -> Option<Vec<Option<String>>> {
        self.get(c"fk_columns")
    }

    /// `T`: the type the column has in the extension's script.
    fn get<T: FromDatum>(&self, column: &CStr) -> Option<T> {
        // SAFETY: the tuple and its description live as long as the call.
        unsafe {
            let descriptor = (*self.data.tg_relation).rd_att;
            let number = pg_sys::SPI_fnumber(descriptor, column.as_ptr());
            let mut null = false;
            let tuple = self.new_tuple();
            // Elements of an array take more in Rust.
            memory::room(3 * (*tuple).t_len as usize);
            let datum = pg_sys::SPI_getbinval(tuple, descriptor, number, &mut null);
            T::from_datum(datum, null)
        }
    }

    /// The values of all columns in order, with their types.
    pub fn values(&self) -> Vec<(Oid, Value)> {
        let typed = |(attribute, (datum, null)): (&pg_sys::FormData_pg_attribute, (Datum, bool))| {
            (attribute.atttypid, Value::of_datum(datum, null))
        };
        let values = self.datums(self.new_tuple());
        self.attributes().iter().zip(values).map(typed).collect()
    }

    /// The names of the columns that an update changes.
    pub fn changed(&self) -> Vec<String> {
        let old = self.datums(self.data.tg_trigtuple);
        let new = self.datums(self.data.tg_newtuple);
        let differ = |attribute: &pg_sys::FormData_pg_attribute, old: (Datum, bool), new: (Datum, bool)| {
            // SAFETY: both are values of this column.
            old.1 != new.1
                || !old.1
                    && unsafe { !datum_image_eq(old.0, new.0, attribute.attbyval, attribute.attlen.into()) }
        };
        let columns = self.attributes().iter().zip(old.into_iter().zip(new));
        columns
            .filter(|(attribute, (old, new))| differ(attribute, *old, *new))
            // SAFETY: a name ends in a NUL byte.
            .map(|(attribute, _)| unsafe { CStr::from_ptr(attribute.attname.data.as_ptr()) })
            .map(|name| name.to_string_lossy().into_owned())
            .collect()
    }

    fn attributes(&self) -> &[pg_sys::FormData_pg_attribute] {
        // SAFETY: the relation stays open for the call; its description has `natts` attributes. Views lose no
        // columns.
        unsafe { attributes((*self.data.tg_relation).rd_att) }
    }

    fn datums(&self, tuple: pg_sys::HeapTuple) -> Vec<(Datum, bool)> {
        // SAFETY: a tuple of the trigger's relation.
        let value = |number: i32| unsafe {
            let mut null = false;
            let datum = pg_sys::SPI_getbinval(tuple, (*self.data.tg_relation).rd_att, number, &mut null);
            (datum, null)
        };
        (1..=self.attributes().len() as i32).map(value).collect()
    }

    /// What the trigger returns: the statement counts the row as written.
    pub fn written(&self) -> WrittenRow {
        WrittenRow::new(self.new_tuple())
    }
}
