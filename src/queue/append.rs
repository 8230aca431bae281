//! Inserts rows into `pg_tview_queue`.

use std::cell::{Cell, RefCell};
use std::ffi::CStr;
use std::panic::AssertUnwindSafe;

use pgrx::pg_sys::Oid;

use super::row::Row;
use crate::error::Problem;
use crate::postgres::extension;
use crate::postgres::heap_insert::{self, Growth, Value};
use crate::postgres::process::clock;
use crate::postgres::transaction::{catch, own_xid};
use crate::settings;
use crate::wake::queue_blocks;

/// The columns that a row has values for.
const COLUMNS: [&CStr; 7] = [
    c"xid",
    c"source_oid",
    c"operation",
    c"keys",
    c"enqueued_at",
    c"net",
    c"origin",
];
/// The same of a table that was made by an earlier version.
const EARLIER_COLUMNS: [&CStr; 5] = [c"xid", c"source_oid", c"operation", c"keys", c"enqueued_at"];

thread_local! {
    /// When the oldest change was made that this transaction applies.
    static APPLIES_SINCE: Cell<Option<i64>> = const { Cell::new(None) };
    /// While a refresh runs: the origin of the changes that it applies. Other TVIEWs may follow what it writes.
    static APPLIED: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// This transaction applies changes that are as old as that, in microseconds since 2000. Rows of the queue
/// that it writes count as no younger: a TVIEW over a TVIEW is late by what both are late. None: it applies
/// none, or is over.
pub fn applies_since(oldest: Option<i64>) {
    APPLIES_SINCE.set(oldest);
}

/// A refresh applies changes of these origins from now on; None: the refresh has ended.
pub fn note_applied(origins: Option<Vec<String>>) {
    APPLIED.set(origins);
}

/// The origin of the rows: that of the session, or in a refresh that of all changes that it applies, if they have
/// the same.
fn origin() -> Option<String> {
    APPLIED.with_borrow(|applied| match applied.as_deref() {
        None => settings::origin(),
        Some([only]) => Some(only.clone()),
        Some(_) => None,
    })
}

/// `pg_tview_queue`; None where this transaction has dropped it, so that no reader is left.
pub fn table() -> Option<Oid> {
    extension::relation(c"pg_tview_queue")
}

/// Inserts rows in the current subtransaction. An ERROR fails that subtransaction, along with the changes
/// that the rows stand for.
pub fn append(queue: Oid, rows: &[Row]) {
    let (xid, now, origin) = (own_xid(), clock::now(), origin());
    let at = APPLIES_SINCE.get().map_or(now, |since| now.min(since));
    let values = rows.iter().map(|row| {
        [
            Value::Xid8(xid),
            Value::Oid(row.source.into()),
            Value::Text(row.operation),
            row.keys.as_deref().map_or(Value::Null, Value::Jsonb),
            Value::Timestamp(at),
            row.net.as_deref().map_or(Value::Null, Value::Json),
            origin.as_deref().map_or(Value::Null, Value::Text),
        ]
    });
    let mut sources = rows.iter().map(|row| Oid::from(row.source));
    let note = |block| {
        if let Some(source) = sources.next() {
            queue_blocks::note(block, source, xid);
        }
    };
    if let Err(caught) = catch(AssertUnwindSafe(|| {
        if extension::is_before_0_3() {
            let values =
                values.map(|[xid, source, operation, keys, at, ..]| [xid, source, operation, keys, at]);
            return heap_insert::insert(queue, &EARLIER_COLUMNS, Growth::Ahead, values, note);
        }
        heap_insert::insert(queue, &COLUMNS, Growth::Ahead, values, note)
    })) {
        let context = "This happened while recording changes for TVIEWs in pg_tview_queue.";
        let detail = caught.detail.iter().map(String::as_str).chain([context]);
        let detail = detail.collect::<Vec<_>>().join("\n");
        Problem::from(caught).detail(detail).raise();
    }
}
