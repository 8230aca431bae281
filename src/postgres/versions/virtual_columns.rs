//! Virtual generated columns, new in PostgreSQL 18: not stored, computed from other columns of the row
//! where they are read. Rows come to triggers without their values.

use pgrx::pg_sys;

/// Makes tables whose virtual columns a query reads sub-selects that compute these columns.
///
/// # Safety
/// The query belongs to the caller, and is not planned.
pub unsafe fn compute(query: *mut pg_sys::Query) {
    #[cfg(not(feature = "pg18"))]
    let _ = query;
    // SAFETY: as the caller promises.
    #[cfg(feature = "pg18")]
    unsafe {
        computing::all(query);
    }
}

#[cfg(feature = "pg18")]
mod computing {
    use std::collections::{BTreeMap, BTreeSet};
    use std::ffi::c_void;

    use pgrx::pg_guard;
    use pgrx::pg_sys::{self, Oid};

    use crate::postgres::query_tree::lists::{list_of, make_node, pointers};
    use crate::postgres::versions::attributes::attributes;

    /// The columns that are read of each range table entry of one query.
    #[derive(Default)]
    struct Read {
        columns: BTreeMap<usize, BTreeSet<i16>>,
        /// How many levels the walk is below the query.
        depth: u32,
    }

    pub(super) unsafe fn all(query: *mut pg_sys::Query) {
        // SAFETY: the walk only reads; entries are changed after it.
        unsafe {
            let mut read = Read::default();
            pg_sys::query_tree_walker(query, Some(walker), (&raw mut read).cast(), 0);
            for (index, entry) in (1..).zip(pointers::<pg_sys::RangeTblEntry>((*query).rtable)) {
                let columns = read.columns.get(&index);
                if let Some(columns) = columns.filter(|columns| is_computed((*entry).relid, columns)) {
                    become_sub_select(entry, columns);
                }
            }
        }
    }

    #[pg_guard]
    unsafe extern "C-unwind" fn walker(node: *mut pg_sys::Node, context: *mut c_void) -> bool {
        // SAFETY: PostgreSQL walks a valid tree; each node is read with the layout its tag says, and the context
        // is the one that the walk was started with.
        unsafe {
            if node.is_null() {
                return false;
            }
            let read = context.cast::<Read>();
            match (*node).type_ {
                pg_sys::NodeTag::T_Query => {
                    (*read).depth += 1;
                    pg_sys::query_tree_walker(node.cast(), Some(walker), context, 0);
                    (*read).depth -= 1;
                    false
                }
                pg_sys::NodeTag::T_Var => {
                    let column = node.cast::<pg_sys::Var>();
                    if (*column).varlevelsup == (*read).depth {
                        let columns = (*read).columns.entry((*column).varno as usize).or_default();
                        columns.insert((*column).varattno);
                    }
                    false
                }
                _ => pg_sys::expression_tree_walker(node, Some(walker), context),
            }
        }
    }

    /// Whether one of the columns is virtual; 0 stands for the whole row.
    unsafe fn is_computed(table: Oid, columns: &BTreeSet<i16>) -> bool {
        // SAFETY: looks the columns up in the catalogs; the table stays open while its columns are read.
        unsafe {
            if table == Oid::INVALID {
                return false;
            }
            if columns.contains(&0) {
                let relation = pg_sys::relation_open(table, pg_sys::AccessShareLock as i32);
                let any = attributes((*relation).rd_att)
                    .iter()
                    .any(|column| is_virtual(column.attgenerated));
                pg_sys::relation_close(relation, pg_sys::AccessShareLock as i32);
                return any;
            }
            let mut columns = columns.iter().filter(|column| **column > 0);
            columns.any(|column| is_virtual(pg_sys::get_attgenerated(table, *column)))
        }
    }

    fn is_virtual(generated: std::ffi::c_char) -> bool {
        generated == pg_sys::ATTRIBUTE_GENERATED_VIRTUAL as std::ffi::c_char
    }

    /// `(SELECT column, expression, .. FROM table)`: columns have the places that they have in the table,
    /// and those that are not read are NULL. Hidden columns read the system columns.
    unsafe fn become_sub_select(entry: *mut pg_sys::RangeTblEntry, read: &BTreeSet<i16>) {
        // SAFETY: the table is open while its columns are read; everything is copied.
        unsafe {
            let relation = pg_sys::relation_open((*entry).relid, pg_sys::AccessShareLock as i32);
            let mut targets = Vec::new();
            let mut add = |expression: *mut pg_sys::Node, hidden: bool| {
                let place = targets.len() as i16 + 1;
                let name = c"column".as_ptr().cast_mut();
                targets.push(pg_sys::makeTargetEntry(expression.cast(), place, name, hidden).cast());
            };
            let columns = attributes((*relation).rd_att);
            // Columns behind the last one that is read are left out: others may be added to the table.
            let last = match read.contains(&0) {
                true => columns.len(),
                false => read.last().map_or(0, |column| *column as usize),
            };
            for column in &columns[..last] {
                let is_read = read.contains(&0) || read.contains(&column.attnum);
                let expression = if column.attisdropped || !is_read {
                    pg_sys::makeNullConst(pg_sys::INT4OID, -1, Oid::INVALID).cast()
                } else if is_virtual(column.attgenerated) {
                    pg_sys::build_generation_expression(relation, column.attnum.into())
                } else {
                    let (of_type, modifier) = (column.atttypid, column.atttypmod);
                    pg_sys::makeVar(1, column.attnum, of_type, modifier, column.attcollation, 0).cast()
                };
                add(expression, false);
            }
            for column in read.iter().copied().filter(|column| *column < 0) {
                let of_row = pg_sys::makeVar(1, column, pg_sys::OIDOID, -1, Oid::INVALID, 0);
                add(of_row.cast(), true);
            }
            pg_sys::relation_close(relation, pg_sys::AccessShareLock as i32);

            let inner = make_node::<pg_sys::RangeTblEntry>(pg_sys::NodeTag::T_RangeTblEntry);
            *inner = *entry;
            (*inner).lateral = false;
            let reference = make_node::<pg_sys::RangeTblRef>(pg_sys::NodeTag::T_RangeTblRef);
            (*reference).rtindex = 1;
            let query = make_node::<pg_sys::Query>(pg_sys::NodeTag::T_Query);
            (*query).commandType = pg_sys::CmdType::CMD_SELECT;
            (*query).canSetTag = true;
            (*query).targetList = list_of(targets);
            (*query).rtable = list_of([inner.cast()]);
            (*query).jointree = pg_sys::makeFromExpr(list_of([reference.cast()]), std::ptr::null_mut());
            (*entry).rtekind = pg_sys::RTEKind::RTE_SUBQUERY;
            (*entry).subquery = query;
            (*entry).relid = Oid::INVALID;
            (*entry).relkind = 0;
            (*entry).inh = false;
            (*entry).tablesample = std::ptr::null_mut();
        }
    }
}
