//! How values of a type are compared: its operators, from the catalogs.

use pgrx::pg_sys::{self, Oid};
use pgrx::IntoDatum;

use super::process::memory;
use super::quote;

/// The equality operator of a type as SQL infix, valid under any search_path; None for a type without one.
pub fn equality(type_oid: Oid) -> Option<String> {
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

/// The operators "greater than" and "at most" of a type's default order as SQL infix, valid under any
/// search_path; None for a type without an order.
pub fn order(type_oid: Oid) -> Option<[String; 2]> {
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

/// BTEQUALIMAGE_PROC of PostgreSQL: the support function that says so of an operator class.
const EQUAL_IMAGE: i16 = 4;

/// Whether two values of a type that are equal are always the same, byte by byte, as PostgreSQL says it of
/// index entries: not so numbers with a scale, texts compared without regard to case, zeros with a sign.
pub fn equal_is_identical(type_oid: Oid, modifier: i32, collation: Oid) -> bool {
    let mut modifier = modifier;
    // SAFETY: catalog look-ups; the function is one that says so of a class of operators, with the arguments
    // it takes.
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

/// An operator as SQL infix, valid under any search_path.
fn infix(operator: Oid) -> Option<String> {
    if operator == Oid::INVALID {
        return None;
    }
    // SAFETY: the tuple is released after its only use.
    unsafe {
        let tuple =
            pg_sys::SearchSysCache1(pg_sys::SysCacheIdentifier::OPEROID as i32, operator.into_datum()?);
        if tuple.is_null() {
            return None;
        }
        let form = pg_sys::heap_tuple_get_struct::<pg_sys::FormData_pg_operator>(tuple);
        let symbol = memory::text_or_none((*form).oprname.data.as_ptr());
        let schema = memory::text_or_none(pg_sys::get_namespace_name((*form).oprnamespace));
        pg_sys::ReleaseSysCache(tuple);
        Some(format!("OPERATOR({}.{})", quote::identifier(&schema?), symbol?))
    }
}
