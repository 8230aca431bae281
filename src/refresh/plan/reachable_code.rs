//! What of the code behind a TVIEW the session it runs in could be prepared for: names that are looked up while it runs, and
//! values that are asked from the session. Code that names all it uses by OID is out of reach.

use std::cell::RefCell;

use pgrx::pg_sys::{self, Oid};

use crate::postgres::hooks::invalidation;
use crate::postgres::relation_changes;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::transaction::with_latest_snapshot;
use crate::statement;

/// What was found, until something that was gone through changes.
#[derive(Default)]
pub struct Reachable(RefCell<Option<Found>>);

struct Found {
    what: Option<String>,
    relations: Vec<Oid>,
    /// When it was looked for.
    relations_at: u64,
    code_at: u64,
}

impl Reachable {
    /// What could be reached, as a sentence without its end; None if nothing.
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
