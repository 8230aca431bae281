//! Notifications for consumers that LISTEN. A worker sends them after its refreshes, in a transaction of their own:
//! NOTIFY holds a lock of the whole cluster during the commit, and refreshes are not to wait for it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use pgrx::pg_sys;

use crate::postgres::process;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Value};
use crate::{settings, statement};

/// The shortest pause between two notifications of a process.
const PAUSE: i64 = 50_000;

thread_local! {
    /// Entities with changes that are not announced yet.
    static CHANGED: RefCell<BTreeSet<String>> = const { RefCell::new(BTreeSet::new()) };
    static SENT_AT: Cell<i64> = const { Cell::new(0) };
}

/// A refresh has changed rows of this entity. Should it fail, a notification is sent for nothing.
pub fn note(entity_name: &str) {
    if process::is_background_worker() && settings::feed_notify() {
        CHANGED.with_borrow_mut(|changed| changed.insert(entity_name.to_string()));
    }
}

/// When notifications are to be sent, in microseconds since 2000; None: there are none.
pub fn due_at() -> Option<i64> {
    CHANGED.with_borrow(|changed| (!changed.is_empty()).then(|| SENT_AT.get() + PAUSE))
}

/// Sends them; they arrive after the commit of the current transaction. `now`: in microseconds since 2000.
pub fn send(now: i64) {
    SENT_AT.set(now);
    let changed: Vec<String> = CHANGED.take().into_iter().collect();
    run_internal(|| {
        spi::session(|| {
            let args = [(pg_sys::TEXTARRAYOID, Value::of(changed))];
            spi::run(&statement!("feed_notify"), Access::Current, &args);
        })
    });
}
