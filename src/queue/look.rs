//! Which sources have rows in the queue: what workers poll.

use std::collections::HashSet;

use pgrx::pg_sys::Oid;

use super::position::Position;
use super::read::{outside, OUTSIDE};
use crate::catalog::definition;
use crate::catalog::session_statement::SessionStatement;
use crate::postgres::run_as::{planned_once, run_internal};
use crate::postgres::spi::{self, Access};
use crate::statement;

thread_local! {
    static SOURCES: SessionStatement = const { SessionStatement::new() };
    static NEWS: SessionStatement = const { SessionStatement::new() };
}

/// What the queue has.
pub struct Look {
    /// Sources with rows in the queue, absorbed or not; and TVIEWs with requests.
    pub sources: Vec<Oid>,
    /// The snapshot that shows these rows.
    pub snapshot: Position,
    /// The whole queue was read.
    pub at_all: bool,
}

/// Reads the whole queue; or only rows of these sources that an earlier look did not show. Inside a
/// transaction at READ COMMITTED with a snapshot.
pub fn look(since: Option<(&Position, &HashSet<Oid>)>) -> Option<Look> {
    definition::table()?;
    run_internal(|| {
        planned_once();
        spi::session(|| {
            let rows = match since {
                None => SOURCES.with(|sources| {
                    let sources = sources.get(|| statement!("queue_sources"), &[]);
                    sources.run(Access::Snapshot, &[], 1)
                }),
                Some((position, sources)) => NEWS.with(|news| {
                    let news = news.get(|| statement!("queue_news"), &OUTSIDE);
                    let sources = sources.iter().copied().collect();
                    news.run(Access::Snapshot, &outside(Some(position), sources), 1)
                }),
            };
            Some(Look {
                sources: rows.get(0, 0).unwrap_or_default(),
                snapshot: rows.get::<String>(0, 1)?.parse().ok()?,
                at_all: since.is_none(),
            })
        })
    })
}
