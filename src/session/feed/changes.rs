//! `pg_tviews_changes`: the next changes for a consumer.

use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_sys::{self, Oid};
use pgrx::PgSqlErrorCode;

use super::consumer::{self, Consumer};
use super::read_here;
use super::rights;
use super::token::{Place, Upto};
use crate::catalog::session_statement::SessionStatement;
use crate::error::Problem;
use crate::postgres::process::memory;
use crate::postgres::run_as::{self, planned_once, run_internal};
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::transaction::{self, refuse_read_only};
use crate::queue::now;
use crate::queue::position::Position;
use crate::statement;

/// Maximum number of rows of one call.
const MAXIMUM_ROWS: i32 = 10_000;

/// A change, as it is returned.
pub struct Change {
    place: Place,
    pub entity_name: String,
    pub operation: String,
    /// A JSON object; None: any row.
    pub key: Option<String>,
    pub origins: Option<Vec<Option<String>>>,
    pub changed_at: TimestampWithTimeZone,
    pub token: String,
}

thread_local! {
    static READ: SessionStatement = const { SessionStatement::new() };
}

/// The next changes that the consumer has not acknowledged, of what the calling statement sees.
pub fn changes(name: Option<&str>, max_rows: Option<i32>) -> Result<Vec<Change>, Problem> {
    let max_rows = max_rows
        .filter(|rows| (1..=MAXIMUM_ROWS).contains(rows))
        .ok_or_else(|| {
            Problem::new(
                PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
                format!("max_rows must be from 1 to {MAXIMUM_ROWS}"),
            )
            .hint("Call pg_tviews_changes() again for more, after pg_tviews_ack().")
        })?;
    if transaction::in_recovery() {
        return Err(Problem::new(
            PgSqlErrorCode::ERRCODE_READ_ONLY_SQL_TRANSACTION,
            "the feed cannot be read during recovery",
        )
        .detail("A standby does not know which transactions are in progress on the primary server.")
        .hint("Call the function on the primary server."));
    }
    let mut consumer = consumer::find(name)?;
    consumer.check_complete()?;
    if !consumer.is_by_this_transaction {
        read_here::note(consumer.subscription, consumer.acknowledged());
    }
    let tviews = tviews(&consumer)?;
    if let Some((target, place)) = consumer.part.clone() {
        let rest = batch(&consumer, &tviews, &target, place, max_rows);
        if !rest.is_empty() {
            return Ok(durable(rest));
        }
        // The rest was of a TVIEW that was dropped since, or may not be read any more.
        refuse_read_only("pg_tviews_changes()");
        if !consumer.skip_to(&target) {
            return Ok(Vec::new());
        }
        (consumer.position, consumer.part) = (target, None);
    }
    let target = target();
    let found = batch(&consumer, &tviews, &target, Place::BEGIN, max_rows);
    if found.is_empty() && consumer.is_idle && !transaction::is_read_only() {
        // Changes of other TVIEWs need not be kept for this consumer.
        consumer.skip_to(&target);
    }
    Ok(durable(found))
}

/// Refreshes do not wait for the disk. What a consumer has got must not be lost by a crash: its transaction ids would
/// be given to others, which a token would acknowledge unread.
fn durable(found: Vec<Change>) -> Vec<Change> {
    if !found.is_empty() {
        transaction::make_commits_durable();
    }
    found
}

/// The snapshot of the calling statement. What this transaction has written comes later: it may write more.
fn target() -> Position {
    let seen = run_internal(now::seen);
    if transaction::has_xid() {
        return seen.with_in_progress(transaction::own_xid());
    }
    seen
}

/// The TVIEWs whose changes the consumer gets; an error if it named one that the caller may not read.
fn tviews(consumer: &Consumer) -> Result<Vec<Oid>, Problem> {
    let mut tviews = Vec::new();
    for fed in rights::tviews() {
        match &consumer.names {
            None if fed.is_readable() => tviews.push(fed.tview),
            Some(names) if consumer.tviews.contains(&fed.tview) || names.contains(&fed.table) => {
                fed.check_readable()?;
                tviews.push(fed.tview);
            }
            _ => {}
        }
    }
    Ok(tviews)
}

/// Up to `max_rows` changes after a place, of those that the target sees and the consumer's position does not.
fn batch(consumer: &Consumer, tviews: &[Oid], target: &Position, after: Place, max_rows: i32) -> Vec<Change> {
    let mut changes = read(consumer, tviews, target, after, max_rows + 1);
    let all = changes.len() <= max_rows as usize;
    changes.truncate(max_rows as usize);
    let last = changes.len().saturating_sub(1);
    for (number, change) in changes.iter_mut().enumerate() {
        let upto = Upto {
            target: target.clone(),
            place: (!all || number < last).then_some(change.place),
        };
        change.token = consumer.token(upto).to_string();
    }
    changes
}

fn read(consumer: &Consumer, tviews: &[Oid], target: &Position, after: Place, limit: i32) -> Vec<Change> {
    let position = &consumer.position;
    // Transactions that were in progress at the position, and have ended since, or that began later.
    let ended = position.xip.iter().find(|xid| target.covers(**xid));
    let lowest = ended.copied().unwrap_or(position.xmax);
    let args = [
        Value::of(position.to_string()),
        Value::of(target.to_string()),
        Value::of(lowest.to_string()),
        Value::of(after.xid.to_string()),
        Value::of(after.change),
        Value::of(after.key),
        Value::of(tviews.to_vec()),
        Value::of(consumer.entities.clone()),
        Value::of(i64::from(limit)),
    ];
    use pg_sys::{INT8OID, OIDARRAYOID, TEXTARRAYOID, TEXTOID};
    let types = [
        TEXTOID,
        TEXTOID,
        TEXTOID,
        TEXTOID,
        INT8OID,
        INT8OID,
        OIDARRAYOID,
        TEXTARRAYOID,
        INT8OID,
    ];
    run_internal(|| {
        planned_once();
        // Rows come in order from the index, and few of them are expanded.
        run_as::set("enable_sort", "off");
        spi::session(|| {
            let read = READ.with(|read| read.get(|| statement!("change_read"), &types));
            let rows = read.run(Access::Snapshot, &args, i64::from(limit));
            memory::room(rows.len() * size_of::<Change>());
            (0..rows.len())
                .filter_map(|row| {
                    Some(Change {
                        place: Place {
                            xid: rows.get::<String>(row, 0)?.parse().ok()?,
                            change: rows.get(row, 1)?,
                            key: rows.get(row, 2)?,
                        },
                        entity_name: rows.get(row, 3)?,
                        operation: rows.get(row, 4)?,
                        key: rows.get(row, 5),
                        origins: rows.get(row, 6),
                        changed_at: rows.get(row, 7)?,
                        token: String::new(),
                    })
                })
                .collect()
        })
    })
}
