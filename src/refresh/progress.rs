//! What `pg_tview_progress` shows of operations on TVIEWs.

use crate::catalog::definition::Definition;
use crate::postgres::hooks::row_counts::{self, Counters, Expected};
use crate::postgres::hooks::row_watch;
use crate::refresh::audit::Entry;
use crate::wake::operations::{self, Kind, Subject};

/// The operation that this process shows ends with this value: with its return, or with an ERROR.
#[must_use]
pub struct UntilEnd;

impl Drop for UntilEnd {
    fn drop(&mut self) {
        operations::end();
    }
}

/// Shows an operation, or goes on with the one that is shown if it is of this kind. [`UntilEnd`] ends it.
pub fn begin(kind: Kind, definition: &Definition) {
    let subject = Subject {
        tview: definition.tview,
        owner: definition.owner,
        entity_name: &definition.entity_name,
    };
    operations::begin(kind, subject);
}

/// Shows an operation that is one step, until the result is dropped.
pub fn show(kind: Kind, definition: &Definition) -> UntilEnd {
    begin(kind, definition);
    UntilEnd
}

/// Runs the statement that computes all rows of a TVIEW, and shows how many rows it has read and written.
pub fn counting_rows<R>(work: impl FnOnce() -> R) -> R {
    let expect = |expected: Expected| {
        operations::rows(
            expected.computed as i64,
            expected.read as i64,
            expected.before_first,
        );
    };
    let counters = operations::row_counters().map(|[read, computed, written]| Counters {
        read,
        computed,
        written,
        expect,
    });
    match counters {
        Some(_) => row_counts::counting(counters, work),
        None => watching_rows(work),
    }
}

/// Runs a statement that writes. Its rows are counted for [`row_watch`] alone, if that watches.
pub fn watching_rows<R>(work: impl FnOnce() -> R) -> R {
    row_counts::counting(row_watch::is_watching().then(Counters::unseen), work)
}

/// Runs a query. Its rows are counted for [`row_watch`] alone, if that watches.
pub fn watching_reads<R>(work: impl FnOnce() -> R) -> R {
    row_counts::counting_reads(row_watch::is_watching().then(Counters::unseen), work)
}

/// The number of rows that were written so far.
pub fn written(entry: &Entry) -> i64 {
    entry.written.unwrap_or_default().changed()
}
