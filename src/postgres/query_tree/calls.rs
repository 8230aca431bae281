//! What a query calls: functions, however they are written, and the values SQL has words for.

use std::collections::BTreeSet;
use std::ffi::c_void;

use pgrx::{pg_guard, pg_sys};

use super::Select;

/// Everything a query calls, sub-selects included, views not.
#[derive(Default)]
pub struct Calls {
    /// OIDs of functions and aggregates, also those behind operators, casts and types.
    pub functions: BTreeSet<u32>,
    /// CURRENT_DATE, LOCALTIME and the like.
    pub times: BTreeSet<&'static str>,
    /// CURRENT_USER, CURRENT_SCHEMA and the like.
    pub session: BTreeSet<&'static str>,
    /// Whether it takes a sample of a table.
    pub samples: bool,
}

impl Select {
    /// Everything it calls.
    pub fn calls(&self) -> Calls {
        let mut calls = Calls::default();
        // SAFETY: the walker fills in function OIDs in the tree, nothing else; the context outlives the walk.
        unsafe {
            walker(self.node(), (&raw mut calls).cast());
        }
        calls
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn walker(node: *mut pg_sys::Node, context: *mut c_void) -> bool {
    if node.is_null() {
        return false;
    }
    let calls = context.cast::<Calls>();
    match (*node).type_ {
        pg_sys::NodeTag::T_Query => {
            return pg_sys::query_tree_walker(node.cast(), Some(walker), context, 0);
        }
        pg_sys::NodeTag::T_SQLValueFunction => (*calls).value((*node.cast::<pg_sys::SQLValueFunction>()).op),
        pg_sys::NodeTag::T_TableSampleClause => (*calls).samples = true,
        _ => {}
    }
    pg_sys::check_functions_in_node(node, Some(function), context);
    pg_sys::expression_tree_walker(node, Some(walker), context)
}

#[pg_guard]
unsafe extern "C-unwind" fn function(function: pg_sys::Oid, context: *mut c_void) -> bool {
    (*context.cast::<Calls>()).functions.insert(function.to_u32());
    false
}

impl Calls {
    fn value(&mut self, op: pg_sys::SQLValueFunctionOp::Type) {
        use pg_sys::SQLValueFunctionOp::*;
        match op {
            SVFOP_CURRENT_DATE => self.times.insert("CURRENT_DATE"),
            SVFOP_CURRENT_TIME | SVFOP_CURRENT_TIME_N => self.times.insert("CURRENT_TIME"),
            SVFOP_CURRENT_TIMESTAMP | SVFOP_CURRENT_TIMESTAMP_N => self.times.insert("CURRENT_TIMESTAMP"),
            SVFOP_LOCALTIME | SVFOP_LOCALTIME_N => self.times.insert("LOCALTIME"),
            SVFOP_LOCALTIMESTAMP | SVFOP_LOCALTIMESTAMP_N => self.times.insert("LOCALTIMESTAMP"),
            SVFOP_CURRENT_ROLE => self.session.insert("CURRENT_ROLE"),
            SVFOP_CURRENT_USER => self.session.insert("CURRENT_USER"),
            SVFOP_USER => self.session.insert("USER"),
            SVFOP_SESSION_USER => self.session.insert("SESSION_USER"),
            SVFOP_CURRENT_CATALOG => self.session.insert("CURRENT_CATALOG"),
            _ => self.session.insert("CURRENT_SCHEMA"),
        };
    }
}
