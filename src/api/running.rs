//! Stored groups: the function that recompute statements call for the groups they read, and the counts.

use pgrx::prelude::*;
use pgrx::Array;

use crate::catalog::status;
use crate::postgres::sql_types::{texts, RegClass};
use crate::refresh::running::noted;

/// Returns `rows`. During a refresh the group is noted.
#[pg_extern(sql = "
CREATE FUNCTION pg_tviews_running_group(level int, key text[], rows bigint, state text[], stored boolean) RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn pg_tviews_running_group(
    level: Option<i32>,
    key: Option<Array<&str>>,
    rows: Option<i64>,
    state: Option<Array<&str>>,
    stored: Option<bool>,
) -> Option<i64> {
    if noted::is_collecting() {
        match (level, key, rows, state, stored) {
            (_, _, _, _, Some(true)) => noted::stored(),
            (Some(level), Some(key), Some(rows), Some(state), _) => {
                noted::computed(level, rows, &texts(&key), &texts(&state));
            }
            _ => {}
        }
    }
    rows
}

/// How many groups of a TVIEW are stored, and how often such groups were read.
#[pg_extern(sql = "
CREATE FUNCTION pg_tviews_stored_groups(tview regclass) RETURNS TABLE (groups bigint, reads bigint)
    LANGUAGE c STABLE STRICT ROWS 1
    AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn pg_tviews_stored_groups(
    tview: RegClass,
) -> TableIterator<'static, (name!(groups, i64), name!(reads, i64))> {
    let (groups, reads) = status::stored_groups(tview.0);
    TableIterator::once((groups, reads))
}
