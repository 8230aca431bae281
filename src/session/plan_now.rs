//! The plan of a TVIEW for a session that must not wait for locks.

use std::rc::Rc;

use crate::catalog::definition::Definition;
use crate::postgres::run_as::{self, run_internal};
use crate::refresh::plan::{self, Plan};

/// The plan of a TVIEW; None where its view cannot be analysed now.
pub fn plan_now(definition: &Definition) -> Option<Rc<Plan>> {
    plan::kept(definition.tview).or_else(|| {
        run_internal(|| {
            do_not_wait_for_locks();
            plan::prepare(definition.clone()).ok()
        })
    })
}

pub fn do_not_wait_for_locks() {
    run_as::set("lock_timeout", "10ms");
}
