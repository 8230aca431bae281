//! Rows of an INSERT or UPDATE that are captured without PostgreSQL's queue of triggers, which reads each version of
//! each row again. That takes as long as the rest of capture.
//!
//! ```text
//! statement starts -> the capture trigger is off in its own copy of the triggers, and a check option is added
//!   -> after each row: the check option keeps the change keys of the row
//!   -> before its AFTER triggers fire: the keys are recorded
//! ```
//!
//! A check option is called where the row would be queued: the row is written, the new version is final, and the
//! executor still holds the old version. Keys are recorded no earlier than by the trigger. A query that starts
//! before, in a function that the statement calls, does not see the rows, and would count them as shown.
//!
//! The trigger captures what is left: rows of other commands, of tables with partitions, of statements that are
//! explained, and of very many rows. No check option is called for a deleted row.

use std::ffi::c_void;
use std::mem::size_of;
use std::ptr::{addr_of, addr_of_mut, null_mut};
use std::sync::OnceLock;

use pgrx::pg_guard;
use pgrx::pg_sys::{self, Datum, NodeTag, Oid};

use super::capture::{CaptureCall, Operation};
use super::row_triggers_off;

/// Bytes of keys that one statement keeps. The trigger captures the rows after that.
const MOST: usize = 16 << 10;
/// So many need no memory of their own.
const FEW: usize = 64;

/// Keeps a key.
pub type Keep<'k> = &'k mut dyn FnMut(&[u8]);

/// What is called around rows.
pub struct Handlers {
    /// Whether rows that a trigger of a relation captures may be captured so. Must not raise.
    pub is_simple: fn(relation: Oid, trigger: Oid) -> bool,
    /// Gives the change keys of a row away, one after the other. False: all rows of the source count as changed.
    pub keys: fn(&CaptureCall, Keep) -> bool,
    /// Records the keys of all rows of a statement; None: all rows of the source.
    pub record: fn(&CaptureCall, Option<Keys>),
}

static HANDLERS: OnceLock<Handlers> = OnceLock::new();

/// Captures rows so from now on; call once per process, from `_PG_init`.
pub fn register(handlers: Handlers) {
    HANDLERS.get_or_init(|| handlers);
}

/// Its address, in an expression, says that the expression is one of this file.
static OURS: u64 = 0;

/// PostgreSQL's own, called inside a guard: it is asked for once per statement.
mod raw {
    use pgrx::pg_sys;

    extern "C-unwind" {
        pub fn MemoryContextAllocZero(context: pg_sys::MemoryContext, size: usize) -> *mut std::ffi::c_void;
    }
}

/// An INSERT or UPDATE whose rows are captured. It lives as long as the state of the query, whose memory it is in.
#[repr(C)]
struct Statement {
    expression: pg_sys::ExprState,
    option: pg_sys::WithCheckOption,
    options: pg_sys::List,
    option_cell: pg_sys::ListCell,
    expressions: pg_sys::List,
    expression_cell: pg_sys::ListCell,
    result: *mut pg_sys::ResultRelInfo,
    context: pg_sys::MemoryContext,
    operation: Operation,
    /// The trigger in the statement's copy.
    place: *mut pg_sys::Trigger,
    /// As it was in there.
    trigger: pg_sys::Trigger,
    /// A row has a key that cannot be written.
    all: bool,
    /// Keys, each after its length.
    kept: *mut u8,
    used: usize,
    room: usize,
    few: [u8; FEW],
}

/// The keys of the rows of a statement.
pub struct Keys<'a>(&'a [u8]);

impl<'a> Iterator for Keys<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.0.split_first_chunk()?;
        let (key, rest) = rest.split_at_checked(u32::from_ne_bytes(*length) as usize)?;
        self.0 = rest;
        Some(key)
    }
}

/// The table that a query inserts into or updates, if it is one without partitions, and which of the two it does.
unsafe fn written(query: *mut pg_sys::QueryDesc) -> Option<(*mut pg_sys::ResultRelInfo, Operation)> {
    // SAFETY: callers pass a query that has been started; the type of a node says what it is.
    unsafe {
        let state = (*query).planstate;
        if state.is_null() || (*state).type_ != NodeTag::T_ModifyTableState {
            return None;
        }
        let state = &*state.cast::<pg_sys::ModifyTableState>();
        let is_one = state.mt_nrels == 1 && state.resultRelInfo == state.rootResultRelInfo;
        let operation = match state.operation {
            pg_sys::CmdType::CMD_UPDATE => Operation::Update,
            // Nothing would say which rows of ON CONFLICT DO UPDATE are updated.
            pg_sys::CmdType::CMD_INSERT if !updates_on_conflict(state) => Operation::Insert,
            _ => return None,
        };
        is_one.then_some((state.resultRelInfo, operation))
    }
}

unsafe fn updates_on_conflict(state: &pg_sys::ModifyTableState) -> bool {
    use pg_sys::OnConflictAction::{ONCONFLICT_NONE, ONCONFLICT_NOTHING};
    // SAFETY: the plan of such a state.
    let action = unsafe { (*state.ps.plan.cast::<pg_sys::ModifyTable>()).onConflictAction };
    !matches!(action, ONCONFLICT_NONE | ONCONFLICT_NOTHING)
}

/// Whether triggers of a table fire after each row of a statement, for which PostgreSQL queues the row.
fn queues_rows(triggers: &mut pg_sys::TriggerDesc, operation: Operation) -> &mut bool {
    match operation {
        Operation::Insert => &mut triggers.trig_insert_after_row,
        _ => &mut triggers.trig_update_after_row,
    }
}

/// A query has been started: if it writes rows that are to be captured, they are captured here.
///
/// # Safety
/// The query's plan has been initialized, and has not run yet; its triggers are to fire.
pub unsafe fn started(query: *mut pg_sys::QueryDesc) {
    // SAFETY: as the caller promises. A result relation has its own copy of the triggers of its open relation.
    unsafe {
        let Some((result, operation)) = written(query) else {
            return;
        };
        let Some(triggers) = (*result).ri_TrigDesc.as_mut() else {
            return;
        };
        // A trigger before an inserted row leaves it in its slot. One before an updated row may have met another
        // old version than the one in its slot.
        let meets_others = operation == Operation::Update && triggers.trig_update_before_row;
        if *queues_rows(triggers, operation)
            && !meets_others
            && (*result).ri_WithCheckOptions.is_null()
            && (*result).ri_WithCheckOptionExprs.is_null()
            && (*result).ri_FdwRoutine.is_null()
            && (*query).instrument_options == 0
        {
            begin(query, result, operation);
        }
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn begin(
    query: *mut pg_sys::QueryDesc,
    result: *mut pg_sys::ResultRelInfo,
    operation: Operation,
) {
    // SAFETY: as in the caller. What is allocated lives as long as the result relation, which points to it.
    unsafe {
        let relation = &*(*result).ri_RelationDesc;
        if (*relation.rd_rel).relkind as u8 != pg_sys::RELKIND_RELATION || (*relation.rd_rel).relispartition {
            return;
        }
        let triggers = &mut *(*result).ri_TrigDesc;
        let all = std::slice::from_raw_parts_mut(triggers.triggers, triggers.numtriggers as usize);
        let Some(handlers) = HANDLERS.get() else { return };
        let captures = |trigger: &pg_sys::Trigger| {
            fires_after_rows(trigger, operation) && (handlers.is_simple)(relation.rd_id, trigger.tgoid)
        };
        let mut capturing = all.iter().enumerate().filter(|(_, trigger)| captures(trigger));
        let (Some((index, trigger)), None) = (capturing.next(), capturing.next()) else {
            return;
        };
        if !is_plain(trigger) {
            return;
        }
        let has_others = all
            .iter()
            .enumerate()
            .any(|(other, trigger)| other != index && fires_after_rows(trigger, operation));
        let context = (*(*query).estate).es_query_cxt;
        let statement = raw::MemoryContextAllocZero(context, size_of::<Statement>()).cast::<Statement>();
        (*statement).context = context;
        (*statement).result = result;
        (*statement).operation = operation;
        (*statement).place = &raw mut all[index];
        (*statement).trigger = all[index];
        attach(statement);
        all[index].tgenabled = pg_sys::TRIGGER_DISABLED as _;
        // Without one of these, no version of a row is read again.
        *queues_rows(triggers, operation) = has_others;
    }
}

/// Makes the result relation call [`row_written`] for each row.
unsafe fn attach(statement: *mut Statement) {
    // SAFETY: the statement is zeroed but for where it belongs, and stays in its place.
    unsafe {
        let this = &mut *statement;
        this.kept = this.few.as_mut_ptr();
        this.room = FEW;
        this.expression.type_ = NodeTag::T_ExprState;
        // PostgreSQL asserts that what it evaluates as a condition was made as one.
        this.expression.flags = pg_sys::EEO_FLAG_IS_QUAL as _;
        this.expression.evalfunc = Some(row_written);
        this.expression.evalfunc_private = statement.cast();
        this.expression.expr = addr_of!(OURS).cast_mut().cast();
        this.option.type_ = NodeTag::T_WithCheckOption;
        this.option.kind = pg_sys::WCOKind::WCO_VIEW_CHECK;
        this.option_cell.ptr_value = addr_of_mut!((*statement).option).cast();
        this.expression_cell.ptr_value = addr_of_mut!((*statement).expression).cast();
        let list = |elements| pg_sys::List {
            type_: NodeTag::T_List,
            length: 1,
            max_length: 1,
            elements,
            ..Default::default()
        };
        this.options = list(addr_of_mut!((*statement).option_cell));
        this.expressions = list(addr_of_mut!((*statement).expression_cell));
        (*this.result).ri_WithCheckOptions = addr_of_mut!((*statement).options);
        (*this.result).ri_WithCheckOptionExprs = addr_of_mut!((*statement).expressions);
    }
}

fn fires_after_rows(trigger: &pg_sys::Trigger, operation: Operation) -> bool {
    let event = match operation {
        Operation::Insert => pg_sys::TRIGGER_TYPE_INSERT,
        _ => pg_sys::TRIGGER_TYPE_UPDATE,
    };
    row_triggers_off::fires_after_rows(trigger, event)
}

/// Whether a trigger fires for each row, at the end of the statement.
fn is_plain(trigger: &pg_sys::Trigger) -> bool {
    trigger.tgenabled as u8 == pg_sys::TRIGGER_FIRES_ALWAYS
        && trigger.tgnattr == 0
        && trigger.tgqual.is_null()
        && trigger.tgoldtable.is_null()
        && trigger.tgnewtable.is_null()
        && !trigger.tgdeferrable
        && !trigger.tgisclone
}

/// Called as the expression of the check option, which it passes.
#[pg_guard]
unsafe extern "C-unwind" fn row_written(
    expression: *mut pg_sys::ExprState,
    context: *mut pg_sys::ExprContext,
    is_null: *mut bool,
) -> Datum {
    // SAFETY: PostgreSQL passes the expression of the statement, and the new version of the row. The old version
    // is in the slot that the new one was made from. An INSERT has no such slot.
    unsafe {
        let statement = &mut *(*expression).evalfunc_private.cast::<Statement>();
        let trigger = statement.trigger;
        let result = &*statement.result;
        let slots = [result.ri_oldTupleSlot, (*context).ecxt_scantuple];
        let call = CaptureCall::of_row(&trigger, &*result.ri_RelationDesc, statement.operation, slots);
        if let Some(handlers) = HANDLERS.get() {
            let is_known = (handlers.keys)(&call, &mut |key| statement.keep(key));
            statement.all |= !is_known;
        }
        if statement.all || statement.used > MOST {
            statement.leave_rest_to_trigger();
        }
        *is_null = false;
        Datum::from(true)
    }
}

impl Statement {
    unsafe fn keep(&mut self, key: &[u8]) {
        const LENGTH: usize = size_of::<u32>();
        let used = self.used + LENGTH + key.len();
        // SAFETY: memory of the query, of `room` bytes, of which `used` have been written.
        unsafe {
            if used > self.room {
                let room = 2 * used;
                let place = pg_sys::MemoryContextAlloc(self.context, room).cast::<u8>();
                place.copy_from_nonoverlapping(self.kept, self.used);
                (self.kept, self.room) = (place, room);
            }
            let at = self.kept.add(self.used);
            at.copy_from_nonoverlapping((key.len() as u32).to_ne_bytes().as_ptr(), LENGTH);
            at.add(LENGTH).copy_from_nonoverlapping(key.as_ptr(), key.len());
        }
        self.used = used;
    }

    unsafe fn leave_rest_to_trigger(&mut self) {
        // SAFETY: the result relation, and its triggers, live longer than this.
        unsafe {
            (*self.place).tgenabled = self.trigger.tgenabled;
            *queues_rows(&mut *(*self.result).ri_TrigDesc, self.operation) = true;
            (*self.result).ri_WithCheckOptions = null_mut();
        }
    }
}

/// The rows of a query have been written, and its AFTER triggers have not fired yet.
///
/// # Safety
/// The query has been started, and has not ended.
pub unsafe fn rows_written(query: *mut pg_sys::QueryDesc) {
    // SAFETY: as the caller promises. Expressions of check options are in a list of such.
    unsafe {
        let Some((result, _)) = written(query) else { return };
        let Some(expressions) = (*result).ri_WithCheckOptionExprs.as_ref() else {
            return;
        };
        let expression = (*expressions.elements).ptr_value.cast::<pg_sys::ExprState>();
        // An option that is always met has no expression.
        if !expression.is_null() && (*expression).expr.cast_const().cast() == addr_of!(OURS) {
            let statement = (*expression).evalfunc_private.cast::<Statement>();
            if (*statement).used > 0 || (*statement).all {
                record(statement.cast());
            }
        }
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn record(statement: *mut c_void) {
    // SAFETY: a statement whose query has not ended.
    unsafe {
        let statement = &mut *statement.cast::<Statement>();
        let trigger = statement.trigger;
        let relation = &*(*statement.result).ri_RelationDesc;
        let call = CaptureCall::of_row(&trigger, relation, statement.operation, [null_mut(); 2]);
        let all = std::mem::take(&mut statement.all);
        let kept = std::slice::from_raw_parts(statement.kept, std::mem::take(&mut statement.used));
        if let Some(handlers) = HANDLERS.get() {
            (handlers.record)(&call, (!all).then_some(Keys(kept)));
        }
    }
}
