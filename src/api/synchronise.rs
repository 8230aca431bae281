//! Functions that bring a TVIEW up to date, or wait until it is.

use std::time::Duration;

use pgrx::datum::Interval;
use pgrx::prelude::*;
use pgrx::{AnyElement, Array};

use crate::define::arguments::{bound, tview_name};
use crate::error::{OrRaise, Problem};
use crate::postgres::sql_types::{text_of, texts, RegClass};
use crate::postgres::transaction::{may_commit, refuse_read_only};
use crate::session::promise::require;
use crate::session::token::Token;
use crate::session::wait_argument::{self, Argument};
use crate::session::{bulk_load, drain, request, retry_dead_keys, wait, wait_for_key, wait_for_token};

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

#[pg_extern(volatile, parallel_unsafe)]
fn pg_tviews_refresh(name: Option<&str>, keys: default!(Option<Array<&str>>, "NULL")) {
    refuse_read_only("pg_tviews_refresh()");
    let keys = keys.as_ref().map(texts);
    request::request(tview_name(name).or_raise(), keys.as_deref());
}

/// NULL is refused in Rust, with the hint that a strict function could not give.
#[pg_extern(volatile, parallel_unsafe)]
fn pg_tviews_bulk_load(source: Option<RegClass>) {
    refuse_read_only("pg_tviews_bulk_load()");
    bulk_load::begin(source.ok_or_else(no_source).or_raise().0);
}

fn no_source() -> Problem {
    Problem::new(
        PgSqlErrorCode::ERRCODE_NULL_VALUE_NOT_ALLOWED,
        "the table to load must not be NULL",
    )
    .hint("Run SELECT pg_tviews_bulk_load('tb_post'); in the transaction that loads the table.")
}

#[pg_extern(volatile, parallel_unsafe)]
fn pg_tviews_wait(
    name: default!(Option<&str>, "NULL"),
    timeout: default!(Option<Interval>, "'30 seconds'"),
) -> bool {
    wait::wait(name, timeout.as_ref().map(wait_argument::length))
}

/// The function that PostgreSQL chooses for two literals without argument names: the second may be a key or a
/// timeout.
#[pg_extern(sql = "
CREATE FUNCTION pg_tviews_wait(name text, key_or_timeout text) RETURNS boolean
    LANGUAGE c
    AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn pg_tviews_wait_either(name: Option<&str>, key_or_timeout: Option<&str>) -> bool {
    match (key_or_timeout.map(|text| wait_argument::read(name, text)), name) {
        (Some(Argument::Key), Some(name)) => {
            wait_for_key::wait_for_key(name, key_or_timeout.unwrap_or_default(), Some(DEFAULT_TIMEOUT))
        }
        (Some(Argument::Timeout(timeout)), _) => wait::wait(name, Some(timeout)),
        _ => wait::wait(name, None),
    }
}

/// The name is a varchar: for two literals without argument names, PostgreSQL must prefer the function above.
#[pg_extern(sql = "
CREATE FUNCTION pg_tviews_wait(name varchar, key text, timeout interval DEFAULT '30 seconds') RETURNS boolean
    LANGUAGE c
    AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn pg_tviews_wait_for_key(name: Option<&str>, key: Option<&str>, timeout: Option<Interval>) -> bool {
    let key = key.ok_or_else(no_key).or_raise();
    wait_for_key::wait_for_key(
        tview_name(name).or_raise(),
        key,
        timeout.as_ref().map(wait_argument::length),
    )
}

/// For keys of types that PostgreSQL does not cast to text implicitly: integers, uuids.
#[pg_extern(sql = "
CREATE FUNCTION pg_tviews_wait(name varchar, key anyelement, timeout interval DEFAULT '30 seconds') RETURNS boolean
    LANGUAGE c
    AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn pg_tviews_wait_for_value(name: Option<&str>, key: Option<AnyElement>, timeout: Option<Interval>) -> bool {
    let key = key.ok_or_else(no_key).or_raise();
    let timeout = timeout.as_ref().map(wait_argument::length);
    wait_for_key::wait_for_key(tview_name(name).or_raise(), &text_of(key), timeout)
}

fn no_key() -> Problem {
    Problem::new(
        PgSqlErrorCode::ERRCODE_NULL_VALUE_NOT_ALLOWED,
        "the key to wait for must not be NULL",
    )
    .hint("Run SELECT pg_tviews_wait('post'); to wait for all keys.")
}

#[pg_extern(volatile, parallel_unsafe)]
fn pg_tviews_require(name: Option<&str>, max_staleness: Option<Interval>) {
    let bound = bound(max_staleness.as_ref()).or_raise();
    require::require(tview_name(name).or_raise(), bound);
}

#[pg_extern(volatile, parallel_unsafe)]
fn pg_tviews_token() -> String {
    Token::take().or_raise().to_string()
}

#[pg_extern(volatile, parallel_unsafe)]
fn pg_tviews_wait_for(
    token: Option<&str>,
    name: default!(Option<&str>, "NULL"),
    timeout: default!(Option<Interval>, "'30 seconds'"),
) -> bool {
    let token = token.ok_or_else(no_token).or_raise();
    wait_for_token::wait_for(token, name, timeout.as_ref().map(wait_argument::length))
}

fn no_token() -> Problem {
    Problem::new(
        PgSqlErrorCode::ERRCODE_NULL_VALUE_NOT_ALLOWED,
        "the token to wait for must not be NULL",
    )
    .hint("Run SELECT pg_tviews_token(); after the commit to wait for.")
}

#[pg_extern(volatile, parallel_unsafe)]
fn pg_tviews_retry(name: default!(Option<&str>, "NULL")) -> i64 {
    refuse_read_only("pg_tviews_retry()");
    retry_dead_keys::retry(name)
}

#[pg_extern(sql = "
CREATE PROCEDURE pg_tviews_drain(name text DEFAULT NULL)
    LANGUAGE c
    AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn pg_tviews_drain(name: Option<&str>, fcinfo: pg_sys::FunctionCallInfo) {
    refuse_read_only("pg_tviews_drain()");
    drain::drain_all(name, may_commit(fcinfo));
}
