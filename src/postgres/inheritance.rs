//! Partitioned and inherited tables: the tables above and below a table, and the trigger that a trigger is a
//! clone of.

use std::ffi::CStr;

use pgrx::pg_sys::{self, Oid};

use super::{column_facts, relation};

unsafe extern "C-unwind" {
    fn get_partition_ancestors(relation: Oid) -> *mut pg_sys::List;
    fn find_all_inheritors(
        relation: Oid,
        lock: pg_sys::LOCKMODE,
        parents: *mut *mut pg_sys::List,
    ) -> *mut pg_sys::List;
}

/// The relation whose trigger `trigger` is a clone of; None if another session is changing the chain of
/// clones.
pub fn relation_of_root_trigger(trigger: Oid) -> Option<Oid> {
    let mut current = trigger;
    loop {
        let Trigger { relation, parent, .. } = find_trigger(current)?;
        if parent == Oid::INVALID {
            return Some(relation);
        }
        current = parent;
    }
}

/// The table whose row changes a trigger captures; None if it is no capture trigger.
pub fn captured_by(trigger: Oid) -> Option<Oid> {
    let found = find_trigger(trigger)?;
    let is_ours = found.name.starts_with(b"pg_tviews_capture") && found.name != b"pg_tviews_capture_truncate";
    is_ours.then_some(found.relation)
}

/// Partitioned tables that `relation` is a partition of, nearest first.
pub fn ancestors(relation: Oid) -> Vec<Oid> {
    // SAFETY: the list is a fresh list of OIDs, read within its length; it is freed with the caller's
    // context.
    unsafe {
        let list = pg_sys::ffi::pg_guard_ffi_boundary(|| get_partition_ancestors(relation));
        let length = list.as_ref().map_or(0, |list| list.length as usize);
        (0..length)
            .map(|index| (*(*list).elements.add(index)).oid_value)
            .collect()
    }
}

/// The same of a table that may be no partition: then none, without a scan of the catalogs.
pub fn ancestors_of_partition(relation: Oid) -> Vec<Oid> {
    // SAFETY: a catalog look-up inside a transaction.
    match unsafe { pg_sys::get_rel_relispartition(relation) } {
        true => ancestors(relation),
        false => Vec::new(),
    }
}

/// The partitioned tables above any table. Ordinary tables that the table inherits from are left out.
pub fn above(relation: Oid) -> Vec<Oid> {
    let mut above = ancestors(relation);
    above.retain(|table| relation::kind(*table) == Some('p'));
    above
}

/// Every table below a partitioned one, in OID order.
pub fn below(relation: Oid) -> Vec<Oid> {
    match relation::kind(relation) {
        Some('p') => inheritors(relation),
        _ => Vec::new(),
    }
}

/// Every table that inherits from an ordinary one, at every level, in OID order. Temporary ones are left out:
/// no other session sees their rows.
pub fn children(relation: Oid) -> Vec<Oid> {
    let mut found = match relation::kind(relation) {
        Some('r') => inheritors(relation),
        _ => Vec::new(),
    };
    found.retain(|child| !relation::is_temporary(*child));
    found
}

/// Whether no row of a table, and with `with_children` of its children, has NULL in this column. A table that
/// inherits a column may allow NULL in it.
pub fn column_not_null(relation: Oid, attno: i16, with_children: bool) -> bool {
    let below = if with_children {
        children(relation)
    } else {
        Vec::new()
    };
    column_facts::is_not_null(relation, attno)
        && below
            .iter()
            .all(|child| column_facts::is_not_null_in_child(relation, attno, *child))
}

/// Every table below another, in OID order.
pub fn inheritors(relation: Oid) -> Vec<Oid> {
    // SAFETY: the list is a fresh list of OIDs, read within its length. No lock on the tables is kept: one
    // that is dropped meanwhile changes the definition of the one above it.
    let mut found: Vec<Oid> = unsafe {
        let list = pg_sys::ffi::pg_guard_ffi_boundary(|| {
            find_all_inheritors(relation, pg_sys::NoLock as pg_sys::LOCKMODE, std::ptr::null_mut())
        });
        let length = list.as_ref().map_or(0, |list| list.length as usize);
        (0..length)
            .map(|index| (*(*list).elements.add(index)).oid_value)
            .filter(|found| *found != relation)
            .collect()
    };
    found.sort_by_key(|oid| oid.to_u32());
    found
}

struct Trigger {
    relation: Oid,
    parent: Oid,
    name: Vec<u8>,
}

fn find_trigger(trigger: Oid) -> Option<Trigger> {
    // SAFETY: a catalog scan with a key of the indexed column's type; the tuple is read before the scan ends,
    // and whatever is open is released by the transaction if an error unwinds.
    unsafe {
        let triggers = pg_sys::table_open(
            pg_sys::TriggerRelationId,
            pg_sys::AccessShareLock as pg_sys::LOCKMODE,
        );
        let mut key = pg_sys::ScanKeyData::default();
        pg_sys::ScanKeyInit(
            &mut key,
            pg_sys::Anum_pg_trigger_oid as pg_sys::AttrNumber,
            pg_sys::BTEqualStrategyNumber as pg_sys::StrategyNumber,
            pg_sys::F_OIDEQ.into(),
            pg_sys::Datum::from(trigger),
        );
        let scan = pg_sys::systable_beginscan(
            triggers,
            pg_sys::TriggerOidIndexId.into(),
            true,
            std::ptr::null_mut(),
            1,
            &mut key,
        );
        let tuple = pg_sys::systable_getnext(scan);
        let found = (!tuple.is_null()).then(|| {
            let form = pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_trigger>();
            Trigger {
                relation: (*form).tgrelid,
                parent: (*form).tgparentid,
                name: CStr::from_ptr((*form).tgname.data.as_ptr()).to_bytes().to_vec(),
            }
        });
        pg_sys::systable_endscan(scan);
        pg_sys::table_close(triggers, pg_sys::AccessShareLock as pg_sys::LOCKMODE);
        found
    }
}
