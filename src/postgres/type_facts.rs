//! Facts about types and collations from the catalogs.

use pgrx::pg_sys::{self, Oid};

use super::column::is_name_of_object;

/// What kind of type it is, as far as anybody asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Of elements of this type.
    Array(Oid),
    Enum,
    Other,
}

/// How texts are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Collation {
    /// Not by a collation.
    None,
    /// Equal is the same, byte by byte.
    Deterministic,
    /// By this one, which takes texts for equal that are not the same.
    Loose(Oid),
}

/// A type and its modifier without its domains.
pub fn without_domains(declared: Oid, modifier: i32) -> (Oid, i32) {
    let mut modifier = modifier;
    // SAFETY: catalog look-up inside a transaction.
    let base = unsafe { pg_sys::getBaseTypeAndTypmod(declared, &mut modifier) };
    (base, modifier)
}

/// Of a type that is no domain.
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

/// Whether a type is OIDs, shown as such or as names of objects.
pub fn is_oid(base: Oid) -> bool {
    base == pg_sys::OIDOID || is_name_of_object(base)
}

pub fn collation(collation: Oid) -> Collation {
    if collation == Oid::INVALID {
        return Collation::None;
    }
    // SAFETY: catalog look-up inside a transaction.
    match unsafe { pg_sys::get_collation_isdeterministic(collation) } {
        true => Collation::Deterministic,
        false => Collation::Loose(collation),
    }
}
