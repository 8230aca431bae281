//! Why a query does not see all its transaction has done. Once per transaction and TVIEW.

use std::cell::RefCell;

use pgrx::pg_sys::Oid;
use pgrx::PgSqlErrorCode;

use crate::error::Problem;
use crate::postgres::relation;

thread_local! {
    static TOLD: RefCell<Vec<Oid>> = const { RefCell::new(Vec::new()) };
}

/// Says so, unless it has been said.
pub fn tell(tview: Oid, code: PgSqlErrorCode, why: &str, hint: Option<&str>) {
    let told = TOLD.with_borrow_mut(|told| {
        let told_before = told.contains(&tview);
        if !told_before {
            told.push(tview);
        }
        told_before
    });
    if told {
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
    TOLD.with(|told| {
        if let Ok(mut told) = told.try_borrow_mut() {
            told.clear();
        }
    });
}
