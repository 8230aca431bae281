//! The NOTICE that a query does not see all changes of its transaction, and why. Once per transaction and
//! TVIEW.

use std::cell::RefCell;

use pgrx::pg_sys::Oid;
use pgrx::PgSqlErrorCode;

use crate::error::Problem;
use crate::postgres::relation;

thread_local! {
    static REPORTED: RefCell<Vec<Oid>> = const { RefCell::new(Vec::new()) };
}

/// Sends the NOTICE, unless this transaction has reported the TVIEW before.
pub fn report(tview: Oid, code: PgSqlErrorCode, why: &str, hint: Option<&str>) {
    let reported_before = REPORTED.with_borrow_mut(|reported| {
        let before = reported.contains(&tview);
        if !before {
            reported.push(tview);
        }
        before
    });
    if reported_before {
        return;
    }
    let table = relation::display(tview);
    let message = format!("{table} does not show all changes of this transaction");
    let mut problem = Problem::new(code, message).detail(why);
    problem.hint = hint.map(str::to_string);
    problem.notice();
}

/// The transaction is over.
pub fn forget() {
    REPORTED.with(|reported| {
        if let Ok(mut reported) = reported.try_borrow_mut() {
            reported.clear();
        }
    });
}
