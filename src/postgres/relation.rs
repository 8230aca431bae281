//! Facts about relations from the catalogs.

use pgrx::pg_sys::{self, Oid};
use pgrx::IntoDatum;

use super::process::memory;
use super::quote;
use super::spi::{run, Access, Value};

/// The name of a relation without its schema.
pub fn name(relation: Oid) -> Option<String> {
    // SAFETY: catalog look-up inside a transaction.
    unsafe { memory::text_or_none(pg_sys::get_rel_name(relation)) }
}

/// The name of a relation's schema.
pub fn schema(relation: Oid) -> Option<String> {
    // SAFETY: catalog look-up inside a transaction.
    unsafe { memory::text_or_none(pg_sys::get_namespace_name(pg_sys::get_rel_namespace(relation))) }
}

/// The schema of a relation.
pub fn schema_oid(relation: Oid) -> Option<Oid> {
    class(relation, |form| form.relnamespace)
}

/// A relation as SQL: schema and name, quoted where needed.
pub fn qualified_name(relation: Oid) -> Option<String> {
    Some(format!(
        "{}.{}",
        quote::identifier(&schema(relation)?),
        quote::identifier(&name(relation)?)
    ))
}

/// A relation as SQL for messages: its OID where it is gone.
pub fn display(relation: Oid) -> String {
    qualified_name(relation).unwrap_or_else(|| format!("relation with OID {}", relation.to_u32()))
}

/// The owner of a relation.
pub fn owner(relation: Oid) -> Option<Oid> {
    class(relation, |form| form.relowner)
}

/// The kind of a relation as in `pg_class.relkind`.
pub fn kind(relation: Oid) -> Option<char> {
    class(relation, |form| form.relkind as u8 as char)
}

/// Whether row security is enabled on a table.
pub fn has_row_security(table: Oid) -> bool {
    class(table, |form| form.relrowsecurity) == Some(true)
}

/// Whether a relation belongs to a session.
pub fn is_temporary(relation: Oid) -> bool {
    class(relation, |form| {
        form.relpersistence as u8 == pg_sys::RELPERSISTENCE_TEMP
    }) == Some(true)
}

/// Whether a table has triggers other than our own, constraints included.
pub fn has_user_triggers(table: Oid) -> bool {
    let rows = run(
        "SELECT 1 FROM pg_catalog.pg_trigger WHERE tgrelid = $1 AND tgname NOT LIKE 'pg\\_tviews\\_%' LIMIT 1",
        Access::Current,
        &[(pg_sys::OIDOID, Value::of(table))],
    );
    !rows.is_empty()
}

fn class<R>(relation: Oid, read: impl FnOnce(&pg_sys::FormData_pg_class) -> R) -> Option<R> {
    // SAFETY: the tuple is released after its only use.
    unsafe {
        let cache = pg_sys::SysCacheIdentifier::RELOID as i32;
        let tuple = pg_sys::SearchSysCache1(cache, relation.into_datum()?);
        if tuple.is_null() {
            return None;
        }
        let result = read(&*pg_sys::heap_tuple_get_struct::<pg_sys::FormData_pg_class>(
            tuple,
        ));
        pg_sys::ReleaseSysCache(tuple);
        Some(result)
    }
}
