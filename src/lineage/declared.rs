//! `fk_columns`: lineage that a user declares beyond what the view's text says. `fk_user` of `post` means:
//! when a row of `tb_user` changes, the posts that point at that row are refreshed.

use std::collections::BTreeSet;

use pgrx::pg_sys::{self, Oid};
use pgrx::PgSqlErrorCode;

use super::{
    changed_rows, inheriting, merge, shown_query, ChangedColumn, KeyQuery, Lineage, Lookup, Occurrence,
    Rowcount, Source, Strategy,
};
use crate::catalog::columns;
use crate::catalog::definition::Definition;
use crate::catalog::entity::Entity;
use crate::error::{shown, Problem};
use crate::postgres::query_tree::{IndexColumn, Select};
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::{inheritance, quote, relation};

/// A declared column, and what it points at.
struct ForeignKey {
    /// The table or view that has the column.
    holder: Oid,
    column: String,
    target: Oid,
    target_column: String,
}

/// Adds the declared columns to what the view's text says. Inside an SPI session.
pub fn extend(definition: &Definition, view: Oid, lineage: &mut Lineage) -> Result<(), Problem> {
    for column in &definition.fk_columns {
        let key = find(definition, view, column)?;
        let query = key_query(&key, &definition.key_columns);
        let source = source(&key, query);
        for source in inheriting(&source).into_iter().chain([source]) {
            merge(&mut lineage.sources, source);
        }
    }
    lineage.sources.sort_by_key(|source| source.relation.to_u32());
    Ok(())
}

/// The key query from a changed row to the keys of the rows that point at it.
fn key_query(key: &ForeignKey, key_columns: &[String]) -> KeyQuery {
    let changed: Vec<ChangedColumn> = columns::of(key.target)
        .into_iter()
        .filter(|column| column.name == key.target_column)
        .map(|column| ChangedColumn::new(&column.name, column.type_oid, column.modifier, column.collation))
        .collect();
    let keys: Vec<String> = key_columns
        .iter()
        .map(|column| format!("r1.{}", quote::identifier(column)))
        .collect();
    let holder = relation::qualified_name(key.holder).unwrap_or_default();
    let pointed_at = quote::identifier(&key.target_column);
    let sql = |changed: String| {
        format!(
            "SELECT {} FROM ({changed}) AS changed, {holder} AS r1 WHERE r1.{} = changed.{pointed_at}",
            keys.join(", "),
            quote::identifier(&key.column),
        )
    };
    let all_rows = shown_query::all_rows(key.target, std::slice::from_ref(&key.target_column));
    let lookup = index_column(key).map(|column| Lookup {
        place: 1,
        table: key.holder,
        column,
    });
    KeyQuery {
        few: sql(changed_rows(&changed, Rowcount::Few)),
        many: sql(changed_rows(&changed, Rowcount::Many)),
        shown: shown_query::distinct(&sql(all_rows.unwrap_or_default())),
        captured: BTreeSet::from([key.target_column.clone()]),
        columns: key_columns.to_vec(),
        reads: vec![key.holder],
        lookups: lookup.into_iter().collect(),
    }
}

/// The table pointed at, as a source.
fn source(key: &ForeignKey, query: KeyQuery) -> Source {
    Source {
        relation: key.target,
        occurrences: vec![Occurrence {
            label: format!("fk_columns: {}", key.column),
            order: Occurrence::DECLARED,
            strategy: Strategy::Keyed(vec![query]),
            captured: BTreeSet::from([key.target_column.clone()]),
        }],
        // The declaration also covers changes of columns that the view does not read.
        watched: None,
        versions: BTreeSet::new(),
        followed: vec![key.holder],
        net: BTreeSet::new(),
        partitions: inheritance::below(key.target),
    }
}

/// What an index must hold for the rows that point at a changed one to be found.
fn index_column(key: &ForeignKey) -> Option<IndexColumn> {
    if relation::kind(key.holder) == Some('v') {
        return None;
    }
    let holder = relation::qualified_name(key.holder)?;
    let select = Select::analyse(&format!(
        "SELECT {} FROM {holder}",
        quote::identifier(&key.column)
    ))?;
    select.targets().first()?.expr.index_column(key.holder)
}

/// Finds the table that holds a declared column, and what the column points at: by a foreign key, or by its
/// name.
fn find(definition: &Definition, view: Oid, column: &str) -> Result<ForeignKey, Problem> {
    let holder = holder(definition, view, column)?;
    if let Some((target, target_column)) = referenced(holder, column) {
        return Ok(ForeignKey {
            holder,
            column: column.to_string(),
            target,
            target_column,
        });
    }
    let name = column.strip_prefix("fk_").unwrap_or(column);
    let entity = Entity {
        schema: definition.view_schema.clone(),
        name: name.to_string(),
    };
    let target_column = format!("pk_{name}");
    let table = entity.base_table();
    match entity.find(&table).filter(|target| has(*target, &target_column)) {
        Some(target) => Ok(ForeignKey {
            holder,
            column: column.to_string(),
            target,
            target_column,
        }),
        None => Err(Problem::new(
            PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE,
            format!("cannot tell which table \"{column}\" in fk_columns points at"),
        )
        .detail(format!(
            "It is not a foreign key of {}, and there is no table {table} with a column {target_column}.",
            relation::display(holder)
        ))
        .hint("Declare a FOREIGN KEY on the column, or name it fk_<entity>.")),
    }
}

/// The base table of the TVIEW, or its view, if that has the declared column beside the key.
fn holder(definition: &Definition, view: Oid, column: &str) -> Result<Oid, Problem> {
    let base = Entity {
        schema: definition.view_schema.clone(),
        name: definition.entity_name.clone(),
    };
    let table = base.find(&base.base_table());
    let has_all =
        |holder: &Oid| has(*holder, column) && definition.key_columns.iter().all(|key| has(*holder, key));
    table.into_iter().chain([view]).find(has_all).ok_or_else(|| {
        Problem::new(
            PgSqlErrorCode::ERRCODE_UNDEFINED_COLUMN,
            format!(
                "fk_columns of TVIEW {} names \"{}\", which does not exist",
                definition.display(),
                shown(column)
            ),
        )
        .detail(format!(
            "The column must stand beside the key ({}) in {} or in the backing view.",
            definition.key_columns.join(", "),
            base.base_table()
        ))
        .hint(format!(
            "Run UPDATE pg_tview_meta SET fk_columns = '{{}}' WHERE entity_name = {}; to remove it.",
            quote::literal(&definition.entity_name)
        ))
    })
}

fn has(relation: Oid, name: &str) -> bool {
    columns::of(relation).iter().any(|column| column.name == name)
}

/// The table and column a single-column foreign key points at.
fn referenced(holder: Oid, column: &str) -> Option<(Oid, String)> {
    let rows = spi::run(
        "SELECT c.confrelid, f.attname::text FROM pg_catalog.pg_constraint c
           JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
           JOIN pg_catalog.pg_attribute f ON f.attrelid = c.confrelid AND f.attnum = c.confkey[1]
          WHERE c.contype = 'f' AND c.conrelid = $1 AND a.attname = $2 AND cardinality(c.conkey) = 1
          ORDER BY c.oid LIMIT 1",
        Access::Current,
        &[
            (pg_sys::OIDOID, Value::of(holder)),
            (pg_sys::TEXTOID, Value::of(column)),
        ],
    );
    (!rows.is_empty())
        .then(|| Some((rows.get(0, 0)?, rows.get(0, 1)?)))
        .flatten()
}
