//! Which code of a TVIEW a session could manipulate: code that looks up names while it runs, or that reads
//! settings and other values of the session. Code that refers to all objects by OID is out of reach.

use std::cell::RefCell;

use pgrx::pg_sys::{self, Oid};

use crate::postgres::hooks::invalidation;
use crate::postgres::relation_changes;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::transaction::with_latest_snapshot;
use crate::statement;

/// What was found; valid until an object changes that was examined.
#[derive(Default)]
pub struct Reachable(RefCell<Option<Found>>);

struct Found {
    what: Option<String>,
    relations: Vec<Oid>,
    /// The stamps of relation changes and of code changes when it was found.
    relations_at: u64,
    code_at: u64,
}

impl Reachable {
    /// The code that could be reached, as the end of a sentence; None if there is none.
    pub fn get(&self, view: Option<Oid>, tview: Oid) -> Option<String> {
        let mut found = self.0.borrow_mut();
        match found.as_ref().filter(|found| found.is_current()) {
            Some(found) => found.what.clone(),
            None => found.insert(Found::look(view, tview)).what.clone(),
        }
    }
}

impl Found {
    fn look(view: Option<Oid>, tview: Oid) -> Found {
        let relations_at = relation_changes::stamp();
        let code_at = invalidation::code();
        let args = [
            (pg_sys::OIDOID, Value::of(view.unwrap_or(Oid::INVALID))),
            (pg_sys::OIDOID, Value::of(tview)),
        ];
        let (relations, domains, functions, what) = run_internal(|| {
            with_latest_snapshot(|| {
                spi::session(|| {
                    let rows = spi::run(&statement!("reachable_code"), Access::Snapshot, &args);
                    let list = |column| rows.get::<Vec<Oid>>(0, column).unwrap_or_default();
                    (list(0), list(1), list(2), rows.get(0, 3))
                })
            })
        });
        invalidation::watch_code(&domains, &functions);
        Found {
            what,
            relations,
            relations_at,
            code_at,
        }
    }

    fn is_current(&self) -> bool {
        self.code_at == invalidation::code()
            && relation_changes::unchanged_since(self.relations_at, |changed| {
                self.relations.contains(&changed)
            })
    }
}
