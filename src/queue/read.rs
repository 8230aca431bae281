//! The rows of `pg_tview_queue` that a TVIEW has not absorbed yet. [`super::append`] writes them.

use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_sys::{self, Oid};

use super::position::Position;
use crate::catalog::session_statement::SessionStatement;
use crate::postgres::run_as::planned_once;
use crate::postgres::spi::{self, Access, Rows, Value};
use crate::statement;

/// Pending changes of one source.
pub struct Pending {
    pub source: Oid,
    /// Requested by pg_tviews_refresh: `keys` are keys of the TVIEW itself.
    pub requested: bool,
    /// Some change names no keys: all rows may be affected.
    pub all_keys: bool,
    /// Change keys as the queue has them: `jsonb[]`, one element per queue row.
    pub keys: Value,
    /// The number of change keys.
    pub changes: i64,
    pub oldest: Option<TimestampWithTimeZone>,
    /// The lowest id of the transactions that made these changes.
    pub oldest_xid: Option<u64>,
    /// Where all pending changes come from that concern the TVIEW, as far as the sessions have set that.
    pub origins: Option<Vec<String>>,
    /// The largest of the queue rows.
    pub largest: Option<Largest>,
}

impl Pending {
    /// Whether these changes affect rows of a TVIEW that has read them. A request affects the TVIEW that it names, not
    /// TVIEWs that read its table. And rows that a TVIEW writes are not its own source.
    pub fn concerns(&self, tview: Oid) -> bool {
        self.requested == (self.source == tview)
    }
}

/// The row of a transaction with many changes.
#[derive(Debug, Clone, Copy)]
pub struct Largest {
    pub changes: i64,
    pub xid: i64,
}

thread_local! {
    static READ: SessionStatement = const { SessionStatement::new() };
    static READ_SMALL: SessionStatement = const { SessionStatement::new() };
}

/// Queue rows of `sources` that `position` does not cover, aggregated by source, for a TVIEW. Under the snapshot of a
/// refresh, inside an SPI session, with internal rights; the values live as long as the session.
pub fn since(position: &Position, sources: &[Oid], tview: Oid) -> Vec<Pending> {
    READ.with(|read| read_by(read, || statement!("queue_read"), position, sources, tview))
}

/// The same of transactions with few change keys alone, without requests.
pub fn small_since(position: &Position, sources: &[Oid], tview: Oid) -> Vec<Pending> {
    READ_SMALL.with(|read| read_by(read, || statement!("queue_read_small"), position, sources, tview))
}

fn read_by(
    read: &SessionStatement,
    text: fn() -> String,
    position: &Position,
    sources: &[Oid],
    tview: Oid,
) -> Vec<Pending> {
    planned_once();
    let [source_type, position_type] = OUTSIDE;
    let [sources, position] = outside(Some(position), sources.to_vec());
    let rows = read.get(text, &[source_type, position_type, pg_sys::OIDOID]).run(
        Access::Snapshot,
        &[sources, position, Value::of(tview)],
        0,
    );
    pending(&rows)
}

/// Types of the parameters that select rows of some sources outside a position.
pub(super) const OUTSIDE: [Oid; 2] = [pg_sys::OIDARRAYOID, pg_sys::TEXTOID];

/// The values of these parameters.
pub(super) fn outside(position: Option<&Position>, sources: Vec<Oid>) -> [Value; 2] {
    [Value::of(sources), Value::of(position.map(Position::to_string))]
}

/// The same aggregated by source and age, the oldest first, without changes of the running transaction. As
/// [`since`], under any snapshot.
pub fn by_age(position: &Position, sources: &[Oid]) -> Vec<Pending> {
    let [sources, position] = outside(Some(position), sources.to_vec());
    let args = [(OUTSIDE[0], sources), (OUTSIDE[1], position)];
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
                origins: rows.get(row, 7),
                largest: rows
                    .get::<Vec<i64>>(row, 8)
                    .and_then(|largest| match largest[..] {
                        [changes, xid] => Some(Largest { changes, xid }),
                        _ => None,
                    }),
            })
        })
        .collect()
}
