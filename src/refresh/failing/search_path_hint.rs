//! The hint for functions that fail without the search_path of their caller.

use pgrx::PgSqlErrorCode;

use crate::error::Caught;

/// Adds a hint to an error about a name that was not found. The names of the view itself are resolved
/// already: a function that the view calls depends on the search_path of its caller.
pub fn with_search_path_hint(mut error: Caught) -> Caught {
    let not_found = [
        PgSqlErrorCode::ERRCODE_UNDEFINED_FUNCTION,
        PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE,
        PgSqlErrorCode::ERRCODE_UNDEFINED_OBJECT,
    ];
    if not_found.contains(&error.code) && error.hint.as_deref().is_none_or(|hint| hint.starts_with("No ")) {
        error.hint = Some(
            "Refreshes run with the search_path pg_catalog, pg_temp. Run ALTER FUNCTION ... SET search_path = ... for the function that uses the name, or write its schema in the function."
                .to_string(),
        );
    }
    error
}
