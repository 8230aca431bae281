//! `pg_tviews_bulk_load`: the caller is about to change many rows of a table.

use pgrx::pg_sys::Oid;
use pgrx::PgSqlErrorCode;

use crate::capture::bulk_load;
use crate::catalog::owner::check_owner;
use crate::catalog::tview_cache;
use crate::error::{OrRaise, Problem};
use crate::postgres::relation;
use crate::postgres::transaction::lock::{self, TableLock};

/// All rows of a table count as changed; rows that this transaction changes from now on are not captured one
/// by one.
pub fn begin(table: Oid) {
    check_is_table(table).or_raise();
    check_owner(table).or_raise();
    // As a writer: the table keeps its triggers and partitions until the transaction ends.
    if !lock::table(table, TableLock::RowExclusive) {
        no_table(table).raise();
    }
    check_is_written_by_users(table).or_raise();
    if bulk_load::begin(table).is_empty() {
        Problem::for_notice(format!("no TVIEW reads {}", relation::display(table)))
            .hint("Run SELECT source FROM pg_tviews_explain('post'); to see the sources of a TVIEW.")
            .notice();
    }
}

fn check_is_table(table: Oid) -> Result<(), Problem> {
    match relation::kind(table) {
        Some('r' | 'p') => Ok(()),
        None => Err(no_table(table)),
        Some(_) => Err(Problem::new(
            PgSqlErrorCode::ERRCODE_WRONG_OBJECT_TYPE,
            format!("{} is not a table", relation::display(table)),
        )
        .detail("Only changes of tables and partitioned tables are captured.")
        .hint("Name the table that is to be loaded.")),
    }
}

fn no_table(table: Oid) -> Problem {
    Problem::new(
        PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE,
        format!("{} does not exist", relation::display(table)),
    )
    .hint("Run SELECT source FROM pg_tviews_explain('post'); to see the sources of a TVIEW.")
}

fn check_is_written_by_users(table: Oid) -> Result<(), Problem> {
    let known = tview_cache::all().map_err(Problem::from)?;
    if !known.contains_key(&table) {
        return Ok(());
    }
    let display = relation::display(table);
    Err(Problem::new(
        PgSqlErrorCode::ERRCODE_WRONG_OBJECT_TYPE,
        format!("{display} is the table of a TVIEW"),
    )
    .detail("Its rows are written by refreshes.")
    .hint("Call pg_tviews_bulk_load() for the table that is to be loaded."))
}
