//! The keys that a TVIEW has. Read as its owner, inside an SPI session.

use pgrx::pg_sys;

use super::affected_keys::Affected;
use super::keys::{Keys, MAXIMUM_KEYS};
use super::plan::key::{key_of, Key};
use super::plan::Plan;
use super::planner_settings::few_rows;
use super::progress::watching_reads;
use crate::postgres::spi::{self, Access, Value};

/// The keys of view and table; everything, if there are too many.
pub fn of_view_and_table(plan: &Plan) -> Affected {
    few_rows(false);
    let mut keys = Keys::default();
    // The query leaves rows out whose key is NULL.
    keys.null_key = true;
    let mut add = keys.adding(|rows, row| key_of(&plan.shape, rows, row));
    // Where all rows are computed in one transaction, sessions that wait for its locks do not wait for this query either.
    watching_reads(|| {
        spi::stream_once(&plan.shape.every_key(), &[], |rows| add(rows) <= MAXIMUM_KEYS);
    });
    drop(add);
    if keys.len() <= MAXIMUM_KEYS {
        Affected::Keys(keys)
    } else {
        Affected::Everything
    }
}

/// Keys that the table has now, at most `limit`: not of rows that this transaction has deleted.
pub fn some_of_table(plan: &Plan, limit: usize) -> Vec<Key> {
    let limit = (pg_sys::INT8OID, Value::of(limit as i64));
    let rows = spi::run(&plan.shape.some_keys(), Access::Current, &[limit]);
    (0..rows.len())
        .filter_map(|row| key_of(&plan.shape, &rows, row))
        .collect()
}

/// The keys of the table, one by one.
pub fn each_of_table(plan: &Plan, mut each: impl FnMut(Key)) {
    let limit = (pg_sys::INT8OID, Value::of(i64::MAX));
    spi::stream_once(&plan.shape.some_keys(), &[limit], |rows| {
        let keys = (0..rows.len()).filter_map(|row| key_of(&plan.shape, rows, row));
        keys.for_each(&mut each);
        true
    });
}
