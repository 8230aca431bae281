//! The key of a row, as text and as a JSON object.

use super::shape::Shape;
use crate::json::text;
use crate::postgres::key_type::KeyType;
use crate::postgres::spi::Rows;

/// A key: the values of its columns in the types of the view, as [`crate::postgres::key_type`] writes them.
pub type Key = Box<[String]>;

/// The key in the first columns of a row, in the types of the view; None if a part of the key is NULL.
pub fn key_of(shape: &Shape, rows: &Rows, row: usize) -> Option<Key> {
    key_values(shape, rows, row, 0).into_iter().collect()
}

/// The same with parts that are NULL, beginning with column `first`, counted from 0.
pub fn key_values(shape: &Shape, rows: &Rows, row: usize, first: usize) -> Vec<Option<String>> {
    let columns = shape.key.iter().enumerate();
    columns
        .map(|(place, k)| k.values.text(&rows.value(row, first + place)))
        .collect()
}

/// A key as a JSON object. `columns`: names and types of its columns.
pub fn key_object<'k>(
    columns: impl Iterator<Item = (&'k str, &'k KeyType)>,
    values: &[Option<&str>],
) -> String {
    let mut object = Vec::new();
    for ((name, of_type), text) in columns.zip(values) {
        object.extend_from_slice(if object.is_empty() { b"{" } else { b", " });
        text::push_string(&mut object, name.as_bytes());
        object.extend_from_slice(b": ");
        match text {
            Some(text) => of_type.push_json(text, &mut object),
            None => object.extend_from_slice(b"null"),
        }
    }
    object.push(b'}');
    String::from_utf8_lossy(&object).into_owned()
}
