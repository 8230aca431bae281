//! A parameter or a result of a statement, in PostgreSQL's own representation.

use std::ffi::CStr;

use pgrx::pg_sys::{self, Datum};
use pgrx::IntoDatum;

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
    pub(in crate::postgres) fn of_datum(datum: Datum, null: bool) -> Value {
        Value { datum, null }
    }

    /// A `jsonb[]` of one element, given as JSON text in the encoding of the database.
    pub fn jsonb_array(json: &CStr) -> Value {
        // SAFETY: the input function of jsonb takes a C string, and the array is made of the one value it
        // returns.
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
    pub(in crate::postgres) fn some(datum: Datum) -> Value {
        Value { datum, null: false }
    }

    pub(in crate::postgres) fn datum(&self) -> Datum {
        self.datum
    }
}
