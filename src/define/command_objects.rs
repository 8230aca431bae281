//! Objects that a DDL command affects, as a named statement lists them.

use pgrx::pg_sys::Oid;

use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Value};

/// Runs a statement with internal rights; returns its first column.
pub fn oids(sql: &str, arguments: &[(Oid, Value)]) -> Vec<Oid> {
    run_internal(|| {
        spi::session(|| {
            let rows = spi::run(sql, Access::Current, arguments);
            (0..rows.len()).filter_map(|row| rows.get(row, 0)).collect()
        })
    })
}
