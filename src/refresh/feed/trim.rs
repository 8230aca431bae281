//! Removes rows of `pg_tview_change` that no consumer needs, or that are kept for too long.

use pgrx::pg_sys;
use pgrx::PgSqlErrorCode;

use crate::catalog::definition;
use crate::error::Problem;
use crate::postgres::extension;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::transaction::lock::{self, Attempt, TableLock};
use crate::{settings, statement};

/// Removes up to `limit` rows for each of both reasons; returns how many. Inside a transaction at READ COMMITTED
/// with a snapshot.
///
/// A session that subscribes holds a lock on the table of subscriptions until its commit: its consumer cannot
/// be seen before, and needs what is removed. Then nothing is removed this time.
pub fn trim(limit: usize) -> u64 {
    let subscriptions = extension::relation(c"pg_tview_subscription");
    let Some(subscriptions) = subscriptions.filter(|_| definition::table().is_some()) else {
        return 0;
    };
    let (exists, is_large) = run_internal(|| {
        spi::session(|| {
            let most = [(pg_sys::INT8OID, Value::of(settings::feed_max_size()))];
            let rows = spi::run(&statement!("change_size"), Access::Current, &most);
            let is = |column| rows.get::<bool>(0, column) == Some(true);
            (is(0), is(1))
        })
    });
    if !exists || lock::try_table(subscriptions, TableLock::ShareRowExclusive) != Attempt::Locked {
        return 0;
    }
    run_internal(|| {
        spi::session(|| {
            spi::run(&statement!("acknowledgement_trim"), Access::Current, &[]);
            let limit = (pg_sys::INT8OID, Value::of(limit as i64));
            let trimmed = spi::run(&statement!("change_trim"), Access::Current, &[limit]).len() as u64;
            trimmed + expire(limit, is_large)
        })
    })
}

/// Removes the oldest rows, even if consumers need them; such consumers are noted.
fn expire(limit: (pg_sys::Oid, Value), is_large: bool) -> u64 {
    let most = is_large.then(settings::feed_max_size);
    let args = [
        limit,
        (
            pg_sys::FLOAT8OID,
            Value::of(settings::feed_retention().as_secs_f64()),
        ),
        (pg_sys::INT8OID, Value::of(most)),
    ];
    // The sessions are read again, after the snapshot of this statement.
    spi::run("SELECT pg_catalog.pg_stat_clear_snapshot()", Access::Current, &[]);
    let rows = spi::run(&statement!("change_expire"), Access::Current, &args);
    for consumer in rows.get::<Vec<String>>(0, 1).unwrap_or_default() {
        Problem::new(
            PgSqlErrorCode::ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
            format!("changes for consumer \"{consumer}\" were removed that it had not acknowledged"),
        )
        .detail("They exceeded pg_tviews.feed_retention or pg_tviews.feed_max_size.")
        .hint("The consumer has to subscribe again and to read the tables anew.")
        .warn();
    }
    rows.get::<i64>(0, 0).unwrap_or(0) as u64
}
