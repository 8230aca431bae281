//! The tv table of a TVIEW: checked, created, given a unique index on the key.

use pgrx::pg_sys::Oid;
use pgrx::PgSqlErrorCode;

use super::notice::Notice;
use super::patience;
use crate::catalog::columns::Column;
use crate::catalog::entity::Entity;
use crate::catalog::key_choice::has_unique_index;
use crate::catalog::owner::check_owner;
use crate::error::Problem;
use crate::postgres::hooks::table_as::TableAs;
use crate::postgres::transaction::lock::TableLock;
use crate::postgres::{quote, relation, spi, transaction};

/// Whether a table that exists can be the table of a TVIEW of the current role.
pub fn check(table: Oid, entity: &Entity) -> Result<(), Problem> {
    let display = relation::display(table);
    if relation::kind(table) != Some('r') {
        return Err(Problem::new(
            PgSqlErrorCode::ERRCODE_WRONG_OBJECT_TYPE,
            format!("{display} is not an ordinary table"),
        )
        .detail("The table of a TVIEW must be an ordinary table: no view, no partitioned, foreign or temporary table.")
        .hint(format!(
            "Rename or drop {display}; pg_tviews_create then creates the table {}.",
            entity.table()
        )));
    }
    if relation::is_temporary(table) {
        return Err(Problem::new(
            PgSqlErrorCode::ERRCODE_WRONG_OBJECT_TYPE,
            format!("{display} is a temporary table"),
        )
        .hint("Use a permanent table."));
    }
    check_owner(table)
}

/// Free space on each page keeps the new version of an updated row on the page of the old one.
const FILL_FACTOR: i32 = 85;

/// Creates the table with the columns of the view.
pub fn create(entity: &Entity, view: &[Column], key: &[String]) {
    let columns: Vec<String> = view.iter().map(Column::sql).collect();
    spi::run_for_user(&format!(
        "CREATE TABLE {} ({}, PRIMARY KEY ({})) WITH (fillfactor = {FILL_FACTOR})",
        entity.qualified(&entity.table()),
        columns.join(", "),
        list(key)
    ));
}

/// Another session has created the table since the statement began.
pub fn exists(entity: &Entity) -> Problem {
    Problem::new(
        PgSqlErrorCode::ERRCODE_DUPLICATE_TABLE,
        format!("relation \"{}\" already exists", entity.table()),
    )
    .hint("Run the statement again.")
}

/// Creates the table by the statement of the caller.
pub fn create_as(statement: &TableAs, entity: &Entity, key: &[String]) {
    statement.create_empty(&entity.qualified(&entity.view()), FILL_FACTOR);
    spi::run_for_user(&format!(
        "ALTER TABLE {} ADD PRIMARY KEY ({})",
        entity.display(),
        list(key)
    ));
}

/// Makes sure that a unique index covers the key: without one, every refresh would read the whole table.
pub fn ensure_unique(table: Oid, entity: &Entity, key: &[String]) -> Option<Notice> {
    if has_unique_index(table, key) {
        return None;
    }
    let columns = list(key);
    let display = relation::display(table);
    patience::lock_all(&[(table, TableLock::ShareRowExclusive)]);
    let sql = format!("CREATE UNIQUE INDEX ON {display} ({columns})");
    match transaction::attempt(|| spi::run_for_user(&sql)) {
        Ok(()) => Some(Notice::new(format!(
            "created a unique index on {display} ({columns}), the key of the TVIEW"
        ))),
        Err(caught) if caught.code != PgSqlErrorCode::ERRCODE_UNIQUE_VIOLATION => caught.raise(),
        Err(caught) => Problem::new(
            caught.code,
            format!("the key ({columns}) of TVIEW {display} is not unique"),
        )
        .detail(caught.message)
        .hint(format!(
            "Remove the duplicates, or name another key: SELECT pg_tviews_create({}, key_columns => '{{...}}');",
            quote::literal(&entity.name)
        ))
        .raise(),
    }
}

fn list(columns: &[String]) -> String {
    let columns: Vec<String> = columns.iter().map(|name| quote::identifier(name)).collect();
    columns.join(", ")
}
