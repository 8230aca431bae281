//! `pg_tviews_consistent`: whether TVIEWs show the same moment in the snapshot of the caller.
//!
//! TVIEWs show the same moment if nothing is pending for any of them. Otherwise the moment can only be the position of
//! the one that has come furthest: it must cover all that the other ones cover, and each of them must have absorbed
//! what it covers. A change that is not in the queue any more was absorbed by every TVIEW that reads its source.

use std::rc::Rc;

use pgrx::pg_sys::Oid;
use pgrx::PgSqlErrorCode;

use super::known_current;
use super::query::with_feeders;
use super::staleness::{self, Shown};
use crate::catalog::tview_cache::{self, KnownTviews};
use crate::catalog::{definition, limits};
use crate::error::Problem;
use crate::postgres::queue_scan::QueueRow;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi;
use crate::postgres::stored_snapshot::StoredSnapshot;
use crate::queue::position::Position;
use crate::session::rights::check_reader;

/// Whether these TVIEWs, and those that feed them, show the same moment in the active snapshot. Changes of the running
/// transaction do not count.
pub fn consistent(names: &[Option<&str>]) -> Result<bool, Problem> {
    limits::check_names(names.len())?;
    let mut tviews = Vec::new();
    for name in names {
        let definition = definition::find(name.ok_or_else(no_name)?)?;
        check_reader(&definition)?;
        tviews.push(definition.tview);
    }
    let known = tview_cache::all().map_err(Problem::from)?;
    Ok(of(&tviews, &known))
}

fn no_name() -> Problem {
    Problem::new(
        PgSqlErrorCode::ERRCODE_NULL_VALUE_NOT_ALLOWED,
        "names must not contain NULL",
    )
    .hint("Give names of TVIEWs, such as '{post,user}'.")
}

/// The same of TVIEWs by their tables, whoever asks.
pub fn of(named: &[Oid], known: &Rc<KnownTviews>) -> bool {
    let tviews = with_feeders(named, known);
    if !named.iter().all(|tview| tviews.contains(tview)) {
        return false;
    }
    if known_current::is_current(&tviews, known, || Some(StoredSnapshot::of_active())) {
        return true;
    }
    run_internal(|| {
        spi::session(|| {
            let (shown, with_dead_keys) = staleness::read(&tviews);
            if shown.len() != tviews.len() || shown.iter().any(|shown| shown.unfilled_since.is_some()) {
                return false;
            }
            match pending(&shown, known) {
                Pending::Nothing => {
                    if with_dead_keys.is_empty() {
                        known_current::keep(&tviews, known);
                    }
                    true
                }
                Pending::ForAll => true,
                Pending::ForSome => false,
            }
        })
    })
}

/// What is pending for TVIEWs.
enum Pending {
    Nothing,
    /// Changes that none of those shows which it affects.
    ForAll,
    /// There is no moment that all of them show.
    ForSome,
}

fn pending(shown: &[Shown], known: &KnownTviews) -> Pending {
    let positions: Option<Vec<Position>> = shown
        .iter()
        .map(|shown| shown.position.as_ref().map(Position::from))
        .collect();
    let moment = positions.as_ref().and_then(|positions| furthest(positions));
    // The table of another TVIEW shows what it shows: nothing of that may be pending. A request may be for rows that a
    // transaction with changes has seen and committed, before other TVIEWs show these changes.
    let is_due = |row: &QueueRow| {
        row.is_request
            || known.contains_key(&row.source)
            || moment.is_none_or(|moment| moment.covers(row.xid))
    };
    let mut pending = Pending::Nothing;
    for shown in shown {
        shown.pending(|row| {
            pending = if is_due(row) {
                Pending::ForSome
            } else {
                Pending::ForAll
            };
            matches!(pending, Pending::ForAll)
        });
        if matches!(pending, Pending::ForSome) {
            break;
        }
    }
    pending
}

/// The position that covers all that the others cover.
fn furthest(positions: &[Position]) -> Option<&Position> {
    let mut furthest = positions.first()?;
    for position in positions {
        if !furthest.is_at_or_ahead_of(position) {
            furthest = position;
        }
    }
    let is_ahead = |position: &Position| furthest.is_at_or_ahead_of(position);
    positions.iter().all(is_ahead).then_some(furthest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn furthest_of(texts: &[&str]) -> Option<String> {
        let positions: Vec<Position> = texts.iter().map(|text| text.parse().unwrap()).collect();
        furthest(&positions).map(Position::to_string)
    }

    #[test]
    fn the_furthest_covers_all_that_the_others_cover() {
        assert_eq!(
            furthest_of(&["10:10:", "12:15:12", "12:12:"]).as_deref(),
            Some("12:15:12")
        );
        assert_eq!(furthest_of(&["10:10:"]).as_deref(), Some("10:10:"));
        // Each covers what the other one does not.
        assert_eq!(furthest_of(&["10:12:10", "11:12:11"]), None);
        assert_eq!(furthest_of(&[]), None);
    }
}
