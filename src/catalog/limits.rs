//! Limits of the arguments of one call, so that memory is not the limit.

use pgrx::PgSqlErrorCode;

use crate::error::Problem;

/// Maximum size of a query, in bytes.
const QUERY: usize = 16 << 20;
/// Maximum size of a document whose members are read, in bytes.
const DOCUMENT: usize = 16 << 20;
/// Maximum size of a key as text, in bytes. An index accepts less than a hundredth of that.
const KEY: usize = 1 << 20;
/// Maximum number of keys in one call, and their total size in bytes.
const KEYS: usize = 1_000_000;
const KEYS_BYTES: usize = 16 << 20;
/// Maximum number of column names. No table has more columns.
const COLUMNS: usize = 1_600;

/// Maximum number of TVIEWs that one call names.
const NAMES: usize = 1_000;

pub fn check_names(number: usize) -> Result<(), Problem> {
    if number <= NAMES {
        return Ok(());
    }
    Err(Problem::new(
        PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
        format!("names has {number} elements, more than {NAMES}"),
    ))
}

pub fn check_query(query: &str) -> Result<(), Problem> {
    check_size("the query", query.len(), QUERY)
}

/// `argument`: its name.
pub fn check_document(argument: &str, json: &str) -> Result<(), Problem> {
    check_size(argument, json.len(), DOCUMENT)
}

pub fn check_key(key: &str) -> Result<(), Problem> {
    check_size("a key", key.len(), KEY)
}

pub fn check_keys(keys: &[Option<&str>]) -> Result<(), Problem> {
    let bytes = keys.iter().flatten().map(|key| key.len()).sum();
    check_size("keys", bytes, KEYS_BYTES)?;
    if keys.len() <= KEYS {
        return Ok(());
    }
    Err(Problem::new(
        PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
        format!("keys has {} elements, more than {KEYS}", keys.len()),
    ))
}

/// `argument`: its name.
pub fn check_columns(argument: &str, number: usize) -> Result<(), Problem> {
    if number <= COLUMNS {
        return Ok(());
    }
    Err(Problem::new(
        PgSqlErrorCode::ERRCODE_TOO_MANY_COLUMNS,
        format!("{argument} names {number} columns"),
    )
    .detail(format!("A table has at most {COLUMNS} columns.")))
}

fn check_size(argument: &str, bytes: usize, maximum: usize) -> Result<(), Problem> {
    if bytes <= maximum {
        return Ok(());
    }
    Err(Problem::new(
        PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
        format!("{argument} has {bytes} bytes, more than {maximum}"),
    ))
}
