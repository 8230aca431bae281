//! The TVIEWs of the database as a session remembers them, to tell a tv table from others without looking each up.

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

/// What is remembered of one TVIEW.
pub struct Known {
    /// Tables whose changes matter to it.
    pub sources: Vec<Oid>,
    /// Whether its rows are all there and changes are applied.
    pub active: bool,
}

/// TVIEWs by their tables.
pub type KnownTviews = HashMap<Oid, Known>;

thread_local! {
    static KNOWN: RefCell<Option<Rc<KnownTviews>>> = const { RefCell::new(None) };
    /// The OID of pg_tview_definition when they were read.
    static READ_FROM: Cell<Oid> = const { Cell::new(Oid::INVALID) };
    /// Set by an invalidation.
    static STALE: Cell<bool> = const { Cell::new(false) };
    static READ: SessionStatement = const { SessionStatement::new() };
}

/// Every TVIEW as of now, if it can be told. Inside a transaction.
pub fn all() -> Result<Rc<KnownTviews>, Caught> {
    let stale = STALE.replace(false);
    if let (false, Some(known)) = (stale, KNOWN.with_borrow(|known| known.clone())) {
        return Ok(known);
    }
    KNOWN.set(None);
    // Not kept while the extension is not there: nothing would tell of its return.
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

/// Relation cache callback, see [`crate::postgres::hooks::invalidation`]. Whoever changes a definition announces its table.
pub fn forget(relation: Oid) {
    if relation == Oid::INVALID || relation == READ_FROM.get() {
        STALE.set(true);
    }
}
