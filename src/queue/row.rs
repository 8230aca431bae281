//! A row of `pg_tview_queue` as capture writes it. [`super::append`] inserts it, [`super::read`] reads it.
//!
//! `keys` is a JSON array of change keys. NULL stands for all rows of the source.

use std::ops::BitOrAssign;

use pgrx::pg_sys::Oid;

use crate::postgres::triggers::capture::Operation;

/// A row to be inserted; [`super::append`] adds `xid` and `enqueued_at`.
#[derive(Debug, PartialEq, Eq)]
pub struct Row {
    /// OID of the changed table, or of the TVIEW whose refresh is requested.
    pub source: u32,
    pub operation: &'static str,
    /// A JSON array in the encoding of the database; None: all rows of the source.
    pub keys: Option<Vec<u8>>,
    /// The net change, a JSON array of counts and images; None: unknown.
    pub net: Option<Vec<u8>>,
}

impl Row {
    /// Whether the row requests a refresh.
    pub fn is_request(&self) -> bool {
        self.operation == Operations::of(Operation::Refresh).name()
    }

    /// Requests a refresh of no key, which checks the definition of the TVIEW first.
    pub fn definition_check(tview: Oid) -> Row {
        Row {
            source: tview.to_u32(),
            operation: Operations::of(Operation::Refresh).name(),
            keys: Some(b"[]".to_vec()),
            net: None,
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
