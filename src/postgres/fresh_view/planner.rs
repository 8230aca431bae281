//! What the planner learns of the conditions of a fresh view: how many rows meet them, and whether a query
//! names the keys that it wants.
//!
//! The two parts of a fresh view that read the backing view have the same columns and the same query below, so
//! the planner hands the same conditions of a query to both. If they name keys, one part is left out of the
//! plan, and the other returns the rows with these keys as far as they are behind.

use std::ffi::{c_void, CStr};

use pgrx::pg_sys::{self, Node, NodeTag};

use crate::postgres::recursion;

/// Fewer rows are behind than the planner would assume.
const PART_BEHIND: f64 = 0.001;

/// Answers a request; NULL for one without an answer.
pub unsafe fn answer(request: *mut Node) -> *mut c_void {
    // SAFETY: the planner passes a valid node.
    unsafe {
        match request.as_ref().map(|request| request.type_) {
            Some(NodeTag::T_SupportRequestSelectivity) => {
                (*request.cast::<pg_sys::SupportRequestSelectivity>()).selectivity = PART_BEHIND;
                request.cast()
            }
            Some(NodeTag::T_SupportRequestSimplify) => {
                let request = &*request.cast::<pg_sys::SupportRequestSimplify>();
                simplified(request.root, request.fcall)
            }
            _ => std::ptr::null_mut(),
        }
    }
}

/// A call of `pg_tviews_behind_by_list` or `pg_tviews_behind_by_filter` without the key: it has one value for
/// the whole query. NULL for other calls, and for one that is simplified already.
unsafe fn simplified(root: *mut pg_sys::PlannerInfo, call: *mut pg_sys::FuncExpr) -> *mut c_void {
    // SAFETY: a call of one of our functions, with arguments as they are declared.
    unsafe {
        let by_filter = is_function((*call).funcid, c"pg_tviews_behind_by_filter");
        if !by_filter && !is_function((*call).funcid, c"pg_tviews_behind_by_list") {
            return std::ptr::null_mut();
        }
        let before_key = if by_filter { 2 } else { 1 };
        let arguments = pgrx::PgList::<Node>::from_pg((*call).args);
        let key: Vec<*mut Node> = arguments.iter_ptr().skip(before_key).collect();
        if root.is_null() || key.iter().all(|part| !pg_sys::contain_vars_of_level(*part, 0)) {
            return std::ptr::null_mut();
        }
        let conditions = (*(*root).parse).jointree.cast::<Node>();
        let named = key.iter().all(|part| is_named(conditions, *part));
        if !by_filter && named {
            return pg_sys::makeBoolConst(false, false).cast();
        }
        let call = pg_sys::copyObjectImpl(call.cast()).cast::<pg_sys::FuncExpr>();
        let mut rest = pgrx::PgList::<Node>::new();
        rest.push(arguments.get_ptr(0).unwrap_or_default());
        if by_filter {
            rest.push(pg_sys::makeBoolConst(named, false));
        }
        rest.push(pg_sys::makeNullConst(pg_sys::TEXTOID, -1, pg_sys::Oid::INVALID).cast());
        (*call).args = rest.into_pg();
        call.cast()
    }
}

unsafe fn is_function(function: pg_sys::Oid, called: &CStr) -> bool {
    // SAFETY: a look-up in the catalogs, which makes a copy.
    unsafe {
        let name = pg_sys::get_func_name(function);
        !name.is_null() && CStr::from_ptr(name) == called
    }
}

/// Whether a condition of the query compares `part` of a key with values that are known when it starts.
unsafe fn is_named(node: *mut Node, part: *mut Node) -> bool {
    if node.is_null() {
        return false;
    }
    let any = |list: *mut pg_sys::List| {
        // SAFETY: a list of nodes.
        let list = unsafe { pgrx::PgList::<Node>::from_pg(list) };
        // SAFETY: as above.
        let found = list.iter_ptr().any(|node| unsafe { is_named(node, part) });
        found
    };
    recursion::step();
    // SAFETY: nodes of a valid query, told apart by their tags.
    unsafe {
        match (*node).type_ {
            NodeTag::T_List => any(node.cast()),
            NodeTag::T_FromExpr => {
                let from = &*node.cast::<pg_sys::FromExpr>();
                any(from.fromlist) || is_named(from.quals, part)
            }
            NodeTag::T_JoinExpr => {
                let join = &*node.cast::<pg_sys::JoinExpr>();
                join.jointype == pg_sys::JoinType::JOIN_INNER
                    && (is_named(join.larg, part) || is_named(join.rarg, part) || is_named(join.quals, part))
            }
            NodeTag::T_BoolExpr => {
                let all = &*node.cast::<pg_sys::BoolExpr>();
                all.boolop == pg_sys::BoolExprType::AND_EXPR && any(all.args)
            }
            NodeTag::T_OpExpr => {
                let compared = &*node.cast::<pg_sys::OpExpr>();
                is_equality(compared.opno) && compares(compared.args, part)
            }
            NodeTag::T_ScalarArrayOpExpr => {
                let compared = &*node.cast::<pg_sys::ScalarArrayOpExpr>();
                compared.useOr && is_equality(compared.opno) && compares(compared.args, part)
            }
            _ => false,
        }
    }
}

unsafe fn is_equality(operator: pg_sys::Oid) -> bool {
    // SAFETY: a look-up in the catalogs.
    unsafe {
        let name = pg_sys::get_opname(operator);
        !name.is_null() && CStr::from_ptr(name) == c"="
    }
}

/// Whether one of two operands is `part`, and the other reads nothing of the query. The list of
/// `pg_tviews_behind_keys`, which may be cast, does not count.
unsafe fn compares(operands: *mut pg_sys::List, part: *mut Node) -> bool {
    // SAFETY: operands of an operator.
    unsafe {
        let operands = pgrx::PgList::<Node>::from_pg(operands);
        let (Some(left), Some(right)) = (operands.get_ptr(0), operands.get_ptr(1)) else {
            return false;
        };
        let is_value = |node: *mut Node| {
            !pg_sys::contain_vars_of_level(node, 0) && !has_our_list(node, std::ptr::null_mut())
        };
        let is_part = |node: *mut Node| pg_sys::equal(plain(node).cast(), plain(part).cast());
        (is_part(left) && is_value(right)) || (is_part(right) && is_value(left))
    }
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn has_our_list(node: *mut Node, context: *mut c_void) -> bool {
    // SAFETY: as above.
    unsafe {
        if node.is_null() {
            return false;
        }
        let is_it = (*node).type_ == NodeTag::T_FuncExpr
            && is_function(
                (*node.cast::<pg_sys::FuncExpr>()).funcid,
                c"pg_tviews_behind_keys",
            );
        is_it || pg_sys::expression_tree_walker(node, Some(has_our_list), context)
    }
}

/// An expression without casts that change nothing.
unsafe fn plain(node: *mut Node) -> *mut Node {
    // SAFETY: as above.
    unsafe {
        if (*node).type_ == NodeTag::T_RelabelType {
            plain((*node.cast::<pg_sys::RelabelType>()).arg.cast())
        } else {
            node
        }
    }
}
