//! Reading what a TVIEW has not absorbed yet.

use std::collections::HashSet;

use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_sys::{self, Oid};

use super::position::Position;
use crate::catalog::definition;
use crate::catalog::session_statement::SessionStatement;
use crate::postgres::run_as::{planned_once, run_internal};
use crate::postgres::spi::{self, Access, Rows, Value};
use crate::postgres::transaction;
use crate::statement;

/// Pending changes of one source.
pub struct Pending {
    pub source: Oid,
    /// Asked for by pg_tviews_refresh: `keys` are keys of the TVIEW itself.
    pub requested: bool,
    /// Some change names no keys: any row may be concerned.
    pub all_keys: bool,
    /// Change keys as they stand in the queue: `jsonb[]`, one element per queue row.
    pub keys: Value,
    /// Change keys, counted.
    pub changes: i64,
    pub oldest: Option<TimestampWithTimeZone>,
    /// The least id of the transactions that made them.
    pub oldest_xid: Option<u64>,
}

thread_local! {
    static READ: SessionStatement = const { SessionStatement::new() };
    static SOURCES: SessionStatement = const { SessionStatement::new() };
    static NEWS: SessionStatement = const { SessionStatement::new() };
    static SIZE: SessionStatement = const { SessionStatement::new() };
    static EVERY_ROW_BY: SessionStatement = const { SessionStatement::new() };
}

/// What is in the queue.
pub struct Look {
    /// Sources, and TVIEWs of which something is requested, that have rows there, absorbed or not.
    pub sources: Vec<Oid>,
    /// The snapshot that shows it.
    pub snapshot: Position,
    /// None were left out.
    pub at_all: bool,
}

/// Bytes of the queue that are gone over while one source is looked up in its index: five rows or so.
const LOOK_UP: i64 = 750;

/// All of it; or what an earlier look did not show, of these sources only, if that is less work. Inside a transaction at
/// READ COMMITTED with a snapshot.
pub fn look(since: Option<(&Position, &HashSet<Oid>)>) -> Option<Look> {
    definition::table()?;
    run_internal(|| {
        planned_once();
        spi::session(|| {
            let is_less = |(seen, sources): &(&Position, &HashSet<Oid>)| {
                let look_ups = sources.len() * (1 + seen.xip.len());
                look_ups as i64 * LOOK_UP < size()
            };
            let since = since.filter(is_less);
            let at_all = since.is_none();
            let rows = match since {
                None => SOURCES.with(|sources| {
                    let sources = sources.get(|| statement!("queue_sources"), &[]);
                    sources.run(Access::Snapshot, &[], 1)
                }),
                Some((position, sources)) => NEWS.with(|news| {
                    let news = news.get(|| statement!("queue_news"), &OUTSIDE);
                    let sources = sources.iter().copied().collect();
                    news.run(Access::Snapshot, &outside(position, sources), 1)
                }),
            };
            Some(Look {
                sources: rows.get(0, 0).unwrap_or_default(),
                snapshot: rows.get::<String>(0, 1)?.parse().ok()?,
                at_all,
            })
        })
    })
}

/// Bytes of the queue, removed rows included.
fn size() -> i64 {
    let rows = SIZE.with(|size| {
        size.get(|| statement!("queue_size"), &[])
            .run(Access::Snapshot, &[], 1)
    });
    rows.get(0, 0).unwrap_or(0)
}

/// Queue rows of `sources` that `position` does not cover, summed up per source. Under the refresh's snapshot,
/// inside an SPI session, with internal rights; the values live as long as the session.
pub fn since(position: &Position, sources: &[Oid]) -> Vec<Pending> {
    planned_once();
    let rows = READ.with(|read| {
        read.get(|| statement!("queue_read"), &OUTSIDE).run(
            Access::Snapshot,
            &outside(position, sources.to_vec()),
            0,
        )
    });
    pending(&rows)
}

/// Types and values of the parameters that ask for rows of `sources` outside `position`.
const OUTSIDE: [Oid; 3] = [pg_sys::OIDARRAYOID, pg_sys::TEXTOID, pg_sys::TEXTARRAYOID];

fn outside(position: &Position, sources: Vec<Oid>) -> [Value; 3] {
    [
        Value::of(sources),
        Value::of(position.xmax.to_string()),
        Value::of(position.in_progress()),
    ]
}

/// The same in parts, the oldest first, so that each tells when its changes were made; without those of the running
/// transaction. As [`since`], under any snapshot.
pub fn by_age(position: &Position, sources: &[Oid]) -> Vec<Pending> {
    let args = [
        (pg_sys::OIDARRAYOID, Value::of(sources.to_vec())),
        (pg_sys::TEXTOID, Value::of(position.to_string())),
    ];
    pending(&spi::run(
        &statement!("queue_read_by_age"),
        Access::Snapshot,
        &args,
    ))
}

fn pending(rows: &Rows) -> Vec<Pending> {
    (0..rows.len())
        .filter_map(|row| {
            Some(Pending {
                source: rows.get(row, 0)?,
                requested: rows.get(row, 1)?,
                all_keys: rows.get(row, 2)?,
                keys: rows.value(row, 3),
                changes: rows.get(row, 4)?,
                oldest: rows.get(row, 5),
                oldest_xid: rows.get::<String>(row, 6).and_then(|xid| xid.parse().ok()),
            })
        })
        .collect()
}

/// Whether those who logged "every row" of one of the sources, TRUNCATE and DDL, or a look at the definition of a TVIEW, are through with their commit: until
/// then others see their rows, but may not know of their DDL. As [`since`].
pub fn is_announced(sources: &[Oid]) -> bool {
    let rows = EVERY_ROW_BY.with(|read| {
        read.get(|| statement!("queue_every_row_by"), &[pg_sys::OIDARRAYOID])
            .run(Access::Snapshot, &[Value::of(sources.to_vec())], 0)
    });
    (0..rows.len())
        .filter_map(|row| rows.get::<String>(row, 0)?.parse().ok())
        .all(transaction::is_over)
}
