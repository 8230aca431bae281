//! Indexes that do not exist, for the planner alone: whether it would use them is the only honest reason to advise
//! one. They are seen by EXPLAIN inside [`with`], in this session; nothing is created.

use std::cell::RefCell;
use std::ffi::{c_char, CString};

use pgrx::pg_guard;
use pgrx::pg_sys::{self, Oid};

use crate::postgres::query_tree::{IndexColumn, Method, Select};
use crate::postgres::{inheritance, relation};

/// An index one could create.
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

    /// The first of several columns, where order counts and it is not an expression.
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

#[pg_guard]
unsafe extern "C-unwind" fn index_name(index: Oid) -> *const c_char {
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

/// # Safety
/// `rel` is the planner's entry of `table`; called where the planner gathers its indexes.
unsafe fn index_info(
    index: &HypotheticalIndex,
    n: usize,
    table: Oid,
    rel: *mut pg_sys::RelOptInfo,
) -> Option<*mut pg_sys::IndexOptInfo> {
    let method = pg_sys::GetIndexAmRoutineByAmId(index.method.oid(), true);
    if method.is_null() {
        return None;
    }
    let columns = index.columns.len();
    let info = array::<pg_sys::IndexOptInfo>(1);
    (*info).type_ = pg_sys::NodeTag::T_IndexOptInfo;
    (*info).indexoid = Oid::from(FIRST_OID - n as u32);
    (*info).rel = rel;
    (*info).tuples = (*rel).tuples;
    (*info).pages = ((*rel).tuples / 200.0) as u32 + 1;
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
    for (at, column) in index.columns.iter().enumerate() {
        let sql = format!(
            "SELECT {} FROM ONLY {}",
            column.expression,
            relation::qualified_name(table)?
        );
        let expr = Select::analyse(&sql)?
            .targets()
            .first()?
            .expr
            .as_planned((*rel).relid);
        let class = pg_sys::GetDefaultOpClass(pg_sys::exprType(expr), index.method.oid());
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
    (*info).relam = index.method.oid();
    (*info).hypothetical = true;
    (*info).amcanorderbyop = (*method).amcanorderbyop;
    (*info).amoptionalkey = (*method).amoptionalkey;
    (*info).amsearcharray = (*method).amsearcharray;
    (*info).amsearchnulls = (*method).amsearchnulls;
    (*info).amhasgettuple = (*method).amgettuple.is_some();
    (*info).amhasgetbitmap = (*method).amgetbitmap.is_some();
    // SAFETY: PostgreSQL declares this field without the arguments it calls it with.
    (*info).amcostestimate = std::mem::transmute::<
        pg_sys::amcostestimate_function,
        Option<unsafe extern "C-unwind" fn()>,
    >((*method).amcostestimate);
    Some(info)
}

/// Zeroed memory for `length` values of a type that zero is a valid value of, in the planner's context.
unsafe fn array<T>(length: usize) -> *mut T {
    pg_sys::palloc0(std::mem::size_of::<T>() * length).cast()
}
