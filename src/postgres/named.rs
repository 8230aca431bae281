//! Which objects the names in statements of the extension may mean. A statement is text: its names are looked
//! up when it is parsed, and again when its plan is made anew. The names in a view were resolved when it was
//! created, and objects created later do not change that. The same must hold for statements that are made of
//! its text.
//!
//! ```text
//! statement made for a TVIEW -> parsed by PostgreSQL -> relations and functions it found
//!   known from the view, PostgreSQL's own, or of a role with the rights of the TVIEW's owner -> it runs
//!   otherwise: a view in the place of another, a function that fits the arguments better     -> 42501
//! ```

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::ffi::{c_char, CStr};
use std::rc::Rc;

use pgrx::pg_sys::{self, Oid};

use super::query_tree::Select;

/// The objects that statements made for a view may use.
#[derive(Debug, Default)]
pub struct Named {
    /// The role with whose rights the statements run.
    pub(super) role: Oid,
    /// The relations that are named in the statements.
    pub(super) relations: BTreeSet<u32>,
    /// The functions that the view calls, in any form.
    pub(super) functions: BTreeSet<u32>,
}

thread_local! {
    /// What the running work expects, the innermost last; None for work whose statements are fixed texts, or
    /// written by the user.
    static EXPECTED: RefCell<Vec<Option<Rc<Named>>>> = const { RefCell::new(Vec::new()) };
    /// The statement of the extension that is running. Statements that its functions run have other texts.
    static RUNNING: Cell<*const c_char> = const { Cell::new(std::ptr::null()) };
}

impl Named {
    /// For statements that are made of these queries, run with the rights of `role`, and name these
    /// relations.
    pub fn new(
        role: Oid,
        queries: impl Iterator<Item = Select>,
        relations: impl Iterator<Item = Oid>,
    ) -> Named {
        let mut functions = BTreeSet::new();
        for query in queries {
            functions.extend(query.calls().functions);
        }
        functions.retain(|function| *function >= pg_sys::FirstNormalObjectId);
        Named {
            role,
            relations: relations.map(Oid::to_u32).collect(),
            functions,
        }
    }
}

/// Runs `work`, whose statements may use these objects only.
pub fn within<R>(named: &Rc<Named>, work: impl FnOnce() -> R) -> R {
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            leave();
        }
    }
    enter(Some(named.clone()));
    let _leave = Leave;
    work()
}

/// Starts work with these expectations, until [`leave`].
pub(super) fn enter(named: Option<Rc<Named>>) {
    EXPECTED.with_borrow_mut(|expected| expected.push(named));
}

pub(super) fn leave() {
    EXPECTED.with_borrow_mut(|expected| expected.pop());
}

/// Runs `work`, in which PostgreSQL may parse this text of the extension.
pub(super) fn reading<R>(text: &CStr, work: impl FnOnce() -> R) -> R {
    struct Restore(*const c_char);
    impl Drop for Restore {
        fn drop(&mut self) {
            RUNNING.set(self.0);
        }
    }
    let _restore = Restore(RUNNING.replace(text.as_ptr()));
    work()
}

/// What the running work expects.
pub(super) fn expected() -> Option<Rc<Named>> {
    EXPECTED.with_borrow(|expected| expected.last().cloned().flatten())
}

/// The text of the statement of the extension that is running; NULL if there is none.
pub(super) fn running() -> *const c_char {
    RUNNING.get()
}
