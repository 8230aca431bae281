//! The problems of a view that returns rows without a place in the table.

use pgrx::PgSqlErrorCode;

use crate::error::Problem;
use crate::postgres::spi::{self, Access};
use crate::refresh::plan::Plan;

/// The problem of a view that returns rows whose key is NULL; None if it returns none.
pub fn null_keys(plan: &Plan) -> Option<Problem> {
    let found = spi::run(&plan.shape.null_keys(), Access::Snapshot, &[]).one::<bool>() == Some(true);
    found.then(|| null_key(plan))
}

/// The problem of a view that returns rows whose key is NULL.
pub fn null_key(plan: &Plan) -> Problem {
    let names: Vec<&str> = plan.shape.key.iter().map(|k| k.name.as_str()).collect();
    Problem::new(
        PgSqlErrorCode::ERRCODE_NOT_NULL_VIOLATION,
        format!(
            "view {} returns a row whose key ({}) is NULL",
            plan.shape.view,
            names.join(", ")
        ),
    )
    .detail("Such a row has no place in the table.")
    .hint(format!(
        "Run SELECT * FROM {} WHERE {} IS NULL; to list such rows.",
        plan.shape.view,
        names.join(" IS NULL OR ")
    ))
}

/// The problem of a view that returns keys more than once; None if it returns none.
pub fn repeated_keys(plan: &Plan) -> Option<Problem> {
    let keys = spi::run(&plan.shape.repeated_keys(), Access::Snapshot, &[]).one::<String>();
    keys.map(|keys| repeated_key(plan, &keys))
}

/// The problem of a view that returns keys more than once. `keys`: some of these keys, as JSON.
pub fn repeated_key(plan: &Plan, keys: &str) -> Problem {
    Problem::new(
        PgSqlErrorCode::ERRCODE_CARDINALITY_VIOLATION,
        format!("view {} returns the same key more than once", plan.shape.view),
    )
    .detail(format!("Keys: {keys}."))
    .hint("Make the view return one row per key, or choose another key with key_columns.")
}
