//! What a query calls: functions in any form, and values that SQL has keywords for.

use std::collections::BTreeSet;
use std::ffi::c_void;

use pgrx::{pg_guard, pg_sys};

use super::handles::Select;
use super::lists::pointers;

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
    /// Types whose values are names looked up by search_path, where their text is made or read.
    pub names: BTreeSet<&'static str>,
}

impl Select {
    /// Everything the query calls.
    pub fn calls(&self) -> Calls {
        let mut calls = Calls::default();
        // SAFETY: the walker fills in function OIDs in the tree, nothing else; the context outlives the walk.
        unsafe {
            walker(self.node(), (&raw mut calls).cast());
        }
        calls
    }
}

/// Everything an expression calls.
///
/// # Safety
/// `node` is an expression tree that lives as long as the call.
pub(super) unsafe fn in_expression(node: *mut pg_sys::Node) -> Calls {
    // SAFETY: as the caller promises; the context outlives the walk.
    unsafe {
        let mut calls = Calls::default();
        walker(node, (&raw mut calls).cast());
        calls
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn walker(node: *mut pg_sys::Node, context: *mut c_void) -> bool {
    // SAFETY: PostgreSQL walks a valid tree; each node is read with the layout its tag says, and the
    // context is the one that the walk was started with.
    unsafe {
        if node.is_null() {
            return false;
        }
        let calls = context.cast::<Calls>();
        match (*node).type_ {
            pg_sys::NodeTag::T_Query => {
                return pg_sys::query_tree_walker(node.cast(), Some(walker), context, 0);
            }
            pg_sys::NodeTag::T_SQLValueFunction => {
                (*calls).value((*node.cast::<pg_sys::SQLValueFunction>()).op)
            }
            pg_sys::NodeTag::T_TableSampleClause => (*calls).samples = true,
            pg_sys::NodeTag::T_CoerceViaIO => {
                let cast = node.cast::<pg_sys::CoerceViaIO>();
                (*calls).name((*cast).resulttype);
                (*calls).name(pg_sys::exprType((*cast).arg.cast()));
            }
            pg_sys::NodeTag::T_FuncExpr => {
                let call = node.cast::<pg_sys::FuncExpr>();
                let arguments = pointers::<pg_sys::Node>((*call).args);
                (*calls).made_text((*call).funcid, (*call).funcresulttype, &arguments);
            }
            pg_sys::NodeTag::T_Aggref => {
                let call = node.cast::<pg_sys::Aggref>();
                let arguments = pointers::<pg_sys::TargetEntry>((*call).args).into_iter();
                let arguments: Vec<*mut pg_sys::Node> =
                    arguments.map(|argument| (*argument).expr.cast()).collect();
                (*calls).made_text((*call).aggfnoid, (*call).aggtype, &arguments);
            }
            _ => {}
        }
        pg_sys::check_functions_in_node(node, Some(function), context);
        pg_sys::expression_tree_walker(node, Some(walker), context)
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn function(function: pg_sys::Oid, context: *mut c_void) -> bool {
    // SAFETY: the context is the one that the walk was started with.
    unsafe {
        (*context.cast::<Calls>()).functions.insert(function.to_u32());
        false
    }
}

impl Calls {
    /// A function that returns a text or a document makes texts of its arguments: to_jsonb, concat,
    /// jsonb_agg.
    ///
    /// # Safety
    /// `arguments` are expressions.
    unsafe fn made_text(
        &mut self,
        function: pg_sys::Oid,
        result: pg_sys::Oid,
        arguments: &[*mut pg_sys::Node],
    ) {
        // SAFETY: as the caller promises.
        unsafe {
            // The cast of text to regclass.
            if function.to_u32() == pg_sys::F_REGCLASS {
                self.name(result);
            }
            let texts = [pg_sys::TEXTOID, pg_sys::JSONOID, pg_sys::JSONBOID];
            if texts.contains(&result) {
                for argument in arguments {
                    self.name(pg_sys::exprType(*argument));
                }
            }
        }
    }

    fn name(&mut self, of_type: pg_sys::Oid) {
        let name = match of_type {
            pg_sys::REGCLASSOID => "regclass",
            pg_sys::REGPROCOID => "regproc",
            pg_sys::REGPROCEDUREOID => "regprocedure",
            pg_sys::REGOPEROID => "regoper",
            pg_sys::REGOPERATOROID => "regoperator",
            pg_sys::REGTYPEOID => "regtype",
            pg_sys::REGCOLLATIONOID => "regcollation",
            pg_sys::REGCONFIGOID => "regconfig",
            pg_sys::REGDICTIONARYOID => "regdictionary",
            _ => return,
        };
        self.names.insert(name);
    }

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
