//! `pg_tviews_provenance`: which refreshes have written a row, and where their changes came from.

use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_sys;

use super::rights;
use crate::catalog::definition;
use crate::error::Problem;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Value};
use crate::session::named_key::change_key;
use crate::statement;

/// A change of a row.
pub struct Origin {
    pub changed_at: TimestampWithTimeZone,
    pub operation: String,
    pub audit_id: Option<i64>,
    pub origins: Option<Vec<Option<String>>>,
    pub changes_read: Option<i64>,
}

/// The changes of a row that are still in the feed, newest first.
pub fn provenance(name: &str, key: &str) -> Result<Vec<Origin>, Problem> {
    let fed = rights::named(name)?;
    let key = change_key(&definition::find(name)?, key)?;
    let args = [
        (pg_sys::OIDOID, Value::of(fed.tview)),
        (pg_sys::TEXTOID, Value::of(key)),
    ];
    Ok(run_internal(|| {
        spi::session(|| {
            let rows = spi::run(&statement!("change_provenance"), Access::Snapshot, &args);
            (0..rows.len())
                .filter_map(|row| {
                    Some(Origin {
                        changed_at: rows.get(row, 0)?,
                        operation: rows.get(row, 1)?,
                        audit_id: rows.get(row, 2),
                        origins: rows.get(row, 3),
                        changes_read: rows.get(row, 4),
                    })
                })
                .collect()
        })
    }))
}
