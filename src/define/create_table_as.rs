//! `CREATE TABLE tv_post AS SELECT ...`: makes the TVIEW as `pg_tviews_create` does.

use pgrx::{pg_sys, PgSqlErrorCode};

use super::create::{self, Made, Request, Triggers};
use crate::catalog::definition;
use crate::catalog::state::State;
use crate::catalog::statements;
use crate::error::{OrRaise, Problem};
use crate::postgres::hooks::table_as::{self, TableAs, Unfit};
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::{quote, role};
use crate::{settings, statement};

/// What is written where a plain table is meant.
const PLAIN: &str = "For a plain table, run SET pg_tviews.create_table_as = off;";

/// Makes the TVIEW; returns how many rows its table has. Raises every problem.
pub fn create(statement: TableAs) -> u64 {
    let name = statement.name();
    let query = match &statement.query {
        Ok(query) => query.clone(),
        Err(unfit) => refusal(*unfit, &name).raise(),
    };
    check_privilege().or_raise();
    let table = create::create(Request {
        name: name.clone(),
        query: Some(query),
        max_latency: None,
        key_columns: None,
        allow_full: settings::allow_full(),
        called: "CREATE TABLE AS",
        triggers: Triggers::Now,
        statement: Some(statement),
        made: Made::default(),
    });
    let definition = run_internal(|| definition::load(table));
    if definition.is_some_and(|definition| definition.state == State::Populating) {
        Problem::for_notice(format!("the table {name} is filled after the commit"))
            .detail("The view is too large to fill the table while the statement runs, or a lock was not available.")
            .hint(format!("Run SELECT pg_tviews_wait({}); to wait for its rows.", quote::literal(&name)))
            .notice();
    }
    count(&name)
}

/// The table is empty, or small.
fn count(table: &str) -> u64 {
    let sql = format!("SELECT pg_catalog.count(*) FROM ONLY {table}");
    let rows = run_internal(|| spi::session(|| spi::run(&sql, Access::Current, &[]).one::<i64>()));
    rows.map_or(0, i64::unsigned_abs)
}

/// Who may not call `pg_tviews_create` makes no TVIEW by another statement.
fn check_privilege() -> Result<(), Problem> {
    let caller = role::current_role();
    let args = [(pg_sys::OIDOID, Value::of(caller))];
    let sql = statement!("may_create");
    let may = run_internal(|| spi::session(|| spi::run(&sql, Access::Current, &args).one::<bool>()));
    if may == Some(true) {
        return Ok(());
    }
    let (schema, caller) = (statements::schema(), role::name(caller));
    Err(Problem::new(
        PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
        "permission denied for function pg_tviews_create",
    )
    .detail("A table whose name begins with tv_ is a TVIEW if it is created from a query.")
    .hint(format!(
        "Run GRANT USAGE ON SCHEMA {schema} TO {caller}; and GRANT EXECUTE ON FUNCTION {schema}.pg_tviews_create TO {caller}; {PLAIN}"
    )))
}

/// Why the statement makes no TVIEW, and what to write.
fn refusal(unfit: Unfit, name: &str) -> Problem {
    let (how, instead) = match unfit {
        Unfit::SelectInto => ("SELECT INTO", "Write CREATE TABLE ... AS SELECT."),
        Unfit::Temporary => ("CREATE TEMPORARY TABLE AS", "Leave out TEMPORARY."),
        Unfit::ColumnNames => (
            "CREATE TABLE AS with a list of columns",
            "Name the columns in the query: SELECT a AS b.",
        ),
        Unfit::NoData => (
            "CREATE TABLE AS ... WITH NO DATA",
            "Leave out WITH NO DATA. The table of a large view is filled after the commit.",
        ),
        Unfit::Execute => (
            "CREATE TABLE AS EXECUTE",
            "Write the query of the prepared statement.",
        ),
        Unfit::Parameters => (
            "CREATE TABLE AS with parameters or variables",
            "Write their values into the query, in PL/pgSQL by EXECUTE format('CREATE TABLE ... %L', ...).",
        ),
        Unfit::TransitionTable => (
            "CREATE TABLE AS from a transition table",
            "Read tables that stay after the statement.",
        ),
        Unfit::ExplainAnalyze => ("EXPLAIN ANALYZE", "Leave out ANALYZE, or explain the SELECT."),
    };
    Problem::new(
        PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
        format!("cannot create TVIEW {name} by {how}"),
    )
    .detail("A table whose name begins with tv_ is a TVIEW if it is created from a query.")
    .hint(format!("{instead} {PLAIN}"))
}

/// Called after a command that was not seen before it ran. Refuses one that has created such a table.
pub fn refuse_missed() {
    if !table_as::is_missed() {
        return;
    }
    let sql = statement!("ddl_table_as");
    let created = run_internal(|| spi::session(|| spi::run(&sql, Access::Snapshot, &[]).one::<String>()));
    let Some(name) = created else { return };
    Problem::new(
        PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
        format!("cannot create TVIEW {name} by CREATE TABLE AS: pg_tviews is not preloaded"),
    )
    .detail("The statement would leave a table that nothing keeps equal to its query.")
    .hint(format!(
        "Run SELECT pg_tviews_create({}, 'SELECT ...'); or add pg_tviews to shared_preload_libraries and restart the server. {PLAIN}",
        quote::literal(&name)
    ))
    .raise();
}
