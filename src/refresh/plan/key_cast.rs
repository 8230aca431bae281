//! Which types of a key column may differ between view and table.
//!
//! The cast must keep different keys different, and view and table must agree which keys are equal. Otherwise
//! a row would remain in the table, or replace another row.

use pgrx::pg_sys::{self, Oid};
use pgrx::PgSqlErrorCode;

use crate::catalog::columns::Column;
use crate::error::Problem;
use crate::postgres::collation::{self, Collation};
use crate::postgres::quote;
use crate::postgres::type_facts::{self, Form};

/// Refuses a key column whose cast from view to table can merge keys or change them. `table`: quoted.
pub fn check(of_view: &Column, of_table: &Column, table: &str) -> Result<(), Problem> {
    let name = quote::identifier(&of_view.name);
    let (view_type, table_type) = (declared(of_view), declared(of_table));
    let sides = (Side::of(of_view), Side::of(of_table));
    if !keeps_apart(&sides.0, &sides.1) {
        return Err(Problem::new(
            PgSqlErrorCode::ERRCODE_DATATYPE_MISMATCH,
            format!("key column {name} is {view_type} in the view and {table_type} in the table {table}"),
        )
        .detail("The cast from one to the other can make different keys equal, or change a key, or fail.")
        .hint(format!(
            "Run ALTER TABLE {table} ALTER COLUMN {name} TYPE {view_type};"
        )));
    }
    if !agree(sides.0.collation, sides.1.collation) {
        let collation = collation::name(of_view.collation).unwrap_or_default();
        return Err(Problem::new(
            PgSqlErrorCode::ERRCODE_COLLATION_MISMATCH,
            format!("view and table {table} compare key column {name} by collations that do not agree"),
        )
        .detail("One of these collations is not deterministic: different texts can be equal under it.")
        .hint(format!(
            "Run ALTER TABLE {table} ALTER COLUMN {name} TYPE {view_type} COLLATE {collation};"
        )));
    }
    Ok(())
}

fn declared(column: &Column) -> String {
    type_facts::display(column.type_oid, column.modifier)
}

/// The type of a column without its domains.
struct Side {
    base: Oid,
    modifier: i32,
    form: Form,
    collation: Collation,
}

impl Side {
    fn of(column: &Column) -> Side {
        let (base, modifier) = type_facts::without_domains(column.type_oid, column.modifier);
        Side {
            base,
            modifier,
            form: type_facts::form(base),
            collation: collation::of(column.collation),
        }
    }

    fn element(&self) -> Option<Side> {
        match self.form {
            Form::Array(element) => Some(Side {
                base: element,
                modifier: self.modifier,
                form: type_facts::form(element),
                collation: self.collation,
            }),
            _ => None,
        }
    }
}

/// Whether two collations agree which texts are equal. Under deterministic collations only the same bytes
/// are.
fn agree(view: Collation, table: Collation) -> bool {
    match (view, table) {
        (Collation::Deterministic | Collation::None, Collation::Deterministic | Collation::None) => true,
        (view, table) => view == table,
    }
}

/// Whether the cast keeps different keys different and equal keys equal. If the cast fails, only that key
/// fails.
fn keeps_apart(view: &Side, table: &Side) -> bool {
    use pg_sys::*;
    if let (Some(view), Some(table)) = (view.element(), table.element()) {
        return keeps_apart(&view, &table);
    }
    if view.base == table.base {
        return view.modifier == table.modifier || table.modifier < 0 || wider(view, table);
    }
    let unlimited = table.modifier < 0;
    match (view.base, table.base) {
        // A value that is out of range is an error.
        (INT2OID | INT4OID | INT8OID, INT2OID | INT4OID | INT8OID) => true,
        (INT2OID | INT4OID | INT8OID, NUMERICOID) => unlimited,
        (INT2OID, FLOAT4OID | FLOAT8OID) | (INT4OID | FLOAT4OID, FLOAT8OID) => true,
        (OIDOID, INT8OID) => true,
        (TEXTOID | VARCHAROID, TEXTOID | VARCHAROID) => unlimited || wider(view, table),
        (BPCHAROID | NAMEOID, TEXTOID | VARCHAROID) => unlimited,
        // Each value has one text.
        (INT2OID | INT4OID | INT8OID | OIDOID | UUIDOID, TEXTOID | VARCHAROID) => unlimited,
        (TEXTOID | VARCHAROID, _) if table.form == Form::Enum => true,
        (_, TEXTOID | VARCHAROID) if view.form == Form::Enum => unlimited,
        (DATEOID, TIMESTAMPOID) => unlimited,
        (CIDROID, INETOID) => true,
        (BITOID, VARBITOID) => unlimited,
        _ => type_facts::is_oid(view.base) && type_facts::is_oid(table.base),
    }
}

/// Whether each value of the view's type is stored unchanged in the table's type, as their modifiers say.
fn wider(view: &Side, table: &Side) -> bool {
    use pg_sys::*;
    /// The part of a modifier that is not a length.
    const HEADER: i32 = 4;
    let (from, to) = (view.modifier, table.modifier);
    match table.base {
        // A longer length pads with blanks, which are insignificant.
        TEXTOID | VARCHAROID | BPCHAROID => view.base != TEXTOID && from >= HEADER && to >= from,
        NUMERICOID if from >= HEADER => {
            let digits = |modifier: i32| (modifier - HEADER) >> 16;
            // Eleven bits, of which the first is the sign.
            let scale = |modifier: i32| (((modifier - HEADER) & 0x7ff) ^ 1024) - 1024;
            scale(to) >= scale(from) && digits(to) - scale(to) >= digits(from) - scale(from)
        }
        TIMESTAMPOID | TIMESTAMPTZOID | TIMEOID | TIMETZOID => {
            const ALL: i32 = 6;
            to >= if from < 0 { ALL } else { from }
        }
        VARBITOID => from > 0 && to >= from,
        _ => false,
    }
}
