//! Changes to a query that is about to be planned. Under the conditions that each one states, the query
//! returns the same rows.

use std::ffi::CStr;

use pgrx::pg_sys;

use super::handles::{Expr, Select};
use super::lists::{list_of, make_node, pointers};
use super::select::Cte;
use crate::postgres::recursion;
use crate::postgres::versions::{join_aliases, permissions};

impl Select {
    /// Whether the planner merges this query, in FROM, into the one around it: joins and conditions, nothing
    /// else.
    pub fn is_plain(&self) -> bool {
        // SAFETY: reads fields.
        unsafe {
            let query = &*self.0;
            query.setOperations.is_null()
                && !query.hasAggs
                && !query.hasWindowFuncs
                && !query.hasTargetSRFs
                && query.groupClause.is_null()
                && query.groupingSets.is_null()
                && query.havingQual.is_null()
                && query.sortClause.is_null()
                && query.distinctClause.is_null()
                && query.limitOffset.is_null()
                && query.limitCount.is_null()
                && query.cteList.is_null()
        }
    }

    /// Whether a function in it may return something else each time.
    pub fn is_volatile(&self) -> bool {
        // SAFETY: reads the tree and the catalogs.
        unsafe { pg_sys::contain_volatile_functions(self.0.cast()) }
    }

    /// Whether an item of FROM may read the items beside it.
    pub fn is_lateral(&self, index: usize) -> bool {
        // SAFETY: the index comes from this query's own tree.
        unsafe { (*self.entry(index)).lateral }
    }

    /// Whether the planner must keep conditions that may leak rows away from a view in FROM.
    pub fn is_barrier(&self, index: usize) -> bool {
        // SAFETY: the index comes from this query's own tree.
        unsafe { (*self.entry(index)).security_barrier }
    }

    /// A copy of an expression of this level that reads tables where it read a join by its alias.
    pub fn without_join_aliases(&self, expr: Expr) -> Expr {
        // SAFETY: the expression belongs to this query; the copy is ours.
        unsafe { Expr(join_aliases::flatten(self.0, copy(expr.0))) }
    }

    /// Replaces a reference to a CTE, which belongs to the query `levels_up` levels out, by its query. Does
    /// nothing for a CTE that must be computed just once: recursive, writing or volatile.
    pub fn inline_cte(&self, index: usize, cte: &Cte, levels_up: usize) {
        // SAFETY: the entry is a reference to this CTE. Its query is copied; what it reads of the queries
        // around it is as many levels further out as the reference is further in.
        unsafe {
            let query = cte.query.0;
            if cte.recursive || (*query).commandType != pg_sys::CmdType::CMD_SELECT || cte.query.is_volatile()
            {
                return;
            }
            let query = copy(query);
            if levels_up > 0 {
                pg_sys::IncrementVarSublevelsUp(query.cast(), levels_up as i32, 1);
            }
            let entry = &mut *self.entry(index);
            entry.rtekind = pg_sys::RTEKind::RTE_SUBQUERY;
            entry.subquery = query;
            entry.security_barrier = false;
            entry.ctename = std::ptr::null_mut();
            entry.ctelevelsup = 0;
            entry.coltypes = std::ptr::null_mut();
            entry.coltypmods = std::ptr::null_mut();
            entry.colcollations = std::ptr::null_mut();
            (*cte.node).cterefcount -= 1;
        }
    }

    /// Puts a level around a sub-select in FROM that lets through the rows that `conditions` hold for:
    /// `LATERAL (SELECT * FROM sub-select WHERE conditions OFFSET 0)`. In the conditions, which are written
    /// for inside, the sub-select has range 1. Right where each of them must be true for a row of the
    /// sub-select to come out of this query.
    pub fn filter_range(&self, index: usize, conditions: &[Expr]) {
        // SAFETY: the entry is a sub-select. It moves into a query of its own with the same columns, and what
        // it reads of the queries around it is then one level further out.
        unsafe {
            let entry = self.entry(index);
            let inner = copy(entry);
            (*inner).lateral = false;
            permissions::leave(inner);
            pg_sys::IncrementVarSublevelsUp((*inner).subquery.cast(), 1, 1);
            let columns = pointers::<pg_sys::TargetEntry>((*(*inner).subquery).targetList)
                .into_iter()
                .filter(|target| !(**target).resjunk)
                .map(|target| {
                    let column = pg_sys::makeVarFromTargetEntry(1, target);
                    pg_sys::makeTargetEntry(column.cast(), (*target).resno, (*target).resname, false).cast()
                });
            let filter = make_node::<pg_sys::Query>(pg_sys::NodeTag::T_Query);
            (*filter).commandType = pg_sys::CmdType::CMD_SELECT;
            (*filter).canSetTag = true;
            (*filter).targetList = list_of(columns);
            (*filter).rtable = list_of([inner.cast()]);
            (*filter).jointree = pg_sys::makeFromExpr(list_of([reference(1)]), Expr::all_of(conditions).0);
            // Keeps the planner from merging the level into this query.
            (*filter).limitOffset = zero();
            (*entry).subquery = filter;
            (*entry).security_barrier = false;
            (*entry).lateral = true;
        }
    }

    /// Whether a set operation here is EXCEPT.
    pub fn subtracts(&self) -> bool {
        unsafe fn any(node: *mut pg_sys::Node) -> bool {
            // SAFETY: callers pass a node of a set operation tree, which holds RangeTblRef and
            // SetOperationStmt only.
            unsafe {
                recursion::step();
                if node.is_null() || (*node).type_ != pg_sys::NodeTag::T_SetOperationStmt {
                    return false;
                }
                let operation = node.cast::<pg_sys::SetOperationStmt>();
                (*operation).op == pg_sys::SetOperation::SETOP_EXCEPT
                    || any((*operation).larg)
                    || any((*operation).rarg)
            }
        }
        // SAFETY: a set operation tree holds RangeTblRef and SetOperationStmt only.
        unsafe { any((*self.0).setOperations) }
    }

    /// Adds a condition to WHERE.
    pub fn add_condition(&self, condition: Expr) {
        // SAFETY: the condition is a tree of its own, in terms of this level.
        unsafe { add_conditions((*self.0).jointree, [condition]) }
    }

    /// The partition that every window and the DISTINCT ON of this query is over, where it is one.
    pub fn only_partition(&self) -> Option<Vec<Expr>> {
        let mut partitions = self.partitions();
        partitions.extend(Some(self.distinct_on()).filter(|on| !on.is_empty()));
        let mut partitions = partitions
            .into_iter()
            .map(|partition| partition.into_iter().map(|(expr, _)| expr).collect::<Vec<Expr>>());
        let first = partitions.next().filter(|first| !first.is_empty())?;
        let mut others = partitions;
        let within = |a: &[Expr], b: &[Expr]| a.iter().all(|x| b.iter().any(|y| y.same_as(x)));
        others
            .all(|other| within(&other, &first) && within(&first, &other))
            .then_some(first)
    }

    /// Leaves, of the rows this query reads, those in a partition with a row that `conditions` hold for: a
    /// join with `(SELECT DISTINCT partition FROM .. WHERE .. AND conditions)`. `not_null` tells which parts
    /// of the partition are never NULL. Returns the range of the join partner. Right where every window is
    /// over [`Self::only_partition`], the query does not group, and only rows that the conditions hold for
    /// are wanted.
    pub fn join_with_partitions(&self, conditions: &[Expr], not_null: &[bool]) -> usize {
        // SAFETY: the partner is a copy of this query's FROM and WHERE one level further in; everything it
        // gets is copied.
        unsafe {
            let query = &mut *self.0;
            let clause = pointers::<pg_sys::SortGroupClause>(
                match pointers::<pg_sys::WindowClause>(query.windowClause).first() {
                    Some(window) => (**window).partitionClause,
                    None => query.distinctClause,
                },
            );
            let exprs: Vec<Expr> = clause
                .iter()
                .map(|part| Expr(pg_sys::get_sortgroupclause_expr(*part, query.targetList)))
                .collect();
            let partner = copy(self.0);
            (*partner).windowClause = std::ptr::null_mut();
            (*partner).hasWindowFuncs = false;
            (*partner).hasDistinctOn = false;
            (*partner).sortClause = std::ptr::null_mut();
            let mut targets: Vec<*mut pg_sys::TargetEntry> = Vec::new();
            let mut distinct = Vec::new();
            for (number, (part, expr)) in (1..).zip(clause.iter().zip(&exprs)) {
                let target = pg_sys::makeTargetEntry(copy(expr.0).cast(), number, name(c"part"), false);
                (*target).ressortgroupref = number as u32;
                let same = copy(*part);
                (*same).tleSortGroupRef = number as u32;
                targets.push(target);
                distinct.push(same.cast());
            }
            (*partner).targetList = list_of(targets.iter().map(|target| target.cast()));
            (*partner).distinctClause = list_of(distinct);
            add_conditions((*partner).jointree, conditions.iter().map(|c| Expr(copy(c.0))));
            pg_sys::IncrementVarSublevelsUp(partner.cast(), 1, 1);

            let entry = make_node::<pg_sys::RangeTblEntry>(pg_sys::NodeTag::T_RangeTblEntry);
            (*entry).rtekind = pg_sys::RTEKind::RTE_SUBQUERY;
            (*entry).subquery = partner;
            (*entry).inFromCl = true;
            let names = targets.iter().map(|_| pg_sys::makeString(name(c"part")).cast());
            (*entry).eref = pg_sys::makeAlias(c"wanted_partitions".as_ptr(), list_of(names));
            query.rtable = pg_sys::lappend(query.rtable, entry.cast());
            let index = (*query.rtable).length as usize;
            (*query.jointree).fromlist = pg_sys::lappend((*query.jointree).fromlist, reference(index).cast());
            let ties = clause.iter().zip(&exprs).zip(&targets).zip(not_null);
            let ties = ties.map(|(((part, expr), target), not_null)| {
                let here = || Expr(copy(expr.0));
                let there = || Expr(pg_sys::makeVarFromTargetEntry(index as i32, *target).cast());
                let equal = Expr::operator((**part).eqop, here(), there());
                if *not_null {
                    return equal;
                }
                Expr::any_of(&[equal, Expr::all_of(&[here().is_null(), there().is_null()])])
            });
            add_conditions(query.jointree, ties.collect::<Vec<Expr>>());
            index
        }
    }
}

unsafe fn copy<T>(node: *mut T) -> *mut T {
    // SAFETY: callers pass a valid node.
    unsafe { pg_sys::copyObjectImpl(node.cast()).cast() }
}

unsafe fn name(text: &CStr) -> *mut std::ffi::c_char {
    // SAFETY: the text is a C string.
    unsafe { pg_sys::pstrdup(text.as_ptr()) }
}

unsafe fn reference(index: usize) -> *mut pg_sys::Node {
    // SAFETY: a fresh node of the right size.
    unsafe {
        let reference = make_node::<pg_sys::RangeTblRef>(pg_sys::NodeTag::T_RangeTblRef);
        (*reference).rtindex = index as i32;
        reference.cast()
    }
}

/// The constant 0 of type bigint.
unsafe fn zero() -> *mut pg_sys::Node {
    // SAFETY: makes a node of a value that is passed by value.
    unsafe {
        let value = pg_sys::Datum::from(0_i64);
        pg_sys::makeConst(pg_sys::INT8OID, -1, pg_sys::InvalidOid, 8, value, false, true).cast()
    }
}

unsafe fn add_conditions(tree: *mut pg_sys::FromExpr, conditions: impl IntoIterator<Item = Expr>) {
    // SAFETY: callers pass the join tree of a query that is theirs to change.
    unsafe {
        let before = (!(*tree).quals.is_null()).then(|| Expr((*tree).quals));
        let all: Vec<Expr> = before.into_iter().chain(conditions).collect();
        (*tree).quals = Expr::all_of(&all).0;
    }
}
