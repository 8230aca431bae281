//! How much a user may hand over in one call: beyond that, memory would be the limit.

use pgrx::PgSqlErrorCode;

use crate::error::Problem;

/// Bytes of a query.
const QUERY: usize = 16 << 20;
/// Bytes of a document whose members are gone through.
const DOCUMENT: usize = 16 << 20;
/// Bytes of a key, as text. No index takes a hundredth of that.
const KEY: usize = 1 << 20;
/// Keys of which each is looked up, and their bytes together.
const KEYS: usize = 1_000_000;
const KEYS_BYTES: usize = 16 << 20;
/// Names of columns. No table has more.
const COLUMNS: usize = 1_600;

pub fn check_query(query: &str) -> Result<(), Problem> {
    match query.len() > QUERY {
        true => Err(too_many("the query", query.len(), QUERY)),
        false => Ok(()),
    }
}

/// `what`: the argument.
pub fn check_document(what: &str, json: &str) -> Result<(), Problem> {
    match json.len() > DOCUMENT {
        true => Err(too_many(what, json.len(), DOCUMENT)),
        false => Ok(()),
    }
}

pub fn check_key(key: &str) -> Result<(), Problem> {
    match key.len() > KEY {
        true => Err(too_many("a key", key.len(), KEY)),
        false => Ok(()),
    }
}

pub fn check_keys(keys: &[Option<&str>]) -> Result<(), Problem> {
    let bytes = keys.iter().flatten().map(|key| key.len()).sum();
    if bytes > KEYS_BYTES {
        return Err(too_many("keys", bytes, KEYS_BYTES));
    }
    match keys.len() > KEYS {
        true => Err(Problem::new(
            PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
            format!("keys has {} elements, more than {KEYS}", keys.len()),
        )),
        false => Ok(()),
    }
}

/// `what`: the argument.
pub fn check_columns(what: &str, number: usize) -> Result<(), Problem> {
    if number <= COLUMNS {
        return Ok(());
    }
    Err(Problem::new(
        PgSqlErrorCode::ERRCODE_TOO_MANY_COLUMNS,
        format!("{what} names {number} columns"),
    )
    .detail(format!("A table has at most {COLUMNS} columns.")))
}

fn too_many(what: &str, bytes: usize, most: usize) -> Problem {
    Problem::new(
        PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
        format!("{what} has {bytes} bytes, more than {most}"),
    )
}
