//! Functions that bring a TVIEW up to date, or wait until it is.

use pgrx::datum::Interval;
use pgrx::prelude::*;
use std::time::Duration;

use super::manage::given;
use crate::refresh::{drain, request, retry, wait};

#[pg_extern(volatile, parallel_unsafe)]
fn pg_tviews_refresh(name: Option<&str>, keys: default!(Option<Vec<Option<String>>>, "NULL")) {
    request::request(given(name), keys);
}

#[pg_extern(volatile, parallel_unsafe)]
fn pg_tviews_wait(
    name: default!(Option<&str>, "NULL"),
    timeout: default!(Option<Interval>, "'30 seconds'"),
) -> bool {
    let timeout = timeout.map(|interval| Duration::from_micros(interval.as_micros().max(0) as u64));
    wait::wait(name, timeout)
}

#[pg_extern(volatile, parallel_unsafe)]
fn pg_tviews_retry(name: default!(Option<&str>, "NULL")) -> i64 {
    retry::retry(name)
}

#[pg_extern(sql = "
CREATE PROCEDURE pg_tviews_drain(name text DEFAULT NULL)
    LANGUAGE c
    AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn pg_tviews_drain(name: Option<&str>, fcinfo: pg_sys::FunctionCallInfo) {
    drain::drain_all(name, crate::postgres::transaction::may_commit(fcinfo));
}
