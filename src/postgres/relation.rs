//! Facts about relations, types and columns from the catalogs.

use std::ffi::CString;

use crate::postgres::process::memory;
use pgrx::pg_sys::{self, Oid};

fn text(pointer: *const std::ffi::c_char) -> Option<String> {
    // SAFETY: the catalog functions return NULL or a C string in the server's encoding.
    (!pointer.is_null()).then(|| unsafe { memory::text_of(pointer) })
}

/// The name of a relation without its schema.
pub fn name(relation: Oid) -> Option<String> {
    // SAFETY: catalog look-up inside a transaction.
    text(unsafe { pg_sys::get_rel_name(relation) })
}

/// The name of a relation's schema.
pub fn schema(relation: Oid) -> Option<String> {
    // SAFETY: catalog look-up inside a transaction.
    text(unsafe { pg_sys::get_namespace_name(pg_sys::get_rel_namespace(relation)) })
}

/// A relation as SQL: schema and name, quoted where needed.
pub fn qualified_name(relation: Oid) -> Option<String> {
    Some(format!(
        "{}.{}",
        quote(&schema(relation)?),
        quote(&name(relation)?)
    ))
}

/// A relation as SQL for messages: its OID where it is gone.
pub fn display(relation: Oid) -> String {
    qualified_name(relation).unwrap_or_else(|| format!("relation with OID {}", relation.to_u32()))
}

/// An identifier, quoted where needed: the only place names become SQL.
pub fn quote(identifier: &str) -> String {
    let Ok(c) = CString::new(identifier) else {
        return String::from("\"\"");
    };
    // SAFETY: returns its argument or a palloc'd copy.
    text(unsafe { pg_sys::quote_identifier(c.as_ptr()) }).unwrap_or_default()
}

/// A string literal.
pub fn quote_literal(value: &str) -> String {
    let Ok(c) = CString::new(value) else {
        return String::from("''");
    };
    // SAFETY: returns a palloc'd copy.
    text(unsafe { pg_sys::quote_literal_cstr(c.as_ptr()) }).unwrap_or_default()
}

/// The name of a column; None if it is gone.
pub fn column_name(relation: Oid, attno: i16) -> Option<String> {
    // SAFETY: catalog look-up with missing_ok.
    text(unsafe { pg_sys::get_attname(relation, attno, true) })
}

/// Whether a column is declared NOT NULL.
pub fn column_not_null(relation: Oid, attno: i16) -> bool {
    use pgrx::IntoDatum;
    // SAFETY: the tuple is released after its only use.
    unsafe {
        let (Some(relation), Some(attno)) = (relation.into_datum(), attno.into_datum()) else {
            return false;
        };
        let tuple = pg_sys::SearchSysCache2(pg_sys::SysCacheIdentifier::ATTNUM as i32, relation, attno);
        if tuple.is_null() {
            return false;
        }
        let attribute = pg_sys::heap_tuple_get_struct::<pg_sys::FormData_pg_attribute>(tuple);
        let not_null = (*attribute).attnotnull;
        pg_sys::ReleaseSysCache(tuple);
        not_null
    }
}

/// Whether the column of the same name in a table that inherits is declared NOT NULL.
pub fn same_column_not_null(relation: Oid, attno: i16, child: Oid) -> bool {
    let Some(name) = column_name(relation, attno).and_then(|name| CString::new(name).ok()) else {
        return false;
    };
    // SAFETY: catalog look-up; the number is that of no column where the name is unknown.
    column_not_null(child, unsafe { pg_sys::get_attnum(child, name.as_ptr()) })
}

/// A type as SQL, valid under any search_path.
pub fn type_name(type_oid: Oid, modifier: i32) -> String {
    let flags = (pg_sys::FORMAT_TYPE_FORCE_QUALIFY | pg_sys::FORMAT_TYPE_TYPEMOD_GIVEN) as u16;
    // SAFETY: returns a palloc'd string; raises an ERROR for an unknown type.
    text(unsafe { pg_sys::format_type_extended(type_oid, modifier, flags) }).unwrap_or_default()
}

/// A type for messages: its schema only where the search_path does not lead to it.
pub fn type_display(type_oid: Oid, modifier: i32) -> String {
    let flags = pg_sys::FORMAT_TYPE_TYPEMOD_GIVEN as u16;
    // SAFETY: returns a palloc'd string; raises an ERROR for an unknown type.
    text(unsafe { pg_sys::format_type_extended(type_oid, modifier, flags) }).unwrap_or_default()
}

/// A collation as SQL, valid under any search_path.
pub fn collation_name(collation: Oid) -> Option<String> {
    // SAFETY: returns a palloc'd string.
    text(unsafe { pg_sys::generate_collation_name(collation) })
}

/// The equality operator of a type as SQL infix, valid under any search_path; None for a type without one.
pub fn equality_operator(type_oid: Oid) -> Option<String> {
    // SAFETY: the type cache entry lives for ever.
    let operator = unsafe { (*pg_sys::lookup_type_cache(type_oid, pg_sys::TYPECACHE_EQ_OPR as i32)).eq_opr };
    infix(operator)
}

/// Whether btree indexes can order values of a type: those of its elements and fields, too.
pub fn is_ordered(type_oid: Oid) -> bool {
    // SAFETY: the type cache entry lives for ever.
    let compare =
        unsafe { (*pg_sys::lookup_type_cache(type_oid, pg_sys::TYPECACHE_CMP_PROC as i32)).cmp_proc };
    compare != Oid::INVALID
}

/// The operators "greater than" and "at most" of a type's default order as SQL infix, valid under any search_path; None for a
/// type without an order.
pub fn order_operators(type_oid: Oid) -> Option<[String; 2]> {
    // SAFETY: the type cache entry lives for ever; the rest are catalog look-ups inside a transaction.
    let [greater, at_most] = unsafe {
        let entry = &*pg_sys::lookup_type_cache(type_oid, pg_sys::TYPECACHE_BTREE_OPFAMILY as i32);
        if entry.btree_opf == Oid::INVALID {
            return None;
        }
        let of = entry.btree_opintype;
        [pg_sys::BTGreaterStrategyNumber, pg_sys::BTLessEqualStrategyNumber]
            .map(|strategy| pg_sys::get_opfamily_member(entry.btree_opf, of, of, strategy as i16))
    };
    Some([infix(greater)?, infix(at_most)?])
}

/// An operator as SQL infix, valid under any search_path.
fn infix(operator: Oid) -> Option<String> {
    if operator == Oid::INVALID {
        return None;
    }
    // SAFETY: the tuple is released after its only use.
    unsafe {
        use pgrx::IntoDatum;
        let tuple =
            pg_sys::SearchSysCache1(pg_sys::SysCacheIdentifier::OPEROID as i32, operator.into_datum()?);
        if tuple.is_null() {
            return None;
        }
        let form = pg_sys::heap_tuple_get_struct::<pg_sys::FormData_pg_operator>(tuple);
        let symbol = text((*form).oprname.data.as_ptr());
        let schema = text(pg_sys::get_namespace_name((*form).oprnamespace));
        pg_sys::ReleaseSysCache(tuple);
        Some(format!("OPERATOR({}.{})", quote(&schema?), symbol?))
    }
}

/// BTEQUALIMAGE_PROC
const EQUAL_IMAGE: i16 = 4;

/// Whether two values of a type that are equal are always the same, byte by byte, as PostgreSQL says it of index entries:
/// not so numbers with a scale, texts compared without regard to case, zeros with a sign.
pub fn equal_is_identical(type_oid: Oid, modifier: i32, collation: Oid) -> bool {
    let mut modifier = modifier;
    // SAFETY: catalog look-ups; the function is one that says so of a class of operators, with the arguments it takes.
    unsafe {
        let base = pg_sys::getBaseTypeAndTypmod(type_oid, &mut modifier);
        // Blanks at the end do not count; only a length pads all values alike.
        if base == pg_sys::BPCHAROID && modifier < 0 {
            return false;
        }
        let class = pg_sys::lookup_type_cache(base, pg_sys::TYPECACHE_BTREE_OPFAMILY as i32);
        let (family, input) = ((*class).btree_opf, (*class).btree_opintype);
        if family == Oid::INVALID {
            return false;
        }
        let says = pg_sys::get_opfamily_proc(family, input, input, EQUAL_IMAGE);
        says != Oid::INVALID
            && pg_sys::OidFunctionCall1Coll(says, collation, pg_sys::Datum::from(input)).value() as u8 != 0
    }
}

/// The name of a schema.
pub fn schema_name(schema: Oid) -> Option<String> {
    // SAFETY: catalog look-up inside a transaction.
    text(unsafe { pg_sys::get_namespace_name(schema) })
}

/// The schemas of the session's search_path that exist, in order.
pub fn search_path() -> Vec<Oid> {
    // SAFETY: inside a transaction; a list of OIDs, copied here.
    unsafe {
        let path = pg_sys::fetch_search_path(false);
        if path.is_null() {
            return Vec::new();
        }
        (0..(*path).length)
            .map(|n| pg_sys::list_nth_oid(path, n))
            .collect()
    }
}

/// Whether a role may SELECT from a relation.
pub fn may_select(role: Oid, relation: Oid) -> bool {
    // SAFETY: catalog look-up inside a transaction.
    unsafe {
        let result = pg_sys::pg_class_aclcheck(relation, role, pg_sys::ACL_SELECT);
        result == pg_sys::AclResult::ACLCHECK_OK
    }
}

/// Whether a role may create triggers on a table.
pub fn may_add_triggers(role: Oid, table: Oid) -> bool {
    // SAFETY: catalog look-up inside a transaction.
    unsafe {
        let result = pg_sys::pg_class_aclcheck(table, role, pg_sys::ACL_TRIGGER);
        result == pg_sys::AclResult::ACLCHECK_OK
    }
}

/// Whether a table has triggers other than our own, constraints included.
pub fn has_user_triggers(table: Oid) -> bool {
    use super::spi::{run, Access, Value};
    let rows = run(
        "SELECT 1 FROM pg_catalog.pg_trigger WHERE tgrelid = $1 AND tgname NOT LIKE 'pg\\_tviews\\_%' LIMIT 1",
        Access::Current,
        &[(pg_sys::OIDOID, Value::of(table))],
    );
    !rows.is_empty()
}

/// Whether policies hide rows of a table from `role`.
pub fn hides_rows_from(table: Oid, role: Oid) -> bool {
    // SAFETY: catalog look-ups inside a transaction.
    unsafe { pg_sys::check_enable_rls(table, role, true) == pg_sys::CheckEnableRlsResult::RLS_ENABLED as i32 }
}

/// The category of a type as in `pg_type.typcategory`.
pub fn type_category(of_type: Oid) -> char {
    let (mut category, mut preferred) = (0, false);
    // SAFETY: catalog look-up inside a transaction, into two variables of ours.
    unsafe { pg_sys::get_type_category_preferred(of_type, &mut category, &mut preferred) };
    category as u8 as char
}

/// Whether values of one type can be cast to another.
pub fn can_cast(from: Oid, to: Oid) -> bool {
    // SAFETY: catalog look-ups inside a transaction, of one type each.
    unsafe { pg_sys::can_coerce_type(1, &from, &to, pg_sys::CoercionContext::COERCION_EXPLICIT) }
}

/// Whether now() can be assigned to a column of this type, and fits in.
pub fn takes_the_time(type_oid: Oid, modifier: i32) -> bool {
    // SAFETY: catalog look-ups inside a transaction; the function is not asked for.
    unsafe {
        let base = pg_sys::getBaseType(type_oid);
        let mut function = Oid::INVALID;
        let path = pg_sys::find_coercion_pathway(
            base,
            pg_sys::TIMESTAMPTZOID,
            pg_sys::CoercionContext::COERCION_ASSIGNMENT,
            &mut function,
        );
        let is_limited = modifier >= 0 && type_category(base) == 'S';
        path != pg_sys::CoercionPathType::COERCION_PATH_NONE && !is_limited
    }
}

/// The owner of a relation.
pub fn owner(relation: Oid) -> Option<Oid> {
    class(relation, |form| form.relowner)
}

/// The kind of a relation as in `pg_class.relkind`.
pub fn kind(relation: Oid) -> Option<char> {
    class(relation, |form| form.relkind as u8 as char)
}

/// Whether a relation belongs to a session.
pub fn is_temporary(relation: Oid) -> bool {
    class(relation, |form| {
        form.relpersistence as u8 == pg_sys::RELPERSISTENCE_TEMP
    }) == Some(true)
}

fn class<R>(relation: Oid, read: impl FnOnce(&pg_sys::FormData_pg_class) -> R) -> Option<R> {
    use pgrx::IntoDatum;
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

/// A role's name, quoted where needed.
pub fn role_name(role: Oid) -> String {
    // SAFETY: returns a palloc'd string, or NULL for a role that is gone.
    let name = text(unsafe { pg_sys::GetUserNameFromId(role, true) });
    name.map(|name| quote(&name))
        .unwrap_or_else(|| role.to_u32().to_string())
}
