//! Types whose values stored groups can be added to, or looked up by, exactly.

use pgrx::pg_sys::{self, Oid};

use crate::postgres::query_tree::Expr;
use crate::postgres::type_facts;

/// Types whose sums can be added to: exact.
pub fn is_summable(argument: Expr) -> bool {
    matches!(
        argument.column_type().0,
        pg_sys::INT2OID | pg_sys::INT4OID | pg_sys::INT8OID | pg_sys::NUMERICOID
    )
}

/// Whether values may have different numbers of digits after the point.
pub fn has_any_scale(argument: Expr) -> bool {
    argument.column_type().0 == pg_sys::NUMERICOID && !argument.has_fixed_scale()
}

/// Images of documents are read as texts, which this type would not show.
pub fn is_domain_of_json(type_oid: Oid) -> bool {
    let (base, _) = type_facts::without_domains(type_oid, -1);
    base != type_oid && [pg_sys::JSONOID, pg_sys::JSONBOID].contains(&base)
}

/// Types of which equal values are the same, and whose texts are read back as they were.
pub fn is_ordered(argument: Expr) -> bool {
    match argument.column_type().0 {
        pg_sys::INT2OID
        | pg_sys::INT4OID
        | pg_sys::INT8OID
        | pg_sys::DATEOID
        | pg_sys::TIMESTAMPOID
        | pg_sys::TIMESTAMPTZOID => true,
        pg_sys::NUMERICOID => argument.has_fixed_scale(),
        _ => false,
    }
}

/// Whether equal values of both are the same. Those of `char(n)` are filled with blanks to their lengths.
pub fn are_written_alike(key: Expr, value: Expr) -> bool {
    let (type_oid, length, _) = key.column_type();
    type_oid != pg_sys::BPCHAROID || length >= 0 && length == value.column_type().1
}

/// Types of keys: equal values have the same text.
pub fn is_key(type_oid: Oid) -> bool {
    [
        pg_sys::INT2OID,
        pg_sys::INT4OID,
        pg_sys::INT8OID,
        pg_sys::OIDOID,
        pg_sys::UUIDOID,
        pg_sys::BOOLOID,
        pg_sys::TEXTOID,
        pg_sys::VARCHAROID,
        // Its text is without the blanks that do not count.
        pg_sys::BPCHAROID,
        pg_sys::DATEOID,
        pg_sys::TIMESTAMPOID,
    ]
    .contains(&type_oid)
}
