//! Row triggers that do not fire for the rest of a transaction, without a lock and without a change of the
//! catalogs: they are marked as disabled in the relation cache of this process.
//!
//! A statement copies the triggers of a table from the cache when it opens the table. So the mark has to be
//! there before that, also for partitions that rows are routed to. PostgreSQL itself takes the mark back: the
//! transaction has announced an invalidation of the table, which is applied to this process when the
//! transaction, or the subtransaction that announced it, ends in any way.

use std::ffi::c_int;

use pgrx::pg_sys::{self, Oid};

/// Marks the row triggers of a table that `is_off` names. The caller has announced an invalidation of the
/// table in the subtransaction that turned them off, and that command has ended.
pub fn mark(table: Oid, is_off: impl Fn(Oid) -> bool) {
    // SAFETY: inside a transaction. The entry is valid until it is closed, and lists `numtriggers` triggers.
    // Statements work on copies of them.
    unsafe {
        let Some(relation) = pg_sys::RelationIdGetRelation(table).as_mut() else {
            return;
        };
        if let Some(all) = relation.trigdesc.as_mut() {
            let triggers = std::slice::from_raw_parts_mut(all.triggers, all.numtriggers as usize);
            for trigger in triggers.iter_mut().filter(|trigger| is_off(trigger.tgoid)) {
                trigger.tgenabled = pg_sys::TRIGGER_DISABLED as _;
            }
            let is_left = |event: u32| {
                let is_of = |trigger: &&pg_sys::Trigger| fires_after_rows(trigger, event);
                triggers
                    .iter()
                    .filter(is_of)
                    .any(|trigger| !is_off(trigger.tgoid))
            };
            // Without one of these, a statement does not look at the triggers for each row.
            all.trig_insert_after_row &= is_left(pg_sys::TRIGGER_TYPE_INSERT);
            all.trig_update_after_row &= is_left(pg_sys::TRIGGER_TYPE_UPDATE);
            all.trig_delete_after_row &= is_left(pg_sys::TRIGGER_TYPE_DELETE);
        }
        pg_sys::RelationClose(relation);
    }
}

/// Whether a trigger fires after each row that an event (TRIGGER_TYPE_INSERT, say) writes.
pub(super) fn fires_after_rows(trigger: &pg_sys::Trigger, event: u32) -> bool {
    const WHEN: u32 = pg_sys::TRIGGER_TYPE_BEFORE | pg_sys::TRIGGER_TYPE_INSTEAD | pg_sys::TRIGGER_TYPE_ROW;
    let types = c_int::from(trigger.tgtype) as u32;
    types & WHEN == pg_sys::TRIGGER_TYPE_ROW && types & event != 0
}
