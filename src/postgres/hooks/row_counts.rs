//! Counts the rows that a statement reads, and those that it writes, while it runs. The function by which a node
//! of its plan returns a row is replaced by one that also counts the row. That is one more call per row; other
//! statements pay nothing.
//!
//! Rows are counted where scans return them, because nodes above may return nothing for long: a sort, a hash, an
//! aggregate; and again where the rows are complete that the statement is for. What a node writes is counted
//! where it takes the row from the node below.

use std::cell::Cell;
use std::ffi::{c_void, CStr};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicI64, AtomicPtr, AtomicUsize};

use pgrx::pg_sys::{self, NodeTag, PlanState, TupleTableSlot};

use super::row_watch;
use crate::postgres::versions::plan_state_walker;

/// What is counted, and where.
#[derive(Clone, Copy)]
pub struct Counters {
    pub read: &'static AtomicI64,
    /// Rows of the WITH query `compared`; without one, rows that are to be written.
    pub computed: &'static AtomicI64,
    pub written: &'static AtomicI64,
    /// Called when the statement starts.
    pub expect: fn(Expected),
}

impl Counters {
    /// Nobody reads these.
    pub fn unseen() -> Counters {
        static UNSEEN: AtomicI64 = AtomicI64::new(0);
        Counters {
            read: &UNSEEN,
            computed: &UNSEEN,
            written: &UNSEEN,
            expect: |_| {},
        }
    }
}

/// What the planner expects of a statement.
#[derive(Debug, Clone, Copy, Default)]
pub struct Expected {
    pub read: f64,
    pub computed: f64,
    /// The share of the work until the first row is computed.
    pub before_first: f64,
}

/// Whose rows are counted.
#[derive(Clone, Copy)]
enum Armed {
    /// Those of the next statement that writes.
    Write(Counters),
    /// Those of all statements that do not write. Functions may run some before the one that is meant: when that one
    /// is planned.
    Reads(Counters),
}

thread_local! {
    static ARMED: Cell<Option<Armed>> = const { Cell::new(None) };
}

/// Runs `work`, and counts the rows of the first statement in it that writes.
pub fn counting<R>(counters: Option<Counters>, work: impl FnOnce() -> R) -> R {
    armed(counters.map(Armed::Write), work)
}

/// Runs `work`, and counts the rows of the statements in it that do not write.
pub fn counting_reads<R>(counters: Option<Counters>, work: impl FnOnce() -> R) -> R {
    armed(counters.map(Armed::Reads), work)
}

fn armed<R>(armed: Option<Armed>, work: impl FnOnce() -> R) -> R {
    struct Disarm;
    impl Drop for Disarm {
        fn drop(&mut self) {
            ARMED.set(None);
        }
    }
    let _disarm = Disarm;
    ARMED.set(armed);
    work()
}

/// Whether rows of a statement that starts may be counted. Asked for every query.
pub(super) fn is_armed() -> bool {
    ARMED.get().is_some()
}

/// Counts the rows of a statement that has been started, if it is one that is meant.
///
/// # Safety
/// The description is that of a query whose plan has been initialized, and has not run yet.
#[pgrx::pg_guard]
pub(super) unsafe extern "C-unwind" fn count(query: *mut pg_sys::QueryDesc) {
    // SAFETY: as the caller promises; the nodes are changed before any of them runs.
    unsafe {
        let writes = !(*(*query).plannedstmt).resultRelations.is_null();
        let counters = match ARMED.get() {
            Some(Armed::Write(counters)) if writes => {
                ARMED.set(None);
                counters
            }
            Some(Armed::Reads(counters)) if !writes => counters,
            _ => return,
        };
        let mut expected = Expected::default();
        let top = (*query).planstate;
        let mut walk = Walk {
            parent: std::ptr::null_mut(),
            loops: 1.0,
            counters,
            expected: &raw mut expected,
        };
        if let Some(compared) = with_query(top, c"CTE compared") {
            walk.compute(compared);
        }
        visit(top, (&raw mut walk).cast());
        (counters.expect)(expected);
    }
}

/// The plan of a WITH query of a statement.
unsafe fn with_query(top: *mut PlanState, name: &CStr) -> Option<*mut PlanState> {
    // SAFETY: a list of SubPlanState nodes, each with its plan, which has a name.
    unsafe {
        let all = pgrx::PgList::<pg_sys::SubPlanState>::from_pg((*top).initPlan);
        let is_it = |of: &*mut pg_sys::SubPlanState| CStr::from_ptr((*(**of).subplan).plan_name) == name;
        let found = all.iter_ptr().find(is_it);
        found.map(|of| (*of).planstate)
    }
}

/// The way to a node.
struct Walk {
    parent: *mut PlanState,
    /// How often the parent is executed, as the planner estimates it.
    loops: f64,
    counters: Counters,
    expected: *mut Expected,
}

/// Counts the rows of a node and of those below it. A [`plan_state_walker::Walker`] with a [`Walk`].
unsafe extern "C-unwind" fn visit(node: *mut PlanState, context: *mut c_void) -> bool {
    // SAFETY: called with a node of the plan, and with the walk that the caller made.
    unsafe {
        let walk = &*context.cast::<Walk>();
        let loops = walk.loops_of(node);
        if is_scan((*node).type_) {
            (*walk.expected).read += loops * rows(node);
            replace(node, walk.counters.read);
        }
        if (*node).type_ == NodeTag::T_ModifyTableState && !(*node).lefttree.is_null() {
            if (*walk.expected).computed == 0.0 {
                walk.compute((*node).lefttree);
            }
            replace((*node).lefttree, walk.counters.written);
        }
        let mut below = Walk {
            parent: node,
            loops,
            ..*walk
        };
        plan_state_walker::children(node, visit, (&raw mut below).cast());
        false
    }
}

impl Walk {
    /// Rows of this node are those that the statement is for.
    unsafe fn compute(&self, node: *mut PlanState) {
        // SAFETY: a node of the plan, with its own plan.
        unsafe {
            let plan = &*(*node).plan;
            let expected = &mut *self.expected;
            expected.computed = rows(node);
            expected.before_first = plan.startup_cost / plan.total_cost.max(1.0);
            replace(node, self.counters.computed);
        }
    }

    /// How often a child of the parent is executed.
    unsafe fn loops_of(&self, node: *mut PlanState) -> f64 {
        let parent = self.parent;
        // SAFETY: both are nodes of the plan; the lists hold nodes of the type named.
        unsafe {
            if parent.is_null() || is_in((*parent).initPlan, node).is_some() {
                return 1.0;
            }
            if let Some(hashed) = is_in((*parent).subPlan, node) {
                return if hashed { 1.0 } else { self.loops * rows(parent) };
            }
            match (*parent).type_ {
                NodeTag::T_NestLoopState if node == (*parent).righttree => {
                    self.loops * rows((*parent).lefttree)
                }
                // It is read once, and its rows are kept.
                NodeTag::T_MaterialState => 1.0,
                _ => self.loops,
            }
        }
    }
}

/// Whether a list of sub-selects has this one; and whether the sub-select is computed once, into a hash table.
unsafe fn is_in(list: *mut pg_sys::List, node: *mut PlanState) -> Option<bool> {
    // SAFETY: a list of SubPlanState nodes, each with its plan.
    unsafe {
        let all = pgrx::PgList::<pg_sys::SubPlanState>::from_pg(list);
        let found = all.iter_ptr().find(|of| (**of).planstate == node);
        found.map(|of| (*(*of).subplan).useHashTable)
    }
}

unsafe fn rows(node: *mut PlanState) -> f64 {
    // SAFETY: each node has its plan.
    unsafe { (*(*node).plan).plan_rows.max(1.0) }
}

fn is_scan(tag: NodeTag) -> bool {
    matches!(
        tag,
        NodeTag::T_SeqScanState
            | NodeTag::T_SampleScanState
            | NodeTag::T_IndexScanState
            | NodeTag::T_IndexOnlyScanState
            | NodeTag::T_BitmapHeapScanState
            | NodeTag::T_TidScanState
            | NodeTag::T_TidRangeScanState
            | NodeTag::T_FunctionScanState
            | NodeTag::T_TableFuncScanState
            | NodeTag::T_ValuesScanState
            | NodeTag::T_ForeignScanState
            | NodeTag::T_CustomScanState
    )
}

/// The function by which a node returns its next row.
type Next = unsafe extern "C-unwind" fn(*mut PlanState) -> *mut TupleTableSlot;

/// A function of PostgreSQL that was replaced, and where its rows are counted. Nodes of one type share such a
/// function, so a few places are enough.
struct Replaced {
    /// 0: free.
    function: AtomicUsize,
    counter: AtomicPtr<AtomicI64>,
}

const PLACES: usize = 32;
static REPLACED: [Replaced; PLACES] = [const {
    Replaced {
        function: AtomicUsize::new(0),
        counter: AtomicPtr::new(std::ptr::null_mut()),
    }
}; PLACES];

/// Replaces the function of a node. Where all places are taken, its rows are not counted.
unsafe fn replace(node: *mut PlanState, counter: &'static AtomicI64) {
    // SAFETY: the node is initialized, and has a function that no row was asked of yet. ExecProcNode is
    // PostgreSQL's own at this time, and takes this one at the first row.
    unsafe {
        let Some(function) = (*node).ExecProcNodeReal else {
            return;
        };
        let (function, counter) = (function as usize, std::ptr::from_ref(counter).cast_mut());
        let is_place = |place: &Replaced| match place.function.load(Relaxed) {
            0 => true,
            taken => taken == function && place.counter.load(Relaxed) == counter,
        };
        if let Some(number) = REPLACED.iter().position(is_place) {
            REPLACED[number].function.store(function, Relaxed);
            REPLACED[number].counter.store(counter, Relaxed);
            (*node).ExecProcNodeReal = Some(COUNTED[number]);
        }
    }
}

/// Takes the place of a function. Deliberately without `#[pg_guard]`: an ERROR jumps over this frame, which owns
/// nothing.
unsafe extern "C-unwind" fn counted<const N: usize>(node: *mut PlanState) -> *mut TupleTableSlot {
    // SAFETY: the place was filled before this function was given to a node, with a function of that type and
    // with a counter that lives as long as the process.
    unsafe {
        let function: Next = std::mem::transmute(REPLACED[N].function.load(Relaxed));
        let slot = function(node);
        if !slot.is_null() && u32::from((*slot).tts_flags) & pg_sys::TTS_FLAG_EMPTY == 0 {
            // Only this process writes it.
            let counter = &*REPLACED[N].counter.load(Relaxed);
            counter.store(counter.load(Relaxed) + 1, Relaxed);
            row_watch::on_row();
        }
        slot
    }
}

macro_rules! counted {
    ($($number:literal)*) => { [$(counted::<$number>),*] };
}

static COUNTED: [Next; PLACES] =
    counted!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31);
