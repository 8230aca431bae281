//! The column `feed` of `pg_tview_meta`: whether the rows that are written go to the change feed.

use pgrx::pg_sys::{self, Oid};
use pgrx::PgSqlErrorCode;

use super::{definition_row, patience};
use crate::catalog::announce;
use crate::catalog::definition::{self, Definition};
use crate::catalog::owner::by_whom;
use crate::catalog::state::State;
use crate::error::{OrRaise, Problem};
use crate::postgres::hooks::invalidation;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::Value;
use crate::postgres::transaction::lock::TableLock;
use crate::postgres::{quote, relation};
use crate::refresh::audit::{self, Entry};
use crate::refresh::feed;
use crate::statement;

/// Turns the feed of a TVIEW on or off.
///
/// The locks wait for refreshes, and for transactions that have written rows for previews: what these have written is
/// not in the feed, and must be visible to the session that subscribes next.
pub fn change(tview: Oid, on: Option<bool>) {
    let on = on.ok_or_else(no_value).or_raise();
    patience::patiently(
        || definition_row::lock(tview),
        |()| {
            let before = run_internal(|| definition::load(tview));
            let before = before
                .ok_or_else(|| definition::dropped(&relation::display(tview)))
                .or_raise();
            if on && before.state == State::Paused {
                paused(&before).raise();
            }
            patience::lock_all(&[(tview, TableLock::ShareRowExclusive)]);
            let definition = definition_row::write_column(
                tview,
                &statement!("meta_set_feed"),
                (pg_sys::BOOLOID, Value::of(on)),
            );
            if on {
                // Consumers of all TVIEWs, and of an earlier TVIEW of the name, do not know its rows.
                feed::everything(tview, &definition.entity_name);
            }
            let mut entry = Entry::new(&definition.entity_name, tview, "configure", audit::now());
            let mut details = by_whom();
            details["feed"] = on.into();
            entry.details = Some(details);
            audit::add(entry);
        },
    );
    // The statements of its refreshes are made again.
    invalidation::announce(tview);
    announce::catalog_change();
}

fn no_value() -> Problem {
    Problem::new(
        PgSqlErrorCode::ERRCODE_NOT_NULL_VIOLATION,
        "feed of pg_tview_meta must not be NULL",
    )
    .hint("Set it to true or false.")
}

fn paused(definition: &Definition) -> Problem {
    let name = definition.display();
    Problem::new(
        PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
        format!("TVIEW {name} is paused"),
    )
    .detail("Nothing is written to a TVIEW that is paused, so its feed would have nothing to report.")
    .hint(format!(
        "Run SELECT pg_tviews_resume({}); first.",
        quote::literal(&name)
    ))
}
