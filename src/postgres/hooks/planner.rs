//! Changes the query of a statement of the extension, with views expanded, before PostgreSQL plans it. The
//! hook is installed only while such a statement runs.

use std::cell::RefCell;
use std::ffi::{CStr, CString};
use std::rc::Rc;

use pgrx::{pg_guard, pg_sys};

use crate::postgres::query_tree::Select;

/// What to do with the query of one statement.
struct Reshape {
    statement: CString,
    change: Rc<dyn Fn(Select)>,
    next: pg_sys::planner_hook_type,
}

thread_local! {
    static RESHAPE: RefCell<Option<Reshape>> = const { RefCell::new(None) };
}

/// Takes the hook out again, also after an error.
struct Installed;

impl Drop for Installed {
    fn drop(&mut self) {
        if let Some(reshape) = RESHAPE.take() {
            // SAFETY: one thread; what was there before comes back.
            unsafe { pg_sys::planner_hook = reshape.next }
        }
    }
}

/// Runs `body`; whenever it has PostgreSQL plan the statement with the text `sql`, `change` gets the query
/// first. Plans that are kept stay as they were made. Not nested.
pub fn reshaping<R>(sql: &str, change: impl Fn(Select) + 'static, body: impl FnOnce() -> R) -> R {
    // SAFETY: one thread; the hook is taken out before this returns.
    let next = unsafe { pg_sys::planner_hook };
    RESHAPE.set(Some(Reshape {
        statement: CString::new(sql).expect("SQL text has no NUL byte"),
        change: Rc::new(change),
        next,
    }));
    let _installed = Installed;
    // SAFETY: as above.
    unsafe { pg_sys::planner_hook = Some(plan) }
    body()
}

#[pg_guard]
unsafe extern "C-unwind" fn plan(
    query: *mut pg_sys::Query,
    text: *const std::ffi::c_char,
    options: std::ffi::c_int,
    parameters: pg_sys::ParamListInfo,
) -> *mut pg_sys::PlannedStmt {
    let (change, next) = RESHAPE.with_borrow(|reshape| match reshape {
        // SAFETY: the planner is called with a C string, or without a text.
        Some(ours) if !text.is_null() && unsafe { CStr::from_ptr(text) } == ours.statement.as_c_str() => {
            (Some(ours.change.clone()), ours.next)
        }
        Some(ours) => (None, ours.next),
        None => (None, None),
    });
    // SAFETY: the planner may change the query it is given, and so may we; the arguments are handed on.
    unsafe {
        if let Some(change) = change {
            change(Select::from_node(query.cast()));
        }
        match next {
            Some(next) => next(query, text, options, parameters),
            None => pg_sys::standard_planner(query, text, options, parameters),
        }
    }
}
