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
    key_texts(shape, rows, row, first).collect()
}

/// The same, one after the other.
pub fn key_texts<'a>(
    shape: &'a Shape,
    rows: &'a Rows,
    row: usize,
    first: usize,
) -> impl Iterator<Item = Option<String>> + 'a {
    let columns = shape.key.iter().enumerate();
    columns.map(move |(place, k)| k.values.text(&rows.value(row, first + place)))
}

/// A key as a JSON object. `columns`: names and types of its columns.
pub fn key_object<'k>(
    columns: impl Iterator<Item = (&'k str, &'k KeyType)>,
    values: &[Option<&str>],
) -> String {
    let mut object = Vec::new();
    push_key_object(&mut object, columns, values.iter().copied());
    String::from_utf8_lossy(&object).into_owned()
}

/// Adds the same to a text.
pub fn push_key_object<'k, T: AsRef<str>>(
    json: &mut Vec<u8>,
    columns: impl Iterator<Item = (&'k str, &'k KeyType)>,
    values: impl Iterator<Item = Option<T>>,
) {
    json.push(b'{');
    for (place, ((name, of_type), text)) in columns.zip(values).enumerate() {
        if place > 0 {
            json.extend_from_slice(b", ");
        }
        text::push_string(json, name.as_bytes());
        json.extend_from_slice(b": ");
        match text {
            Some(text) => of_type.push_json(text.as_ref(), json),
            None => json.extend_from_slice(b"null"),
        }
    }
    json.push(b'}');
}
