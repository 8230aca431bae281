//! ExecutorStart: announces each query that starts in a transaction with changes. ExecutorEnd: keeps the list
//! of statements that write and are still running.

use std::cell::{Cell, RefCell};
use std::sync::OnceLock;

use pgrx::pg_sys::{self, Oid};

use super::transaction_events;

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

/// A statement that writes or locks rows of tables, from its start to its end.
struct Writer {
    query: *mut pg_sys::QueryDesc,
    level: u32,
    tables: Vec<Oid>,
}

thread_local! {
    /// Whether queries are announced. Read for every query.
    static ANNOUNCED: Cell<bool> = const { Cell::new(false) };
    static WRITERS: RefCell<Vec<Writer>> = const { RefCell::new(Vec::new()) };
}

static BEFORE: OnceLock<fn(&mut Query)> = OnceLock::new();
static mut NEXT_START: pg_sys::ExecutorStart_hook_type = None;
static mut NEXT_END: pg_sys::ExecutorEnd_hook_type = None;

/// Whether queries are announced to the function given to [`install`] from now on.
pub fn announce_queries(announce: bool) {
    ANNOUNCED.set(announce);
}

/// Whether queries are announced.
pub fn announces_queries() -> bool {
    ANNOUNCED.get()
}

/// Puts the hooks in front of those already installed; call once per process, from `_PG_init`. `before` is
/// called before a query starts, while queries are announced.
pub fn install(before: fn(&mut Query)) {
    BEFORE.get_or_init(|| before);
    // SAFETY: the process is single-threaded and runs _PG_init once.
    unsafe {
        NEXT_START = pg_sys::ExecutorStart_hook;
        pg_sys::ExecutorStart_hook = Some(start);
        NEXT_END = pg_sys::ExecutorEnd_hook;
        pg_sys::ExecutorEnd_hook = Some(end);
    }
}

/// Deliberately without `#[pg_guard]`: an ERROR of the query jumps over this frame, which owns nothing. Code
/// of the extension that can raise or panic runs behind the guards of `before` and `enter`.
unsafe extern "C-unwind" fn start(query: *mut pg_sys::QueryDesc, flags: std::ffi::c_int) {
    // SAFETY: PostgreSQL passes a valid description of the query; it is handed on as it came.
    unsafe {
        let explained_only = flags & pg_sys::EXEC_FLAG_EXPLAIN_ONLY as std::ffi::c_int != 0;
        if ANNOUNCED.get() && !explained_only {
            before(query);
        }
        match NEXT_START {
            Some(next) => next(query, flags),
            None => raw::standard_ExecutorStart(query, flags),
        }
        let plan = (*query).plannedstmt;
        let writes = !(*plan).resultRelations.is_null() || !(*plan).rowMarks.is_null();
        if writes && !explained_only {
            enter(query);
        }
    }
}

/// As [`start`].
unsafe extern "C-unwind" fn end(query: *mut pg_sys::QueryDesc) {
    // SAFETY: as above.
    unsafe {
        leave(query);
        match NEXT_END {
            Some(next) => next(query),
            None => raw::standard_ExecutorEnd(query),
        }
    }
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn before(query: *mut pg_sys::QueryDesc) {
    let mut query = Query { description: query };
    if let Some(before) = BEFORE.get().filter(|_| query.may_be_helped()) {
        before(&mut query);
    }
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn enter(query: *mut pg_sys::QueryDesc) {
    let tables = Query { description: query }.written();
    let level = transaction_events::current_subtransaction();
    WRITERS.with_borrow_mut(|writers| writers.push(Writer { query, level, tables }));
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn leave(query: *mut pg_sys::QueryDesc) {
    WRITERS.with_borrow_mut(|writers| writers.retain(|writer| writer.query != query));
}

/// Whether a statement that is still running writes or locks rows of a table.
pub fn is_being_written(table: Oid) -> bool {
    WRITERS.with_borrow(|writers| writers.iter().any(|writer| writer.tables.contains(&table)))
}

/// See [`transaction_events::register`].
pub fn on_transaction(event: transaction_events::TransactionEvent) {
    if event != transaction_events::TransactionEvent::BeforeEnd {
        WRITERS.with(|writers| {
            if let Ok(mut writers) = writers.try_borrow_mut() {
                writers.clear();
            }
        });
    }
}

/// See [`transaction_events::register`]. Statements that failed do not come to their end.
pub fn on_subtransaction(event: transaction_events::SubtransactionEvent) {
    WRITERS.with_borrow_mut(|writers| match event {
        transaction_events::SubtransactionEvent::BeforeCommit { .. } => {}
        transaction_events::SubtransactionEvent::Committed {
            subtransaction,
            parent,
        } => {
            for writer in writers.iter_mut().filter(|w| w.level >= subtransaction) {
                writer.level = parent;
            }
        }
        transaction_events::SubtransactionEvent::Aborted { subtransaction } => {
            writers.retain(|writer| writer.level < subtransaction);
        }
    });
}

impl Query {
    /// Whether previews can be made for the query. Not for queries without an MVCC snapshot, for queries of
    /// foreign keys, and inside a parallel plan, where nothing may be written.
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

    /// Every table it reads or writes, also below views and in sub-selects.
    pub fn tables(&self) -> Vec<Oid> {
        self.range_table()
            .into_iter()
            .filter(|entry| entry.rtekind == pg_sys::RTEKind::RTE_RELATION)
            .map(|entry| entry.relid)
            .collect()
    }

    /// The tables whose rows it writes or locks.
    fn written(&self) -> Vec<Oid> {
        // SAFETY: lists of a valid plan: range table entries, integers, and PlanRowMark nodes.
        unsafe {
            let plan = (*self.description).plannedstmt;
            let entries = pgrx::PgList::<pg_sys::RangeTblEntry>::from_pg((*plan).rtable);
            let table = |index: usize| Some((*entries.get_ptr(index.checked_sub(1)?)?).relid);
            let results = pgrx::PgList::<std::ffi::c_void>::from_pg((*plan).resultRelations);
            let results = (0..results.len()).filter_map(|n| results.get_int(n));
            let marks = pgrx::PgList::<pg_sys::PlanRowMark>::from_pg((*plan).rowMarks);
            let marks = marks
                .iter_ptr()
                .filter(|mark| (**mark).markType < pg_sys::RowMarkType::ROW_MARK_REFERENCE)
                .map(|mark| (*mark).rti as usize);
            results
                .map(|index| index as usize)
                .chain(marks)
                .filter_map(table)
                .collect()
        }
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
