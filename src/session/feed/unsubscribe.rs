//! `pg_tviews_unsubscribe`: the mirror of subscribe.

use pgrx::pg_sys;

use super::consumer;
use crate::error::Problem;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Value};
use crate::statement;

/// Removes a consumer.
pub fn unsubscribe(name: Option<&str>) -> Result<(), Problem> {
    remove(consumer::find(name)?.subscription);
    Ok(())
}

/// Removes a subscription, with what its consumer has acknowledged.
pub fn remove(subscription: i64) {
    run_internal(|| {
        spi::session(|| {
            let args = [(pg_sys::INT8OID, Value::of(subscription))];
            spi::run(&statement!("subscription_remove"), Access::Current, &args);
        })
    });
}
