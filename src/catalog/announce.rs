//! Announces changes of definitions to other sessions and to workers when the transaction commits.

use std::cell::Cell;

use crate::postgres::hooks::invalidation;
use crate::postgres::hooks::transaction_events::{Handlers, SubtransactionEvent, TransactionEvent};
use crate::postgres::{extension, relation};
use crate::wake::signal;

/// The transaction events that announcing handles.
pub const HANDLERS: Handlers = Handlers {
    transaction: on_transaction,
    subtransaction: |_: SubtransactionEvent| {},
};

thread_local! {
    static CHANGED: Cell<bool> = const { Cell::new(false) };
}

/// Notes that this transaction changes definitions. At its commit, other sessions and workers load them
/// again.
pub fn catalog_change() {
    CHANGED.set(true);
    let definitions = extension::relation(c"pg_tview_definition");
    if let Some(definitions) = definitions.filter(|table| relation::kind(*table).is_some()) {
        invalidation::announce(definitions);
    }
}

/// Runs after the transaction has committed or aborted: nothing here allocates or raises.
fn on_transaction(event: TransactionEvent) {
    if event == TransactionEvent::BeforeEnd {
        return;
    }
    if CHANGED.take() && event == TransactionEvent::Committed {
        signal::catalog_changed();
    }
}
