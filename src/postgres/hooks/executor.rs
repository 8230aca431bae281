//! ExecutorStart: announces each query that starts in a transaction with changes, or with a bound on how late
//! its rows may be. ExecutorEnd: keeps the list of such queries, and of statements that write, until they end.

use std::cell::{Cell, RefCell};
use std::ffi::CStr;
use std::sync::OnceLock;

use pgrx::pg_sys::{self, Oid};

use super::{row_counts, transaction_events};
use crate::postgres::fresh_view;
use crate::postgres::triggers::unqueued;
use crate::postgres::versions::permissions;

/// PostgreSQL's own, declared here because pgrx's declarations convert errors.
mod raw {
    use pgrx::pg_sys;

    #[allow(improper_ctypes)]
    extern "C-unwind" {
        pub fn standard_ExecutorStart(query: *mut pg_sys::QueryDesc, flags: std::ffi::c_int);
        pub fn standard_ExecutorEnd(query: *mut pg_sys::QueryDesc);
    }
}

/// A query about to start.
pub struct Query {
    pub description: *mut pg_sys::QueryDesc,
}

/// A query from its start to its end.
struct Running {
    query: *mut pg_sys::QueryDesc,
    level: u32,
    snapshot: pg_sys::Snapshot,
    /// The tables whose rows it writes or locks.
    written: Vec<Oid>,
}

thread_local! {
    /// Whether queries are announced. Read for every query.
    static ANNOUNCED: Cell<bool> = const { Cell::new(false) };
    /// Queries that write or lock rows, and queries with a bound.
    static RUNNING: RefCell<Vec<Running>> = const { RefCell::new(Vec::new()) };
}

/// What is called before a query starts.
pub struct Before {
    /// Whether the session has a bound. Asked before every query: it must be cheap, and raise nothing.
    pub is_bounded: fn() -> bool,
    /// Called first, where there is a bound.
    pub keep_bound: fn(&mut Query),
    /// Called where queries are announced.
    pub preview: fn(&mut Query),
}

/// What is called around statements that write rows: those of the executor, and COPY FROM.
pub struct Writes {
    /// Whether anything is to be called. Asked before every such statement: it must be cheap, and raise
    /// nothing.
    pub are_watched: fn() -> bool,
    /// Called before the statement opens its tables, with the tables that it names.
    pub before: fn(&[Oid]),
    pub after: fn(),
}

static BEFORE: OnceLock<Before> = OnceLock::new();
static WRITES: OnceLock<Writes> = OnceLock::new();
static mut NEXT_START: pg_sys::ExecutorStart_hook_type = None;
static mut NEXT_END: pg_sys::ExecutorEnd_hook_type = None;

/// Whether queries are announced to [`Before::preview`] from now on.
pub fn announce_queries(announce: bool) {
    ANNOUNCED.set(announce);
}

/// Whether queries are announced.
pub fn announces_queries() -> bool {
    ANNOUNCED.get()
}

/// Puts the hooks in front of those already installed; call once per process, from `_PG_init`.
pub fn install(before: Before) {
    BEFORE.get_or_init(|| before);
    // SAFETY: the process is single-threaded and runs _PG_init once.
    unsafe {
        NEXT_START = pg_sys::ExecutorStart_hook;
        pg_sys::ExecutorStart_hook = Some(start);
        NEXT_END = pg_sys::ExecutorEnd_hook;
        pg_sys::ExecutorEnd_hook = Some(end);
    }
}

/// Has these called around statements that write; call once per process, from `_PG_init`.
pub fn watch_writes(writes: Writes) {
    WRITES.get_or_init(|| writes);
}

/// Whether functions given to [`watch_writes`] are called.
pub fn writes_are_watched() -> bool {
    WRITES.get().is_some_and(|writes| (writes.are_watched)())
}

/// A statement is about to write these tables.
pub fn before_write(tables: &[Oid]) {
    if let Some(writes) = WRITES.get() {
        (writes.before)(tables);
    }
}

/// The statement has written.
pub fn after_write() {
    if let Some(writes) = WRITES.get() {
        (writes.after)();
    }
}

/// Deliberately without `#[pg_guard]`: an ERROR of the query jumps over this frame, which owns nothing. Code
/// of the extension that can raise or panic runs behind the guards of `before` and `enter`.
unsafe extern "C-unwind" fn start(query: *mut pg_sys::QueryDesc, flags: std::ffi::c_int) {
    // SAFETY: PostgreSQL passes a valid description of the query; it is handed on as it came.
    unsafe {
        let explained_only = flags & pg_sys::EXEC_FLAG_EXPLAIN_ONLY as std::ffi::c_int != 0;
        if !explained_only && writes_rows(query) && writes_are_watched() {
            before_writing(query);
        }
        if !explained_only && may_call_before() {
            before(query);
        }
        match NEXT_START {
            Some(next) => next(query, flags),
            None => raw::standard_ExecutorStart(query, flags),
        }
        if row_counts::is_armed() && !explained_only {
            row_counts::count(query);
        }
        let plan = (*query).plannedstmt;
        let writes = !(*plan).resultRelations.is_null() || !(*plan).rowMarks.is_null();
        if (writes || is_bounded()) && !explained_only {
            enter(query);
        }
        let fires_triggers = flags & pg_sys::EXEC_FLAG_SKIP_TRIGGERS as std::ffi::c_int == 0;
        if writes && !explained_only && fires_triggers {
            unqueued::started(query);
        }
    }
}

/// As [`start`].
unsafe extern "C-unwind" fn end(query: *mut pg_sys::QueryDesc) {
    // SAFETY: as above.
    unsafe {
        // Does nothing, unless a hook of another extension has finished the query without those of others.
        unqueued::rows_written(query);
        leave(query);
        if writes_rows(query) && writes_are_watched() {
            after_writing();
        }
        match NEXT_END {
            Some(next) => next(query),
            None => raw::standard_ExecutorEnd(query),
        }
    }
}

/// Whether functions given to [`install`] are called before queries.
pub fn may_call_before() -> bool {
    ANNOUNCED.get() || is_bounded()
}

unsafe fn writes_rows(query: *mut pg_sys::QueryDesc) -> bool {
    // SAFETY: the description is valid.
    unsafe { !(*(*query).plannedstmt).resultRelations.is_null() }
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn before_writing(query: *mut pg_sys::QueryDesc) {
    before_write(&Query { description: query }.results());
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn after_writing() {
    after_write();
}

fn is_bounded() -> bool {
    BEFORE.get().is_some_and(|before| (before.is_bounded)())
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn before(query: *mut pg_sys::QueryDesc) {
    let mut query = Query { description: query };
    let Some(before) = BEFORE.get().filter(|_| query.may_be_helped()) else {
        return;
    };
    if (before.is_bounded)() {
        (before.keep_bound)(&mut query);
    }
    if ANNOUNCED.get() {
        (before.preview)(&mut query);
    }
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn enter(query: *mut pg_sys::QueryDesc) {
    let running = Running {
        query,
        level: transaction_events::current_subtransaction(),
        // SAFETY: the description is valid.
        snapshot: unsafe { (*query).snapshot },
        written: Query { description: query }.written(),
    };
    RUNNING.with_borrow_mut(|all| all.push(running));
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn leave(query: *mut pg_sys::QueryDesc) {
    RUNNING.with_borrow_mut(|all| all.retain(|running| running.query != query));
}

/// Whether a statement that writes or locks rows is running: the next one belongs to a function that it
/// calls, or to a trigger.
pub fn writes_already() -> bool {
    RUNNING.with_borrow(|all| all.iter().any(|running| !running.written.is_empty())) || in_trigger()
}

fn in_trigger() -> bool {
    // SAFETY: a function without arguments.
    unsafe { pgrx::direct_function_call::<i32>(pg_sys::pg_trigger_depth, &[]) > Some(0) }
}

/// Whether a statement that is still running writes or locks rows of a table.
pub fn is_being_written(table: Oid) -> bool {
    RUNNING.with_borrow(|all| all.iter().any(|running| running.written.contains(&table)))
}

/// Whether a statement that writes is still running, and the active snapshot sees what it has written: in its
/// triggers, and in functions that it calls. Its changes may not be captured yet.
pub fn sees_unfinished_writes() -> bool {
    if in_trigger() {
        return true;
    }
    // SAFETY: the descriptions of running statements, which have their states.
    unsafe {
        let command = (*pg_sys::GetActiveSnapshot()).curcid;
        let is_seen = |running: &Running| {
            let writes = !running.written.is_empty();
            let state = (*running.query).estate.as_ref();
            writes && state.is_some_and(|state| state.es_output_cid < command)
        };
        RUNNING.with_borrow(|all| all.iter().any(is_seen))
    }
}

/// See [`transaction_events::register`].
pub fn on_transaction(event: transaction_events::TransactionEvent) {
    if event != transaction_events::TransactionEvent::BeforeEnd {
        RUNNING.with(|all| {
            if let Ok(mut all) = all.try_borrow_mut() {
                all.clear();
            }
        });
    }
}

/// See [`transaction_events::register`]. Statements that failed do not come to their end.
pub fn on_subtransaction(event: transaction_events::SubtransactionEvent) {
    RUNNING.with_borrow_mut(|all| match event {
        transaction_events::SubtransactionEvent::BeforeCommit { .. } => {}
        transaction_events::SubtransactionEvent::Committed {
            subtransaction,
            parent,
        } => {
            for running in all.iter_mut().filter(|running| running.level >= subtransaction) {
                running.level = parent;
            }
        }
        transaction_events::SubtransactionEvent::Aborted { subtransaction } => {
            all.retain(|running| running.level < subtransaction);
        }
    });
}

/// Whether an entry of a range table is the table of a TVIEW in its fresh view.
fn is_of_fresh_view(entry: &pg_sys::RangeTblEntry) -> bool {
    // SAFETY: the names of an entry of a valid plan, if it has any.
    unsafe {
        let names = entry.eref.as_ref().filter(|names| !names.aliasname.is_null());
        names.is_some_and(|names| CStr::from_ptr(names.aliasname).to_bytes() == fresh_view::ALIAS.as_bytes())
    }
}

impl Query {
    /// Whether previews can be made for the query, and a bound be kept. Not for queries without an MVCC
    /// snapshot, for queries of foreign keys, and inside a parallel plan, where nothing may be written.
    fn may_be_helped(&self) -> bool {
        // SAFETY: the description is valid; a snapshot is null or valid.
        unsafe {
            let snapshot = (*self.description).snapshot;
            !snapshot.is_null()
                && (*snapshot).snapshot_type == pg_sys::SnapshotType::SNAPSHOT_MVCC
                && (*self.description).crosscheck_snapshot.is_null()
                && !pg_sys::InNoForceRLSOperation()
                && !pg_sys::IsInParallelMode()
        }
    }

    /// Whether a query with a bound that is still running has the same snapshot: it calls a function that is
    /// not VOLATILE, and the query is one of that function.
    pub fn shares_snapshot(&self) -> bool {
        // SAFETY: the description is valid.
        let snapshot = unsafe { (*self.description).snapshot };
        RUNNING.with_borrow(|all| all.iter().any(|running| running.snapshot == snapshot))
    }

    /// Every table it reads or writes, also below views and in sub-selects. Not the tables of TVIEWs that it
    /// reads through their fresh views: these show what the tables do not.
    pub fn tables(&self) -> Vec<Oid> {
        self.range_table()
            .into_iter()
            .filter(|entry| entry.rtekind == pg_sys::RTEKind::RTE_RELATION && !is_of_fresh_view(entry))
            .map(|entry| entry.relid)
            .collect()
    }

    /// The same without the table that an INSERT writes to.
    pub fn tables_read(&self) -> Vec<Oid> {
        // SAFETY: the description is valid.
        let inserts = unsafe { (*self.description).operation == pg_sys::CmdType::CMD_INSERT };
        let written = if inserts { self.written() } else { Vec::new() };
        let mut tables = self.tables();
        tables.retain(|table| !written.contains(table));
        tables
    }

    /// Raises the ERROR of a query that its role may not run, which would come later otherwise.
    pub fn check_permissions(&self) {
        // SAFETY: the description is valid.
        unsafe { permissions::check((*self.description).plannedstmt) }
    }

    /// Whether it reads a fresh view.
    pub fn reads_fresh_view(&self) -> bool {
        self.range_table().into_iter().any(is_of_fresh_view)
    }

    /// The tables whose rows it writes or locks.
    fn written(&self) -> Vec<Oid> {
        // SAFETY: a list of a valid plan, of PlanRowMark nodes.
        let locked: Vec<Oid> = unsafe {
            let marks = (*(*self.description).plannedstmt).rowMarks;
            let marks = pgrx::PgList::<pg_sys::PlanRowMark>::from_pg(marks);
            let marks = marks
                .iter_ptr()
                .filter(|mark| (**mark).markType < pg_sys::RowMarkType::ROW_MARK_REFERENCE);
            marks
                .filter_map(|mark| self.table_at((*mark).rti as usize))
                .collect()
        };
        let mut written = self.results();
        written.extend(locked);
        written
    }

    /// The tables whose rows it writes, as it names them.
    fn results(&self) -> Vec<Oid> {
        // SAFETY: a list of integers of a valid plan.
        let results = unsafe {
            pgrx::PgList::<std::ffi::c_void>::from_pg((*(*self.description).plannedstmt).resultRelations)
        };
        let results = (0..results.len()).filter_map(|place| results.get_int(place));
        results
            .filter_map(|index| self.table_at(index as usize))
            .collect()
    }

    /// The table at an index of the range table, which counts from 1.
    fn table_at(&self, index: usize) -> Option<Oid> {
        Some(self.range_table().get(index.checked_sub(1)?)?.relid)
    }

    fn range_table(&self) -> Vec<&pg_sys::RangeTblEntry> {
        // SAFETY: the range table of a valid plan holds entries that live as long as the query.
        unsafe {
            let plan = (*self.description).plannedstmt;
            let entries = pgrx::PgList::<pg_sys::RangeTblEntry>::from_pg((*plan).rtable);
            entries.iter_ptr().map(|entry| &*entry).collect()
        }
    }
}
