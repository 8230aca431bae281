//! The function that recompute statements call for the groups they read.

use pgrx::prelude::*;
use pgrx::Array;

use crate::postgres::sql_types::texts;
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
