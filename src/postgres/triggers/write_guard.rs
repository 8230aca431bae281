//! The statement trigger of a tv table as safe code sees it.

use std::ffi::CStr;

use pgrx::pg_sys::{self, Oid};
use pgrx::PgSqlErrorCode;

use crate::error::Problem;

/// What the statement does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    InsertOrDelete,
    Update,
    /// It has been done already.
    Truncate,
}

/// A statement that writes a tv table.
pub struct Write {
    pub table: Oid,
    pub kind: Kind,
    /// The columns an UPDATE sets.
    pub sets: Vec<String>,
    /// The arguments of the trigger.
    pub arguments: Vec<String>,
    /// Made by another trigger, that of a foreign key included.
    pub by_trigger: bool,
}

/// Reads the call; raises an ERROR if it is not one of our trigger.
#[allow(clippy::not_unsafe_ptr_arg_deref)] // Only PostgreSQL makes call infos, and passes them on valid.
pub fn read(fcinfo: pg_sys::FunctionCallInfo) -> Write {
    // SAFETY: checked to be the data of a statement trigger, which outlives the call, as do its relation and trigger.
    unsafe {
        let refuse = || {
            Problem::new(
                PgSqlErrorCode::ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED,
                "pg_tviews_guard() can only be called by the triggers of tv tables",
            )
            .raise()
        };
        if !pgrx::trigger_support::called_as_trigger(fcinfo) {
            refuse();
        }
        let data = &*(*fcinfo).context.cast::<pg_sys::TriggerData>();
        if data.tg_event & pg_sys::TRIGGER_EVENT_ROW != 0 {
            refuse();
        }
        let arguments = 0..(*data.tg_trigger).tgnargs as usize;
        Write {
            table: (*data.tg_relation).rd_id,
            kind: match data.tg_event & pg_sys::TRIGGER_EVENT_OPMASK {
                pg_sys::TRIGGER_EVENT_UPDATE => Kind::Update,
                pg_sys::TRIGGER_EVENT_TRUNCATE => Kind::Truncate,
                _ => Kind::InsertOrDelete,
            },
            sets: sets(data),
            arguments: arguments
                .map(|n| text(*(*data.tg_trigger).tgargs.add(n)))
                .collect(),
            by_trigger: pgrx::direct_function_call::<i32>(pg_sys::pg_trigger_depth, &[]) > Some(1),
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
                let column = (*columns).attrs.as_slice((*columns).natts as usize)[number as usize - 1];
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
