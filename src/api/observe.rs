//! Functions that only look.

use pgrx::prelude::*;
use pgrx::JsonB;

use crate::error::OrRaise;
use crate::refresh::check;

#[pg_extern(stable, parallel_safe)]
fn pg_tviews_version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

#[pg_extern(volatile, parallel_unsafe)]
fn pg_tviews_check(name: &str) -> TableIterator<'static, (name!(key, JsonB), name!(problem, String))> {
    TableIterator::new(check::differences(name).or_raise())
}
