//! `fk_columns`: lineage a user declares on top of what the view's text says. `fk_user` in `post` means: when
//! the row of `user` with that key changes, refresh the posts that point at it.

use std::collections::BTreeSet;

use pgrx::pg_sys::{self, Oid};
use pgrx::PgSqlErrorCode;

use super::{ChangedColumn, KeyQuery, Lineage, Lookup, Occurrence, Rowcount, Source, Strategy};
use crate::catalog::columns;
use crate::catalog::definition::Definition;
use crate::catalog::name::Entity;
use crate::error::{shown, Problem};
use crate::lineage;
use crate::postgres::query_tree::{IndexColumn, Select};
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::{inheritance, quote, relation};

/// Where a declared column lives and what it points at.
struct ForeignKey {
    holder: Oid,
    column: String,
    target: Oid,
    target_column: String,
}

/// Adds the declared columns to what the view's text says. Inside an SPI session.
pub fn extend(definition: &Definition, view: Oid, lineage: &mut Lineage) -> Result<(), Problem> {
    for column in &definition.fk_columns {
        let key = find(definition, view, column)?;
        let changed: Vec<ChangedColumn> = columns::of(key.target)
            .into_iter()
            .filter(|c| c.name == key.target_column)
            .map(|c| ChangedColumn::new(&c.name, c.type_oid, c.modifier, c.collation))
            .collect();
        let keys: Vec<String> = definition
            .key_columns
            .iter()
            .map(|k| format!("r1.{}", quote::identifier(k)))
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
        let every_row =
            lineage::every_row(key.target, std::slice::from_ref(&key.target_column)).unwrap_or_default();
        let query = KeyQuery {
            few: sql(lineage::changed_rows(&changed, Rowcount::Few)),
            many: sql(lineage::changed_rows(&changed, Rowcount::Many)),
            shown: lineage::distinct(&sql(every_row)),
            captured: BTreeSet::from([key.target_column.clone()]),
            columns: definition.key_columns.clone(),
            reads: vec![key.holder],
            lookups: index_column(&key)
                .map(|column| Lookup {
                    place: 1,
                    table: key.holder,
                    column,
                })
                .into_iter()
                .collect(),
        };
        let occurrence = Occurrence {
            label: format!("fk_columns: {column}"),
            met: usize::MAX,
            strategy: Strategy::Keyed(vec![query]),
            captured: BTreeSet::from([key.target_column.clone()]),
        };
        let source = Source {
            relation: key.target,
            occurrences: vec![occurrence],
            // What changes beyond the columns the view reads is for the declaration to follow.
            watched: None,
            versions: BTreeSet::new(),
            followed: vec![key.holder],
            partitions: inheritance::below(key.target),
        };
        for source in lineage::inheriting(&source).into_iter().chain([source]) {
            lineage::merge(&mut lineage.sources, source);
        }
    }
    lineage.sources.sort_by_key(|source| source.relation.to_u32());
    Ok(())
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

fn find(definition: &Definition, view: Oid, column: &str) -> Result<ForeignKey, Problem> {
    let base = Entity {
        schema: definition.view_schema.clone(),
        name: definition.entity_name.clone(),
    };
    let has = |relation: Oid, name: &str| columns::of(relation).iter().any(|c| c.name == name);
    let holder = base
        .find(&base.base_table())
        .into_iter()
        .chain([view])
        .find(|holder| has(*holder, column) && definition.key_columns.iter().all(|key| has(*holder, key)));
    let Some(holder) = holder else {
        return Err(Problem::new(
            PgSqlErrorCode::ERRCODE_UNDEFINED_COLUMN,
            format!(
                "fk_columns of TVIEW \"{}\" names \"{}\", which does not exist",
                definition.entity_name,
                shown(column)
            ),
        )
        .detail(format!(
            "The column must stand beside the key ({}) in {} or in the backing view.",
            definition.key_columns.join(", "),
            base.base_table()
        ))
        .hint(format!(
            "UPDATE pg_tview_meta SET fk_columns = '{{}}' WHERE entity_name = {};",
            quote::literal(&definition.entity_name)
        )));
    };
    if let Some((target, target_column)) = referenced(holder, column) {
        return Ok(ForeignKey {
            holder,
            column: column.to_string(),
            target,
            target_column,
        });
    }
    let other = column.strip_prefix("fk_").unwrap_or(column).to_string();
    let entity = Entity {
        schema: definition.view_schema.clone(),
        name: other.clone(),
    };
    let target_column = format!("pk_{other}");
    match entity
        .find(&entity.base_table())
        .filter(|target| has(*target, &target_column))
    {
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
            "It is not a foreign key of {}, and there is no table {} with a column {target_column}.",
            relation::display(holder),
            entity.base_table()
        ))
        .hint("Declare a FOREIGN KEY on the column, or name it fk_<entity>.")),
    }
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
