//! Puts a sub-select that returns one row per group in the place of a table, or of all tables, that a query
//! aggregates.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::ffi::{c_void, CString};

use pgrx::pg_sys::Oid;
use pgrx::{pg_guard, pg_sys};

use super::handles::{Expr, Select};
use super::join_tree::{all_of, change_conditions, list_items, parts_of};
use super::lists::{list_of, pointers};
use crate::postgres::recursion;
use crate::postgres::versions::{join_aliases, outer_joins, permissions, tree_mutator};

/// What replaces tables in a query.
pub struct GroupLookup<'a> {
    /// Range table indexes of the tables. If there are several, all joins of FROM are inner joins of tables.
    pub indexes: Vec<usize>,
    /// `SELECT <in place of each aggregate> FROM (SELECT) AS outside, LATERAL (SELECT .. FROM (SELECT NULL AS x1, ..) AS x, ..) AS j`:
    /// the second sub-select replaces the tables. Its first item of FROM, if there are keys, returns the values to look up.
    pub sql: &'a str,
    /// The values to look up.
    pub values: Vec<Expr>,
    /// What the sub-select returns in its first columns: expressions over the tables.
    pub keys: Vec<Expr>,
    /// The calls of aggregates to replace, in the order of the outputs of `sql`.
    pub calls: Vec<Expr>,
    /// Conditions that the sub-select contains: nodes of the query.
    pub conditions: Vec<Expr>,
    /// A table that is read without asking for rights: that of the extension.
    pub free: Oid,
}

impl GroupLookup<'_> {
    /// Range table index of the sub-select.
    fn place(&self) -> usize {
        self.indexes[0]
    }
}

struct Replacing<'a> {
    lookup: &'a GroupLookup<'a>,
    outputs: Vec<Expr>,
    nulled_by: *mut pg_sys::Bitmapset,
    failed: bool,
}

impl Select {
    /// A copy in which a sub-select replaces the tables; None if the query reads more of these than keys and
    /// aggregates.
    pub fn with_group_lookup(&self, lookup: &GroupLookup) -> Option<Select> {
        let text = CString::new(lookup.sql).ok()?;
        // SAFETY: what is changed is a copy; the skeleton is our own text.
        unsafe {
            let query: *mut pg_sys::Query = pg_sys::copyObjectImpl(self.0.cast()).cast();
            let statements: Vec<*mut pg_sys::RawStmt> = pointers(pg_sys::pg_parse_query(text.as_ptr()));
            let skeleton = pg_sys::parse_analyze_fixedparams(
                *statements.first()?,
                text.as_ptr(),
                std::ptr::null(),
                0,
                std::ptr::null_mut(),
            );
            read_freely(skeleton.cast(), (&raw const lookup.free).cast_mut().cast());
            let entry = pg_sys::list_nth((*skeleton).rtable, 1).cast::<pg_sys::RangeTblEntry>();
            put_values((*entry).subquery, &lookup.values);
            let nulled_by = outer_joins::nulling(query, lookup.place() as i32);
            let targets: Vec<*mut pg_sys::TargetEntry> = pointers((*skeleton).targetList);
            let mut replacing = Replacing {
                lookup,
                outputs: targets
                    .into_iter()
                    .map(|target| Expr((*target).expr.cast()))
                    .collect(),
                nulled_by,
                failed: false,
            };
            let context = (&raw mut replacing).cast::<c_void>();
            for output in replacing.outputs.clone() {
                settle(output.0, context);
            }
            (*query).targetList = replace((*query).targetList.cast(), context).cast();
            (*query).havingQual = replace((*query).havingQual, context);
            // Found in this query, changed in its copy: in the same order. A part may occur in several places,
            // and goes only where it decides which rows of the table count.
            let dropped = RefCell::new(VecDeque::new());
            change_conditions((*self.0).jointree.cast(), &|condition| {
                dropped
                    .borrow_mut()
                    .push_back(places_of(condition, &lookup.conditions));
                condition
            });
            change_conditions((*query).jointree.cast(), &|condition| {
                let dropped = dropped.borrow_mut().pop_front().unwrap_or_default();
                changed(condition, &dropped, context)
            });
            let mut indexes = lookup.indexes.iter();
            if replacing.failed || indexes.any(|index| reads_from_within(query, *index)) {
                return None;
            }
            if lookup.indexes.len() > 1 {
                join_flatly(query, lookup);
            }
            let place = Select(query).entry(lookup.place());
            empty(place);
            (*place).rtekind = pg_sys::RTEKind::RTE_SUBQUERY;
            (*place).subquery = (*entry).subquery;
            (*place).lateral = true;
            (*place).eref = (*entry).eref;
            Some(Select(query))
        }
    }

    /// A copy whose expressions read tables where they read joins by their aliases.
    pub fn without_aliases(&self) -> Select {
        // SAFETY: what is changed is a copy.
        unsafe {
            let query: *mut pg_sys::Query = pg_sys::copyObjectImpl(self.0.cast()).cast();
            let flat = move |node: *mut pg_sys::Node| match node.is_null() {
                true => node,
                false => join_aliases::flatten(query, node),
            };
            (*query).targetList = flat((*query).targetList.cast()).cast();
            (*query).havingQual = flat((*query).havingQual);
            change_conditions((*query).jointree.cast(), &flat);
            Select(query)
        }
    }

    /// Takes the place of another query.
    pub fn put_in_place_of(&self, other: Select) {
        // SAFETY: both are queries of the statement that is about to be planned.
        unsafe { std::ptr::copy_nonoverlapping(self.0, other.0, 1) }
    }
}

unsafe fn replace(node: *mut pg_sys::Node, context: *mut c_void) -> *mut pg_sys::Node {
    // SAFETY: callers pass a part of a copy, and the context of the replacement.
    unsafe { replace_mutator(node, context) }
}

#[pg_guard]
unsafe extern "C-unwind" fn replace_mutator(
    node: *mut pg_sys::Node,
    context: *mut c_void,
) -> *mut pg_sys::Node {
    // SAFETY: PostgreSQL passes a node of a valid tree, and the context that the copy was started with.
    unsafe {
        if node.is_null() {
            return node;
        }
        recursion::step();
        let replacing = &mut *context.cast::<Replacing>();
        let lookup = replacing.lookup;
        let same = |known: &Expr| pg_sys::equal(known.0.cast(), node.cast());
        if let Some(at) = lookup.calls.iter().position(same) {
            return replacing.outputs[at].copied().0;
        }
        if (*node).type_ == pg_sys::NodeTag::T_Query {
            return node;
        }
        if let Some(at) = lookup
            .keys
            .iter()
            .position(|key| same_but_nulled(*key, Expr(node)))
        {
            let column = pg_sys::makeVar(
                lookup.place() as i32,
                at as i16 + 1,
                pg_sys::exprType(node),
                pg_sys::exprTypmod(node),
                pg_sys::exprCollation(node),
                0,
            );
            // Fewer outer joins than above all of them, if this is one of their conditions.
            let replaced = column_of(node, lookup.place());
            if !replaced.is_null() {
                outer_joins::null_like(column, replaced);
            }
            return column.cast();
        }
        if (*node).type_ == pg_sys::NodeTag::T_Var {
            let column = node.cast::<pg_sys::Var>();
            if (*column).varlevelsup == 0 && lookup.indexes.contains(&((*column).varno as usize)) {
                replacing.failed = true;
            }
        }
        tree_mutator::children(node, replace_mutator, context)
    }
}

/// Whether two expressions are the same but for the outer joins that their columns are NULL without.
unsafe fn same_but_nulled(key: Expr, node: Expr) -> bool {
    // SAFETY: compares copies.
    unsafe {
        if (*key.0).type_ != (*node.0).type_ {
            return false;
        }
        let plain = |expr: Expr| {
            let copy = expr.copied();
            strip(copy.0, std::ptr::null_mut());
            copy
        };
        pg_sys::equal(plain(key).0.cast(), plain(node).0.cast())
    }
}

/// A column of the range table entry `index` in an expression; NULL if it reads none.
unsafe fn column_of(node: *mut pg_sys::Node, index: usize) -> *mut pg_sys::Var {
    struct Search {
        index: i32,
        found: *mut pg_sys::Var,
    }
    #[pg_guard]
    unsafe extern "C-unwind" fn walk(node: *mut pg_sys::Node, context: *mut c_void) -> bool {
        // SAFETY: PostgreSQL walks a valid tree; the context is the search below.
        unsafe {
            if node.is_null() || (*node).type_ == pg_sys::NodeTag::T_Query {
                return false;
            }
            if (*node).type_ == pg_sys::NodeTag::T_Var {
                let search = &mut *context.cast::<Search>();
                let column = node.cast::<pg_sys::Var>();
                if (*column).varlevelsup == 0 && (*column).varno == search.index {
                    search.found = column;
                }
                return !search.found.is_null();
            }
            pg_sys::expression_tree_walker(node, Some(walk), context)
        }
    }
    let mut search = Search {
        index: index as i32,
        found: std::ptr::null_mut(),
    };
    // SAFETY: the walker reads nodes only; the context outlives the walk.
    unsafe {
        walk(node, (&raw mut search).cast());
    }
    search.found
}

#[pg_guard]
unsafe extern "C-unwind" fn strip(node: *mut pg_sys::Node, context: *mut c_void) -> bool {
    // SAFETY: PostgreSQL walks a copy.
    unsafe {
        if node.is_null() || (*node).type_ == pg_sys::NodeTag::T_Query {
            return false;
        }
        if (*node).type_ == pg_sys::NodeTag::T_Var {
            outer_joins::forget(node.cast());
            let column = node.cast::<pg_sys::Var>();
            (*column).varnosyn = 0;
            (*column).varattnosyn = 0;
            return false;
        }
        pg_sys::expression_tree_walker(node, Some(strip), context)
    }
}

/// Makes the columns of the skeleton's second item columns of the replaced table.
#[pg_guard]
unsafe extern "C-unwind" fn settle(node: *mut pg_sys::Node, context: *mut c_void) -> bool {
    // SAFETY: PostgreSQL walks an expression of the skeleton; the context is that of the replacement.
    unsafe {
        if node.is_null() {
            return false;
        }
        if (*node).type_ == pg_sys::NodeTag::T_Var {
            let replacing = &*context.cast::<Replacing>();
            let column = node.cast::<pg_sys::Var>();
            (*column).varno = replacing.lookup.place() as i32;
            (*column).varnosyn = 0;
            (*column).varattnosyn = 0;
            outer_joins::null_by(column, replacing.nulled_by);
            return false;
        }
        pg_sys::expression_tree_walker(node, Some(settle), context)
    }
}

/// Takes all but the first of the tables out of FROM, and makes one list of the rest, under the conditions of
/// all joins.
unsafe fn join_flatly(query: *mut pg_sys::Query, lookup: &GroupLookup) {
    // SAFETY: the query is a copy. Entries of the range table that FROM does not name are read by nothing.
    unsafe {
        let from = (*query).jointree;
        let conditions = RefCell::new(Vec::new());
        change_conditions(from.cast(), &|condition| {
            let parts = parts_of(condition).into_iter().map(|part| part.0);
            conditions.borrow_mut().extend(parts);
            condition
        });
        (*from).quals = all_of(conditions.into_inner());
        let mut items = Vec::new();
        list_items(from.cast(), &mut items);
        let is_kept = |index: usize| !lookup.indexes[1..].contains(&index);
        items.retain(|item| is_kept((**item).rtindex as usize));
        (*from).fromlist = list_of(items.iter().map(|item| item.cast()));
        for (at, entry) in pointers::<pg_sys::RangeTblEntry>((*query).rtable)
            .into_iter()
            .enumerate()
        {
            if !items.iter().any(|item| (**item).rtindex as usize == at + 1) {
                empty(entry);
            }
        }
    }
}

/// Makes an entry of the range table one of nothing.
unsafe fn empty(entry: *mut pg_sys::RangeTblEntry) {
    // SAFETY: callers pass an entry of a copy.
    unsafe {
        permissions::leave(entry);
        permissions::none_needed(entry);
        (*entry).rtekind = pg_sys::RTEKind::RTE_RESULT;
        (*entry).joinaliasvars = std::ptr::null_mut();
        (*entry).inh = false;
        (*entry).relid = Oid::INVALID;
        (*entry).relkind = 0;
        (*entry).rellockmode = 0;
        (*entry).alias = std::ptr::null_mut();
    }
}

/// The values to look up, in the first item of FROM.
unsafe fn put_values(query: *mut pg_sys::Query, values: &[Expr]) {
    // SAFETY: callers pass the sub-select of the skeleton.
    unsafe {
        if values.is_empty() {
            return;
        }
        let first = pg_sys::list_nth((*query).rtable, 0).cast::<pg_sys::RangeTblEntry>();
        let targets: Vec<*mut pg_sys::TargetEntry> = pointers((*(*first).subquery).targetList);
        for (target, value) in targets.into_iter().zip(values) {
            let value = value.copied();
            pg_sys::IncrementVarSublevelsUp(value.0, 2, 0);
            (*target).expr = value.0.cast();
        }
        (*first).lateral = true;
    }
}

/// Which parts of a condition are these nodes.
fn places_of(condition: *mut pg_sys::Node, nodes: &[Expr]) -> Vec<usize> {
    let parts = parts_of(condition).into_iter().enumerate();
    let found = parts.filter(|(_, part)| nodes.iter().any(|node| node.0 == part.0));
    found.map(|(place, _)| place).collect()
}

/// A condition without the parts at some places, which the sub-select contains.
unsafe fn changed(
    condition: *mut pg_sys::Node,
    dropped: &[usize],
    context: *mut c_void,
) -> *mut pg_sys::Node {
    // SAFETY: callers pass a condition of a copy.
    unsafe {
        let kept: Vec<*mut pg_sys::Node> = parts_of(condition)
            .into_iter()
            .enumerate()
            .filter(|(place, _)| !dropped.contains(place))
            .map(|(_, part)| replace(part.0, context))
            .collect();
        all_of(kept)
    }
}

/// Whether a sub-select, in an expression or in FROM, reads the table, or another item of FROM does.
unsafe fn reads_from_within(query: *mut pg_sys::Query, index: usize) -> bool {
    let reads = |node: *mut pg_sys::Node| {
        // SAFETY: reads a part of the query.
        unsafe {
            let read = pg_sys::pull_varnos_of_level(std::ptr::null_mut(), node, 0);
            pg_sys::bms_is_member(index as i32, read)
        }
    };
    // SAFETY: reads the query.
    let items = unsafe { pointers::<pg_sys::RangeTblEntry>((*query).rtable) };
    let is_read = |item: &*mut pg_sys::RangeTblEntry| {
        // SAFETY: reads the query.
        let item = unsafe { &**item };
        [
            item.functions.cast(),
            item.values_lists.cast(),
            item.tablefunc.cast(),
            item.tablesample.cast(),
            item.securityQuals.cast(),
        ]
        .into_iter()
        .any(|node: *mut pg_sys::Node| !node.is_null() && reads(node))
    };
    if items.iter().any(is_read) {
        return true;
    }
    #[pg_guard]
    unsafe extern "C-unwind" fn walk(node: *mut pg_sys::Node, context: *mut c_void) -> bool {
        // SAFETY: PostgreSQL walks a valid tree; the context is a range table index.
        unsafe {
            if node.is_null() {
                return false;
            }
            if (*node).type_ == pg_sys::NodeTag::T_Query {
                let read = pg_sys::pull_varnos_of_level(std::ptr::null_mut(), node, 1);
                return pg_sys::bms_is_member(*context.cast::<i32>(), read);
            }
            pg_sys::expression_tree_walker(node, Some(walk), context)
        }
    }
    let mut index = index as i32;
    let context = (&raw mut index).cast::<c_void>();
    // SAFETY: reads the query. Columns of joins may still name the table; nothing reads these.
    unsafe {
        let flags = pg_sys::QTW_IGNORE_JOINALIASES as i32;
        pg_sys::query_tree_walker(query, Some(walk), context, flags)
    }
}

/// Reads one table without asking for rights.
#[pg_guard]
unsafe extern "C-unwind" fn read_freely(node: *mut pg_sys::Node, context: *mut c_void) -> bool {
    // SAFETY: PostgreSQL walks the skeleton; the context is the OID of the table.
    unsafe {
        if node.is_null() {
            return false;
        }
        if (*node).type_ == pg_sys::NodeTag::T_Query {
            let query = node.cast::<pg_sys::Query>();
            for entry in pointers::<pg_sys::RangeTblEntry>((*query).rtable) {
                if (*entry).rtekind == pg_sys::RTEKind::RTE_RELATION
                    && (*entry).relid == *context.cast::<Oid>()
                {
                    permissions::free(query, entry);
                }
            }
            return pg_sys::query_tree_walker(query, Some(read_freely), context, 0);
        }
        pg_sys::expression_tree_walker(node, Some(read_freely), context)
    }
}
