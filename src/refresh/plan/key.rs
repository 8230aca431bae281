//! The key of a row, as text.

use super::recompute_sql::Shape;
use crate::postgres::spi::Rows;

/// A key: the values of its columns in the types of the view, as [`crate::postgres::key_type`] writes them.
pub type Key = Box<[String]>;

/// The key in a row, whose first columns are in the types of the view; None if a part of it is NULL.
pub fn key_of(shape: &Shape, rows: &Rows, row: usize) -> Option<Key> {
    key_values(shape, rows, row, 0).into_iter().collect()
}

/// The same with the parts that are NULL, where the key begins with this column, counted from 0.
pub fn key_values(shape: &Shape, rows: &Rows, row: usize, first: usize) -> Vec<Option<String>> {
    let columns = shape.key.iter().enumerate();
    columns
        .map(|(place, k)| k.values.text(&rows.value(row, first + place)))
        .collect()
}
