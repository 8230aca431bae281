//! The query of the backing view that auto-conversion creates for a table without a view.

use super::conversion_plan::key;
use crate::catalog::columns::{self, Column};
use crate::catalog::document::json_object;
use crate::catalog::entity::Entity;
use crate::postgres::quote;

/// Selects the key, `id`, `fk_*` columns, and a document of the row without surrogate keys.
pub fn query(entity: &Entity) -> String {
    let base = entity.find(&entity.base_table());
    let columns: Vec<Column> = base.map(columns::of).unwrap_or_default();
    let key = entity
        .find(&entity.table())
        .and_then(|table| key(entity, table, base))
        .unwrap_or_default();
    let picked: Vec<String> = columns
        .iter()
        .filter(|c| key.contains(&c.name) || c.name == "id" || c.name.starts_with("fk_"))
        .map(|c| format!("b.{}", quote::identifier(&c.name)))
        .collect();
    let document: Vec<String> = columns
        .iter()
        .filter(|c| !c.name.starts_with("pk_"))
        .map(|c| format!("{}, b.{}", quote::literal(&c.name), quote::identifier(&c.name)))
        .collect();
    format!(
        "SELECT {}, {} AS data FROM {} AS b",
        picked.join(", "),
        json_object(&document),
        entity.qualified(&entity.base_table())
    )
}
