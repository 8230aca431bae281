//! The JSON document that a row becomes.

use super::columns::Column;
use crate::postgres::quote;

/// One document of a view's columns without surrogate keys (`pk_*`).
pub fn document(view: &[Column]) -> String {
    let pairs: Vec<String> = view
        .iter()
        .filter(|column| !column.name.starts_with("pk_"))
        .map(|column| {
            format!(
                "{}, v.{}",
                quote::literal(&column.name),
                quote::identifier(&column.name)
            )
        })
        .collect();
    json_object(&pairs)
}

/// `jsonb_build_object` for any number of pairs: a function takes at most 100 arguments.
pub fn json_object(pairs: &[String]) -> String {
    if pairs.is_empty() {
        return "'{}'::jsonb".to_string();
    }
    let parts: Vec<String> = pairs
        .chunks(50)
        .map(|chunk| format!("jsonb_build_object({})", chunk.join(", ")))
        .collect();
    parts.join(" || ")
}
