//! Logical replication into this database stays away from tables that are made here.

use pgrx::pg_sys::Oid;

use crate::error::Problem;
use crate::postgres::relation;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access};
use crate::statement;

/// A publication of all tables sends those of the extension, whose transaction ids and positions mean nothing here, and
/// tv tables, whose rows would collide with the refreshes. What it sends for them is no longer applied.
pub fn leave() {
    let tviews: Vec<Oid> = run_internal(|| {
        spi::session(|| {
            let rows = spi::run(&statement!("not_subscribed"), Access::Current, &[]);
            (0..rows.len()).filter_map(|row| rows.get(row, 0)).collect()
        })
    });
    for table in tviews {
        Problem::for_notice(format!(
            "{} is not taken from a subscription: its rows are made here",
            relation::display(table)
        ))
        .notice();
    }
}
