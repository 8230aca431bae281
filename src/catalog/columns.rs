//! Which columns of a tv table are maintained, and by which key.

use pgrx::pg_sys::{self, Oid};
use pgrx::PgSqlErrorCode;

use super::name::Entity;
use crate::error::{shown, Problem};
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::{collation, quote, type_facts};

/// A column of a view or table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// As in pg_attribute: another name leaves it as it is.
    pub number: i16,
    pub name: String,
    pub type_oid: Oid,
    pub modifier: i32,
    /// The collation its values are compared by; invalid where the type has none.
    pub collation: Oid,
    pub generated: bool,
    /// Whether it is an identity column GENERATED ALWAYS.
    pub identity_always: bool,
}

impl Column {
    /// Its name, type and collation, as in CREATE TABLE.
    pub fn sql(&self) -> String {
        let collation = self.collation_name();
        format!(
            "{} {}{}",
            quote::identifier(&self.name),
            type_facts::name(self.type_oid, self.modifier),
            collation.map_or(String::new(), |name| format!(" COLLATE {name}"))
        )
    }

    /// A collation of its own, as SQL; None for the default one.
    pub fn collation_name(&self) -> Option<String> {
        match self.collation {
            Oid::INVALID | pg_sys::DEFAULT_COLLATION_OID => None,
            own => collation::name(own),
        }
    }
}

/// The columns of a relation in order.
pub fn of(relation: Oid) -> Vec<Column> {
    spi::session(|| read(relation))
}

fn read(relation: Oid) -> Vec<Column> {
    let rows = spi::run(
        "SELECT attnum, attname::text, atttypid, atttypmod, attcollation, attgenerated <> '', attidentity = 'a' FROM pg_catalog.pg_attribute
          WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        Access::Current,
        &[(pg_sys::OIDOID, Value::of(relation))],
    );
    (0..rows.len())
        .filter_map(|row| {
            Some(Column {
                number: rows.get(row, 0)?,
                name: rows.get(row, 1)?,
                type_oid: rows.get(row, 2)?,
                modifier: rows.get(row, 3)?,
                collation: rows.get(row, 4)?,
                generated: rows.get(row, 5)?,
                identity_always: rows.get(row, 6)?,
            })
        })
        .collect()
}

/// The primary key columns of a table, in key order.
pub fn primary_key(table: Oid) -> Vec<String> {
    spi::session(|| {
        spi::run(
            "SELECT array_agg(a.attname::text ORDER BY k.place)
           FROM pg_catalog.pg_index i, unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, place)
           JOIN pg_catalog.pg_attribute a ON a.attnum = k.attnum
          WHERE i.indrelid = $1 AND a.attrelid = $1 AND i.indisprimary AND k.place <= i.indnkeyatts",
            Access::Current,
            &[(pg_sys::OIDOID, Value::of(table))],
        )
        .one::<Vec<String>>()
    })
    .unwrap_or_default()
}

/// Whether a unique index covers exactly these columns.
pub fn has_unique_index(table: Oid, key: &[String]) -> bool {
    !spi::session(|| {
        spi::run(
        "SELECT 1 FROM pg_catalog.pg_index i
          WHERE i.indrelid = $1 AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
            AND (SELECT array_agg(a.attname::text ORDER BY a.attname::text)
                   FROM unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, place)
                   JOIN pg_catalog.pg_attribute a ON a.attrelid = $1 AND a.attnum = k.attnum
                  WHERE k.place <= i.indnkeyatts)
              = (SELECT array_agg(x ORDER BY x) FROM unnest($2::text[]) x)",
        Access::Current,
        &[(pg_sys::OIDOID, Value::of(table)), (pg_sys::TEXTARRAYOID, Value::of(key.to_vec()))],
    ).is_empty()
    })
}

/// Picks the key: what the caller names; else `pk_<entity>` where view and table have it; else the table's
/// primary key where the view outputs it; else `id` for a table yet to be made.
pub fn pick_key(
    entity: &Entity,
    view: &[Column],
    table: Option<(Oid, &[Column])>,
    named: Option<Vec<String>>,
) -> Result<Vec<String>, Problem> {
    let in_view = |name: &String| view.iter().any(|column| column.name == *name);
    let in_table =
        |name: &String| table.is_none_or(|(_, columns)| columns.iter().any(|column| column.name == *name));
    if let Some(named) = named {
        let named = check_key(&entity.qualified(&entity.view()), view, named)?;
        return match named.iter().find(|column| !in_table(column)) {
            None => Ok(named),
            Some(column) => Err(no_such_key(
                column,
                &entity.qualified(&entity.table()),
                table.map_or(view, |(_, columns)| columns),
            )
            .hint("Every key column must be a column of both the view and the table.")),
        };
    }
    let conventional = format!("pk_{}", entity.name);
    if in_view(&conventional) && in_table(&conventional) {
        return Ok(vec![conventional]);
    }
    match table {
        Some((oid, _)) => {
            let primary = primary_key(oid);
            if !primary.is_empty() && primary.iter().all(in_view) {
                return Ok(primary);
            }
        }
        None => {
            let id = "id".to_string();
            if in_view(&id) {
                return Ok(vec![id]);
            }
        }
    }
    let example = view
        .first()
        .map(|column| quote::identifier(&column.name))
        .unwrap_or_else(|| "id".to_string());
    Err(Problem::new(
        PgSqlErrorCode::ERRCODE_UNDEFINED_COLUMN,
        format!("cannot tell the key of TVIEW \"{}\"", entity.name),
    )
    .detail(format!(
        "Neither \"{conventional}\", nor the primary key of {}, nor a column id fits. The view has {}.",
        entity.table(),
        if view.is_empty() {
            "no columns".to_string()
        } else {
            format!("the columns {}", list(view))
        }
    ))
    .hint(format!(
        "Name the key: SELECT pg_tviews_create({}, key_columns => '{{{example}}}');",
        quote::literal(&entity.name)
    )))
}

/// The key columns that somebody has named, if `view`, which is called `of`, has them.
pub fn check_key(of: &str, view: &[Column], named: Vec<String>) -> Result<Vec<String>, Problem> {
    if named.is_empty() {
        return Err(Problem::new(
            PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            "key_columns is empty",
        )
        .hint("Name at least one column: key_columns => '{id}'"));
    }
    for (place, column) in named.iter().enumerate() {
        if !view.iter().any(|other| other.name == *column) {
            return Err(no_such_key(column, of, view)
                .hint("Choose among them. A table that exists already must have the column, too."));
        }
        if named[..place].contains(column) {
            return Err(Problem::new(
                PgSqlErrorCode::ERRCODE_DUPLICATE_COLUMN,
                format!("key column \"{column}\" is named twice"),
            )
            .hint("Name each key column once."));
        }
    }
    Ok(named)
}

fn no_such_key(column: &str, of: &str, view: &[Column]) -> Problem {
    Problem::new(
        PgSqlErrorCode::ERRCODE_UNDEFINED_COLUMN,
        format!("key column \"{}\" does not exist in {of}", shown(column)),
    )
    .detail(format!("Columns to choose from are {}.", list(view)))
}

fn list(columns: &[Column]) -> String {
    columns
        .iter()
        .map(|column| column.name.clone())
        .collect::<Vec<_>>()
        .join(", ")
}
