//! The statement triggers of tv tables, which refuse writes to maintained columns.

use std::ffi::CStr;

use pgrx::pg_sys::{self, Oid};

use super::call;
use crate::postgres::versions::attributes::attributes;

/// What the statement does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operation {
    InsertOrDelete,
    Update,
    /// The trigger runs after the statement.
    Truncate,
}

/// A statement that writes a tv table.
pub struct WriteGuardCall {
    pub table: Oid,
    pub operation: Operation,
    /// The columns an UPDATE sets.
    pub sets: Vec<String>,
    /// The arguments of the trigger.
    pub arguments: Vec<String>,
    /// The statement was run by another trigger, for example that of a foreign key.
    pub by_trigger: bool,
}

impl WriteGuardCall {
    /// Reads the call; raises an ERROR if it is not one of our trigger.
    pub fn of(fcinfo: pg_sys::FunctionCallInfo) -> WriteGuardCall {
        let message = "pg_tviews_guard() can only be called by the triggers of tv tables";
        let data = call::data(fcinfo, pg_sys::TRIGGER_EVENT_ROW, 0, message);
        // SAFETY: the data of a statement trigger, which outlives the call, as do its relation and trigger.
        unsafe {
            let arguments = 0..(*data.tg_trigger).tgnargs as usize;
            WriteGuardCall {
                table: (*data.tg_relation).rd_id,
                operation: match data.tg_event & pg_sys::TRIGGER_EVENT_OPMASK {
                    pg_sys::TRIGGER_EVENT_UPDATE => Operation::Update,
                    pg_sys::TRIGGER_EVENT_TRUNCATE => Operation::Truncate,
                    _ => Operation::InsertOrDelete,
                },
                sets: sets(data),
                arguments: arguments
                    .map(|n| text(*(*data.tg_trigger).tgargs.add(n)))
                    .collect(),
                by_trigger: pgrx::direct_function_call::<i32>(pg_sys::pg_trigger_depth, &[]) > Some(1),
            }
        }
    }
}

unsafe fn sets(data: &pg_sys::TriggerData) -> Vec<String> {
    // SAFETY: the set holds numbers of columns of the relation, shifted as wherever columns are kept in sets.
    unsafe {
        let columns = (*data.tg_relation).rd_att;
        let mut names = Vec::new();
        let mut member = pg_sys::bms_next_member(data.tg_updatedcols, -1);
        while member >= 0 {
            let number = member + pg_sys::FirstLowInvalidHeapAttributeNumber;
            if number > 0 {
                let column = attributes(columns)[number as usize - 1];
                names.push(text(column.attname.data.as_ptr()));
            }
            member = pg_sys::bms_next_member(data.tg_updatedcols, member);
        }
        names
    }
}

unsafe fn text(name: *const std::ffi::c_char) -> String {
    // SAFETY: callers pass NUL-terminated strings.
    unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned()
}
