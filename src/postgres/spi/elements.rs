//! The elements of an array that a statement returned.

use pgrx::pg_sys::{self, Datum};

use super::value::Value;

/// The elements of an array of one dimension, in PostgreSQL's own representation. Valid until the session
/// that produced the array ends.
pub struct Elements {
    values: *mut Datum,
    nulls: *mut bool,
    length: usize,
}

impl Elements {
    /// None for NULL, which stands for no elements in what aggregates return.
    pub fn of(array: &Value) -> Option<Elements> {
        if array.is_null() {
            return None;
        }
        let (mut values, mut nulls, mut number) = (std::ptr::null_mut(), std::ptr::null_mut(), 0);
        let (mut length, mut by_value, mut align) = (0, false, 0);
        // SAFETY: callers pass the value of an array column. It says itself what its elements are. They stay in the
        // array, and the two lists in the memory of the session.
        unsafe {
            let array = pg_sys::pg_detoast_datum(array.datum().cast_mut_ptr()).cast::<pg_sys::ArrayType>();
            let element = (*array).elemtype;
            pg_sys::get_typlenbyvalalign(element, &mut length, &mut by_value, &mut align);
            pg_sys::deconstruct_array(
                array,
                element,
                length.into(),
                by_value,
                align,
                &mut values,
                &mut nulls,
                &mut number,
            );
        }
        Some(Elements {
            values,
            nulls,
            length: number as usize,
        })
    }

    pub fn number(&self) -> usize {
        self.length
    }

    /// The element at a place, counted from 0.
    pub fn get(&self, place: usize) -> Value {
        assert!(place < self.length);
        // SAFETY: both lists have as many entries as there are elements.
        unsafe { Value::of_datum(*self.values.add(place), *self.nulls.add(place)) }
    }
}
