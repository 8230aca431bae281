//! Queries in the form that all versions of PostgreSQL share. Later versions write more into an analysed
//! query: a range table entry for the groups, the outer joins that a column is NULL without, columns that
//! are computed.

use std::ffi::c_void;

use pgrx::{pg_guard, pg_sys};

use super::handles::Select;
use crate::postgres::versions::{group_entries, outer_joins, virtual_columns};

/// What to change.
#[derive(Clone, Copy)]
struct Change {
    /// Columns no longer name the outer joins that make the columns NULL. The planner needs these names.
    outer_joins: bool,
    /// Tables with virtual columns become sub-selects that compute the columns.
    virtual_columns: bool,
}

impl Select {
    /// The query, changed in place: in the form that analysis reads. Not for the planner.
    pub(super) fn plain(self) -> Select {
        let change = Change {
            outer_joins: true,
            virtual_columns: false,
        };
        self.change(change);
        self
    }

    /// A copy in which tables with virtual columns are sub-selects that compute the columns. Not for the
    /// planner.
    pub fn with_virtual_columns(&self) -> Select {
        // SAFETY: copies a node.
        let copy = unsafe { Select(pg_sys::copyObjectImpl(self.0.cast()).cast()) };
        let change = Change {
            outer_joins: true,
            virtual_columns: true,
        };
        copy.change(change);
        copy
    }

    /// Grouped queries in it, changed in place, read tables where they read groups. GROUPING SETS stay as
    /// they are: the planner needs their groups.
    pub fn without_group_entries(&self) {
        let change = Change {
            outer_joins: false,
            virtual_columns: false,
        };
        self.change(change);
    }

    fn change(&self, mut change: Change) {
        if cfg!(feature = "pg15") {
            return;
        }
        // SAFETY: the tree is this query's own; the context outlives the walk.
        unsafe { walker(self.node(), (&raw mut change).cast()) };
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn walker(node: *mut pg_sys::Node, context: *mut c_void) -> bool {
    // SAFETY: PostgreSQL walks a valid tree; each node is read with the layout its tag says, and the context is
    // the one that the walk was started with.
    unsafe {
        if node.is_null() {
            return false;
        }
        let change = *context.cast::<Change>();
        match (*node).type_ {
            pg_sys::NodeTag::T_Query => {
                let query = node.cast::<pg_sys::Query>();
                if change.outer_joins || (*query).groupingSets.is_null() {
                    group_entries::dissolve(query);
                }
                // Before what is inside, so that computed columns are walked, too.
                if change.virtual_columns {
                    virtual_columns::compute(query);
                }
                pg_sys::query_tree_walker(query, Some(walker), context, 0)
            }
            pg_sys::NodeTag::T_Var => {
                if change.outer_joins {
                    outer_joins::forget(node.cast());
                }
                false
            }
            _ => pg_sys::expression_tree_walker(node, Some(walker), context),
        }
    }
}
