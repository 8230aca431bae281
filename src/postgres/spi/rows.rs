//! What a statement returned.

use pgrx::pg_sys;
use pgrx::FromDatum;

use super::value::Value;
use crate::postgres::process::memory;
use crate::postgres::versions::attributes::attributes;

/// What a statement returned.
pub struct Rows {
    pub(super) table: *mut pg_sys::SPITupleTable,
    pub(super) processed: u64,
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
            Value::of_datum(datum, null)
        }
    }

    /// The value in a row and column as a Rust value; None for NULL. Raises an ERROR if there is no memory
    /// for the copy.
    pub fn get<T: FromDatum>(&self, row: usize, column: usize) -> Option<T> {
        let value = self.value(row, column);
        memory::room(self.copied(&value, column));
        // SAFETY: callers ask for the type the statement's text returns.
        unsafe { T::from_datum(value.datum(), value.is_null()) }
    }

    /// Bytes that a copy of a value may allocate; elements of an array take more in Rust than in PostgreSQL.
    fn copied(&self, value: &Value, column: usize) -> usize {
        // SAFETY: the value stands in this column of the tuple table.
        unsafe {
            match attributes((*self.table).tupdesc)[column].attlen {
                -1 if !value.is_null() => 3 * pg_sys::toast_raw_datum_size(value.datum()),
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
