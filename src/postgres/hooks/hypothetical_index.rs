//! Indexes that do not exist, shown to the planner only: an index is advised only if the planner would use
//! it. EXPLAIN inside [`with`] sees them, in this session; nothing is created.

use std::cell::RefCell;
use std::ffi::{c_char, CString};

use pgrx::pg_guard;
use pgrx::pg_sys::{self, Oid};

use crate::postgres::query_tree::{IndexColumn, Method, Select};
use crate::postgres::versions::cost_estimate;
use crate::postgres::{inheritance, relation};

/// An index that could be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HypotheticalIndex {
    pub table: Oid,
    pub method: Method,
    pub columns: Vec<IndexColumn>,
}

impl HypotheticalIndex {
    /// The statement that creates it.
    pub fn statement(&self) -> Option<String> {
        let columns: Vec<&str> = self.columns.iter().map(|c| c.definition.as_str()).collect();
        Some(format!(
            "CREATE INDEX ON {}{} ({});",
            relation::qualified_name(self.table)?,
            self.method.clause(),
            columns.join(", ")
        ))
    }

    /// The first of several columns of a btree index, unless it is an expression.
    pub fn leading_column(&self) -> Option<String> {
        let ordered = self.method == Method::Btree && self.columns.len() > 1;
        let first = self.columns.first().filter(|_| ordered)?;
        let plain = !first.definition.starts_with('(');
        plain.then(|| first.expression.clone())
    }
}

/// What EXPLAIN calls the `n`-th index (from 0).
pub fn name(n: usize) -> String {
    format!("<hypothetical {n}>")
}

/// OIDs no relation has, counted down from here.
const FIRST_OID: u32 = u32::MAX - 1;

struct Offered {
    indexes: Vec<HypotheticalIndex>,
    next_info: pg_sys::get_relation_info_hook_type,
    next_name: pg_sys::explain_get_index_name_hook_type,
}

thread_local! {
    static OFFERED: RefCell<Option<Offered>> = const { RefCell::new(None) };
}

/// Takes the hooks out again, also when an ERROR unwinds.
struct Installed;

impl Drop for Installed {
    fn drop(&mut self) {
        let offered = OFFERED.with(|offered| offered.borrow_mut().take());
        if let Some(offered) = offered {
            // SAFETY: a backend has one thread; nobody else sets hooks while a query is planned.
            unsafe {
                pg_sys::get_relation_info_hook = offered.next_info;
                pg_sys::explain_get_index_name_hook = offered.next_name;
            }
        }
    }
}

/// Runs `work`, which may EXPLAIN but not execute, as if these indexes existed.
pub fn with<R>(indexes: Vec<HypotheticalIndex>, work: impl FnOnce() -> R) -> R {
    // SAFETY: as above; the hooks are taken out before their functions can be gone.
    let _installed = unsafe {
        let offered = Offered {
            indexes,
            next_info: pg_sys::get_relation_info_hook,
            next_name: pg_sys::explain_get_index_name_hook,
        };
        OFFERED.with(|place| *place.borrow_mut() = Some(offered));
        pg_sys::get_relation_info_hook = Some(add_indexes);
        pg_sys::explain_get_index_name_hook = Some(index_name);
        Installed
    };
    work()
}

#[pg_guard]
unsafe extern "C-unwind" fn add_indexes(
    root: *mut pg_sys::PlannerInfo,
    table: Oid,
    parent: bool,
    rel: *mut pg_sys::RelOptInfo,
) {
    // SAFETY: the planner passes its own entry of the table; the arguments are handed on as they came.
    unsafe {
        let (indexes, next) = OFFERED.with(|offered| match &*offered.borrow() {
            Some(offered) => (offered.indexes.clone(), offered.next_info),
            None => (Vec::new(), None),
        });
        if let Some(next) = next {
            next(root, table, parent, rel);
        }
        if parent {
            return;
        }
        for (n, index) in indexes.iter().enumerate() {
            if index.table == table || inheritance::above(table).contains(&index.table) {
                if let Some(info) = index_info(index, n, table, rel) {
                    (*rel).indexlist = pg_sys::lappend((*rel).indexlist, info.cast());
                }
            }
        }
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn index_name(index: Oid) -> *const c_char {
    // SAFETY: the name is a C string, copied into the memory of the statement.
    unsafe {
        let (count, next) = OFFERED.with(|offered| match &*offered.borrow() {
            Some(offered) => (offered.indexes.len(), offered.next_name),
            None => (0, None),
        });
        let n = (FIRST_OID - index.to_u32().min(FIRST_OID)) as usize;
        match (CString::new(name(n)), next) {
            (Ok(name), _) if n < count => pg_sys::pstrdup(name.as_ptr()),
            (_, Some(next)) => next(index),
            _ => std::ptr::null(),
        }
    }
}

/// What the planner knows of an existing index.
///
/// # Safety
/// `rel` is the planner's entry of `table`; called where the planner gathers its indexes.
unsafe fn index_info(
    index: &HypotheticalIndex,
    n: usize,
    table: Oid,
    rel: *mut pg_sys::RelOptInfo,
) -> Option<*mut pg_sys::IndexOptInfo> {
    // SAFETY: as the caller promises; the entry is a fresh node in the planner's context.
    unsafe {
        let method = pg_sys::GetIndexAmRoutineByAmId(index.method.oid(), true);
        if method.is_null() {
            return None;
        }
        let info = empty_info(index.columns.len());
        (*info).indexoid = Oid::from(FIRST_OID - n as u32);
        (*info).rel = rel;
        (*info).tuples = (*rel).tuples;
        (*info).pages = ((*rel).tuples / 200.0) as u32 + 1;
        for (at, column) in index.columns.iter().enumerate() {
            set_column(info, at, column, table, index.method)?;
        }
        (*info).relam = index.method.oid();
        set_abilities(info, method);
        Some(info)
    }
}

/// # Safety
/// Called where the planner gathers indexes.
unsafe fn empty_info(columns: usize) -> *mut pg_sys::IndexOptInfo {
    // SAFETY: zero is a valid value of all these types.
    unsafe {
        let info = array::<pg_sys::IndexOptInfo>(1);
        (*info).type_ = pg_sys::NodeTag::T_IndexOptInfo;
        (*info).hypothetical = true;
        (*info).tree_height = 1;
        (*info).ncolumns = columns as i32;
        (*info).nkeycolumns = columns as i32;
        (*info).indexkeys = array(columns);
        (*info).indexcollations = array(columns);
        (*info).opfamily = array(columns);
        (*info).opcintype = array(columns);
        (*info).reverse_sort = array(columns);
        (*info).nulls_first = array(columns);
        (*info).opclassoptions = array(columns);
        (*info).canreturn = array(columns);
        info
    }
}

/// Column number `at` (from 0); None if the access method has no default operator class for its type.
///
/// # Safety
/// `info` has its table, and room for so many columns.
unsafe fn set_column(
    info: *mut pg_sys::IndexOptInfo,
    at: usize,
    column: &IndexColumn,
    table: Oid,
    method: Method,
) -> Option<()> {
    let sql = format!(
        "SELECT {} FROM ONLY {}",
        column.expression,
        relation::qualified_name(table)?
    );
    let target = Select::analyse(&sql)?.targets().into_iter().next()?;
    // SAFETY: as the caller promises; the expression was just made and is used once.
    unsafe {
        let expr = target.expr.as_planned((*(*info).rel).relid);
        let class = pg_sys::GetDefaultOpClass(pg_sys::exprType(expr), method.oid());
        if class == Oid::INVALID {
            return None;
        }
        *(*info).opfamily.add(at) = pg_sys::get_opclass_family(class);
        *(*info).opcintype.add(at) = pg_sys::get_opclass_input_type(class);
        *(*info).indexcollations.add(at) = column.collation;
        if (*expr).type_ == pg_sys::NodeTag::T_Var {
            *(*info).indexkeys.add(at) = i32::from((*expr.cast::<pg_sys::Var>()).varattno);
        } else {
            (*info).indexprs = pg_sys::lappend((*info).indexprs, expr.cast());
        }
    }
    Some(())
}

/// What indexes of an access method can do.
///
/// # Safety
/// Both are valid.
unsafe fn set_abilities(info: *mut pg_sys::IndexOptInfo, method: *mut pg_sys::IndexAmRoutine) {
    // SAFETY: as the caller promises.
    unsafe {
        (*info).amcanorderbyop = (*method).amcanorderbyop;
        (*info).amoptionalkey = (*method).amoptionalkey;
        (*info).amsearcharray = (*method).amsearcharray;
        (*info).amsearchnulls = (*method).amsearchnulls;
        (*info).amhasgettuple = (*method).amgettuple.is_some();
        (*info).amhasgetbitmap = (*method).amgetbitmap.is_some();
        cost_estimate::set(&mut *info, &*method);
    }
}

/// Zeroed memory for `length` values of a type that zero is a valid value of, in the planner's context.
unsafe fn array<T>(length: usize) -> *mut T {
    // SAFETY: asks for memory, or raises an ERROR.
    unsafe { pg_sys::palloc0(std::mem::size_of::<T>() * length).cast() }
}
