//! A session's cache of the TVIEWs of the database: whether a table is a tv table is answered without a
//! query.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use pgrx::pg_sys::Oid;

use super::definition;
use super::session_statement::SessionStatement;
use crate::error::Caught;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access};
use crate::postgres::transaction;
use crate::statement;

/// What the cache holds of one TVIEW.
pub struct Known {
    /// Tables that the TVIEW reads.
    pub sources: Vec<Oid>,
    /// Whether the table is filled and changes are applied.
    pub active: bool,
}

/// TVIEWs by their tables.
pub type KnownTviews = HashMap<Oid, Known>;

thread_local! {
    static KNOWN: RefCell<Option<Rc<KnownTviews>>> = const { RefCell::new(None) };
    /// The OID of pg_tview_definition when the cache was read.
    static READ_FROM: Cell<Oid> = const { Cell::new(Oid::INVALID) };
    /// Whether an invalidation has come in since the cache was read.
    static STALE: Cell<bool> = const { Cell::new(false) };
    static READ: SessionStatement = const { SessionStatement::new() };
}

/// All TVIEWs as of now. Inside a transaction.
pub fn all() -> Result<Rc<KnownTviews>, Caught> {
    let stale = STALE.replace(false);
    if let (false, Some(known)) = (stale, KNOWN.with_borrow(|known| known.clone())) {
        return Ok(known);
    }
    KNOWN.set(None);
    // Not cached while the extension is not installed: nothing would announce that it is installed again.
    let Some(table) = definition::table() else {
        return Ok(Rc::default());
    };
    READ_FROM.set(table);
    let known = Rc::new(transaction::attempt(read)?);
    KNOWN.set(Some(known.clone()));
    Ok(known)
}

fn read() -> KnownTviews {
    let read_all = || {
        spi::session(|| {
            let rows = READ.with(|read| {
                read.get(|| statement!("meta_known"), &[])
                    .run(Access::Snapshot, &[], 0)
            });
            (0..rows.len())
                .filter_map(|row| {
                    let known = Known {
                        sources: rows.get(row, 1)?,
                        active: rows.get(row, 2)?,
                    };
                    Some((rows.get(row, 0)?, known))
                })
                .collect()
        })
    };
    run_internal(|| transaction::with_latest_snapshot(read_all))
}

/// Relation cache callback, see [`crate::postgres::hooks::invalidation`]. A session that changes a definition
/// announces pg_tview_definition.
pub fn forget(relation: Oid) {
    if relation == Oid::INVALID || relation == READ_FROM.get() {
        STALE.set(true);
    }
}
