//! A row of `pg_tview_queue` as capture writes it. [`super::read`] reads it.
//!
//! `keys` is a JSON array of change keys. NULL stands for all rows of the source.

use std::ffi::CStr;
use std::ops::BitOrAssign;
use std::panic::AssertUnwindSafe;

use pgrx::pg_sys::Oid;

use crate::error::Problem;
use crate::postgres::extension;
use crate::postgres::heap_insert::{self, Value};
use crate::postgres::process::clock;
use crate::postgres::transaction::{catch, own_xid};
use crate::postgres::triggers::capture::Operation;

/// A row to be appended; [`append`] adds `xid` and `enqueued_at`.
#[derive(Debug, PartialEq, Eq)]
pub struct Row {
    /// OID of the changed table, or of the TVIEW whose refresh is requested.
    pub source: u32,
    pub operation: &'static str,
    /// A JSON array in the encoding of the database; None: all rows of the source.
    pub keys: Option<Vec<u8>>,
}

impl Row {
    /// Requests a refresh of no key, which checks the definition of the TVIEW first.
    pub fn definition_check(tview: Oid) -> Row {
        Row {
            source: tview.to_u32(),
            operation: Operations::of(Operation::Refresh).name(),
            keys: Some(b"[]".to_vec()),
        }
    }
}

/// The set of operations whose keys share a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Operations(u8);

impl Operations {
    #[inline]
    pub fn of(operation: Operation) -> Operations {
        Operations(1 << operation as u8)
    }

    #[inline]
    pub fn contains(self, operation: Operation) -> bool {
        self.0 & Operations::of(operation).0 != 0
    }

    /// Removes all operations but this one.
    pub fn keep_only(&mut self, operation: Operation) {
        self.0 &= Operations::of(operation).0;
    }

    /// The value of the column `operation`.
    pub fn name(self) -> &'static str {
        const NAMES: [(Operation, &str); 5] = [
            (Operation::Insert, "INSERT"),
            (Operation::Update, "UPDATE"),
            (Operation::Delete, "DELETE"),
            (Operation::Truncate, "TRUNCATE"),
            (Operation::Refresh, "REFRESH"),
        ];
        NAMES
            .iter()
            .find(|(operation, _)| Operations::of(*operation) == self)
            .map_or("MIXED", |(_, name)| name)
    }
}

impl BitOrAssign for Operations {
    #[inline]
    fn bitor_assign(&mut self, other: Operations) {
        self.0 |= other.0;
    }
}

/// The columns that a row has values for.
const COLUMNS: [&CStr; 5] = [c"xid", c"source_oid", c"operation", c"keys", c"enqueued_at"];

/// `pg_tview_queue`; None where this transaction has dropped it, so that no reader is left.
pub fn table() -> Option<Oid> {
    extension::relation(c"pg_tview_queue")
}

/// Inserts rows in the current subtransaction. An ERROR fails that subtransaction, along with the changes
/// that the rows stand for.
pub fn append(queue: Oid, rows: &[Row]) {
    let (xid, now) = (own_xid(), clock::now());
    let rows = rows.iter().map(|row| {
        [
            Value::Xid8(xid),
            Value::Oid(row.source.into()),
            Value::Text(row.operation),
            row.keys.as_deref().map_or(Value::Null, Value::Jsonb),
            Value::Timestamp(now),
        ]
    });
    if let Err(caught) = catch(AssertUnwindSafe(|| heap_insert::insert(queue, &COLUMNS, rows))) {
        let context = "This happened while recording changes for TVIEWs in pg_tview_queue.";
        let detail = caught.detail.iter().map(String::as_str).chain([context]);
        let detail = detail.collect::<Vec<_>>().join("\n");
        Problem::from(caught).detail(detail).raise();
    }
}
