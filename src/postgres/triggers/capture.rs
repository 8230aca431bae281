//! The capture trigger of source tables: its C entry point, and its calls as safe code sees them.

use std::ffi::CStr;
use std::sync::OnceLock;

use pgrx::pg_guard;
use pgrx::pg_sys::{self, Datum, Oid};

use super::call::refuse;
use crate::postgres::column::{Column, Row};

static CAPTURE: OnceLock<fn(&CaptureCall)> = OnceLock::new();

/// Makes the capture trigger call this function; call once per process, from `_PG_init`.
pub fn register(capture: fn(&CaptureCall)) {
    CAPTURE.get_or_init(|| capture);
}

/// What happened to the rows behind a set of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Operation {
    Insert,
    Update,
    Delete,
    Truncate,
    /// Not a change: a session asked for these keys of a TVIEW to be recomputed.
    Refresh,
}

/// One call of the capture trigger.
pub struct CaptureCall<'a> {
    trigger: &'a pg_sys::Trigger,
    relation: &'a pg_sys::RelationData,
    pub operation: Operation,
    /// False: the statement as a whole, no row at hand.
    pub for_each_row: bool,
    old: *mut pg_sys::TupleTableSlot,
    new: *mut pg_sys::TupleTableSlot,
}

impl<'a> CaptureCall<'a> {
    /// What a trigger would be called with for a row.
    ///
    /// # Safety
    /// The relation is open, and the trigger one of its triggers. The slots of the row before and after the change
    /// are null or hold a row of the relation, and stay as they are while the result is used.
    pub(super) unsafe fn of_row(
        trigger: &'a pg_sys::Trigger,
        relation: &'a pg_sys::RelationData,
        operation: Operation,
        [old, new]: [*mut pg_sys::TupleTableSlot; 2],
    ) -> Self {
        CaptureCall {
            trigger,
            relation,
            operation,
            for_each_row: true,
            old,
            new,
        }
    }

    /// Reads the call; raises an ERROR if it is not one of an AFTER trigger.
    ///
    /// # Safety
    /// `fcinfo` must be valid and outlive the result.
    unsafe fn of(fcinfo: pg_sys::FunctionCallInfo) -> CaptureCall<'a> {
        // SAFETY: as the caller promises. Checked to be trigger data, which outlives the call, as do its
        // relation and trigger.
        unsafe {
            if !pgrx::trigger_support::called_as_trigger(fcinfo) {
                refuse("pg_tviews_capture() can only be called as a trigger");
            }
            let data = &*(*fcinfo).context.cast::<pg_sys::TriggerData>();
            if data.tg_event & pg_sys::TRIGGER_EVENT_TIMINGMASK != pg_sys::TRIGGER_EVENT_AFTER {
                refuse("pg_tviews_capture() can only be called by an AFTER trigger");
            }
            let (row, none) = (data.tg_trigslot, std::ptr::null_mut());
            let (operation, old, new) = match data.tg_event & pg_sys::TRIGGER_EVENT_OPMASK {
                pg_sys::TRIGGER_EVENT_INSERT => (Operation::Insert, none, row),
                pg_sys::TRIGGER_EVENT_UPDATE => (Operation::Update, row, data.tg_newslot),
                pg_sys::TRIGGER_EVENT_DELETE => (Operation::Delete, row, none),
                _ => (Operation::Truncate, none, none),
            };
            CaptureCall {
                trigger: &*data.tg_trigger,
                relation: &*data.tg_relation,
                operation,
                for_each_row: data.tg_event & pg_sys::TRIGGER_EVENT_ROW != 0,
                old,
                new,
            }
        }
    }

    /// The relation that fired, a leaf if it belongs to a partitioned table.
    pub fn relation(&self) -> Oid {
        self.relation.rd_id
    }

    pub fn is_partition(&self) -> bool {
        // SAFETY: the relation is open while its trigger runs.
        unsafe { (*self.relation.rd_rel).relispartition }
    }

    pub fn trigger(&self) -> Oid {
        self.trigger.tgoid
    }

    /// Whether the trigger was put here by the one of a partitioned table above.
    pub fn is_clone(&self) -> bool {
        self.trigger.tgisclone
    }

    /// Whether each change of a row makes exactly one call for its source: no other trigger of the relation
    /// captures the same source, which `source` tells from relation, trigger and whether the trigger is a
    /// clone; and this one has no condition, and fires always.
    pub fn is_exact(&self, source: fn(Oid, Oid, bool) -> Oid) -> bool {
        const EVENTS: i16 =
            (pg_sys::TRIGGER_TYPE_INSERT | pg_sys::TRIGGER_TYPE_UPDATE | pg_sys::TRIGGER_TYPE_DELETE) as i16;
        let is_whole = |trigger: &pg_sys::Trigger| {
            trigger.tgtype & EVENTS == EVENTS
                && trigger.tgnattr == 0
                && trigger.tgqual.is_null()
                && trigger.tgenabled as u8 == pg_sys::TRIGGER_FIRES_ALWAYS
        };
        let relation = self.relation();
        let captures = |trigger: &pg_sys::Trigger| {
            trigger.tgfoid == self.trigger.tgfoid && trigger.tgtype & pg_sys::TRIGGER_TYPE_ROW as i16 != 0
        };
        let of = |trigger: &pg_sys::Trigger| source(relation, trigger.tgoid, trigger.tgisclone);
        // SAFETY: the relation is open while its trigger runs; its cache entry lists `numtriggers` triggers.
        let triggers = unsafe {
            let all = &*self.relation.trigdesc;
            std::slice::from_raw_parts(all.triggers, all.numtriggers as usize)
        };
        let mine = of(self.trigger);
        is_whole(self.trigger) && triggers.iter().filter(|t| captures(t) && of(t) == mine).count() == 1
    }

    /// First argument of the trigger; empty if it has none.
    pub fn argument(&self) -> &[u8] {
        match self.trigger.tgnargs {
            0 => &[],
            // SAFETY: the relation cache holds `tgnargs` NUL-terminated strings.
            _ => unsafe { CStr::from_ptr(*self.trigger.tgargs).to_bytes() },
        }
    }

    /// Columns of the relation that fired.
    pub fn columns(&self) -> Vec<Column> {
        // SAFETY: the relation is open and locked while its trigger runs.
        unsafe { Column::all(self.relation.rd_att) }
    }

    /// The row before the change, for UPDATE and DELETE.
    pub fn old_row(&self, columns: usize) -> Option<Row<'a>> {
        // SAFETY: the executor fills this slot for each of its row triggers.
        unsafe { self.row(self.old, columns) }
    }

    /// The row after the change, for INSERT and UPDATE.
    pub fn new_row(&self, columns: usize) -> Option<Row<'a>> {
        // SAFETY: as above.
        unsafe { self.row(self.new, columns) }
    }

    unsafe fn row(&self, slot: *mut pg_sys::TupleTableSlot, columns: usize) -> Option<Row<'a>> {
        // SAFETY: callers pass a slot of the running call, empty or filled by the executor.
        unsafe { (self.for_each_row && !slot.is_null()).then(|| Row::read(slot, columns)) }
    }
}

/// Declares to PostgreSQL how to call [`pg_tviews_capture`].
#[unsafe(no_mangle)]
pub extern "C" fn pg_finfo_pg_tviews_capture() -> &'static pg_sys::Pg_finfo_record {
    const VERSION_1: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };
    &VERSION_1
}

/// The trigger function; see `sql/install/capture.sql`.
///
/// # Safety
/// Called by PostgreSQL's function manager only.
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn pg_tviews_capture(fcinfo: pg_sys::FunctionCallInfo) -> Datum {
    // SAFETY: as the caller promises.
    let call = unsafe { CaptureCall::of(fcinfo) };
    if let Some(capture) = CAPTURE.get() {
        capture(&call);
    }
    Datum::from(0)
}
