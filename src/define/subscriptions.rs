//! Subscriptions of this database leave out the tables that pg_tviews writes.

use super::command_objects::oids;
use crate::error::Problem;
use crate::postgres::relation;
use crate::statement;

/// Removes tables of the extension and tv tables from subscriptions. A publication of all tables includes
/// them. But transaction ids and positions of the publisher mean nothing here, and rows of tv tables would
/// collide with the refreshes.
pub fn leave() {
    for table in oids(&statement!("not_subscribed"), &[]) {
        Problem::for_notice(format!(
            "{} is removed from a subscription: its rows are computed here",
            relation::display(table)
        ))
        .notice();
    }
}
