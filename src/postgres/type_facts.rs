//! Facts about types from the catalogs.

use pgrx::pg_sys::{self, Oid};

use super::column::is_name_of_object;
use super::process::memory;

/// The kinds of types that are treated differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// An array of elements of this type.
    Array(Oid),
    Enum,
    Other,
}

/// A type and its modifier without its domains.
pub fn without_domains(declared: Oid, modifier: i32) -> (Oid, i32) {
    let mut modifier = modifier;
    // SAFETY: catalog look-up inside a transaction.
    let base = unsafe { pg_sys::getBaseTypeAndTypmod(declared, &mut modifier) };
    (base, modifier)
}

/// The kind of a type that is no domain.
pub fn form(base: Oid) -> Form {
    // SAFETY: catalog look-ups inside a transaction.
    unsafe {
        match pg_sys::get_element_type(base) {
            Oid::INVALID if pg_sys::type_is_enum(base) => Form::Enum,
            Oid::INVALID => Form::Other,
            element => Form::Array(pg_sys::getBaseType(element)),
        }
    }
}

/// Whether values of a type are OIDs, written as numbers or as names of objects.
pub fn is_oid(base: Oid) -> bool {
    base == pg_sys::OIDOID || is_name_of_object(base)
}

/// A type as SQL, valid under any search_path.
pub fn name(type_oid: Oid, modifier: i32) -> String {
    let flags = (pg_sys::FORMAT_TYPE_FORCE_QUALIFY | pg_sys::FORMAT_TYPE_TYPEMOD_GIVEN) as u16;
    // SAFETY: returns a palloc'd string; raises an ERROR for an unknown type.
    unsafe { memory::text_or_none(pg_sys::format_type_extended(type_oid, modifier, flags)) }
        .unwrap_or_default()
}

/// A type for messages: its schema only where the search_path does not lead to it.
pub fn display(type_oid: Oid, modifier: i32) -> String {
    let flags = pg_sys::FORMAT_TYPE_TYPEMOD_GIVEN as u16;
    // SAFETY: returns a palloc'd string; raises an ERROR for an unknown type.
    unsafe { memory::text_or_none(pg_sys::format_type_extended(type_oid, modifier, flags)) }
        .unwrap_or_default()
}

/// The category of a type as in `pg_type.typcategory`.
pub fn category(of_type: Oid) -> char {
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

/// Whether now() can be assigned to a column of this type, without being cut.
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
        let is_limited = modifier >= 0 && category(base) == 'S';
        path != pg_sys::CoercionPathType::COERCION_PATH_NONE && !is_limited
    }
}
