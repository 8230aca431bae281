//! Read your own writes: a query in a transaction with changes sees them in the tv tables it reads.
//!
//! ```text
//! query about to start -> does it read tv tables? -> which changes of this transaction do they not show yet?
//!   -> those rows are recomputed under the query's snapshot, sources first -> the query sees them
//! ```
//!
//! A preview does not replace the refresh. At commit the changes go to the queue as always, with the keys of
//! the rows that previews wrote, and a refresh computes those rows from what is committed by then. If a
//! preview fails, the query reads the rows as they are, and a NOTICE says so.

mod attempt;
pub mod copy;
mod notice;
mod order;
pub mod own_changes;
mod own_commands;
mod rows;

use crate::capture::shown;
use crate::catalog::tview_cache;
use crate::error::Problem;
use crate::postgres::hooks::executor::{self, Query};
use crate::postgres::hooks::transaction_events::{Handlers, SubtransactionEvent, TransactionEvent};
use crate::postgres::run_as::at_own_work;
use crate::postgres::transaction::{self, command, next_command};
use crate::settings;
use attempt::Outcome;

/// Called at events of transactions.
pub const HANDLERS: Handlers = Handlers {
    transaction: on_transaction,
    subtransaction: on_subtransaction,
};

fn on_transaction(event: TransactionEvent) {
    if event != TransactionEvent::BeforeEnd {
        own_commands::forget();
        notice::forget();
        attempt::forget();
    }
    executor::on_transaction(event);
}

fn on_subtransaction(event: SubtransactionEvent) {
    executor::on_subtransaction(event);
}

/// Called before a query starts in a transaction that has changed a source.
pub fn before(query: &mut Query) {
    if at_own_work() || !settings::read_your_writes() {
        return;
    }
    let known = match tview_cache::all() {
        Ok(known) => known,
        Err(error) if error.is_cancel() => Problem::from(error).raise(),
        // The extension is being dropped, perhaps.
        Err(_) => return,
    };
    let read: Vec<_> = query
        .tables()
        .into_iter()
        .filter(|table| known.contains_key(table))
        .collect();
    if read.is_empty() {
        return;
    }
    // A query with an older command belongs to a function marked STABLE, or to a cursor. It must not see more
    // now, nor what the statement that calls it has done so far.
    next_command();
    let first = command();
    if query.command() == first {
        let newest = transaction::is_read_committed() && query.owns_snapshot();
        let mut any_shown = false;
        for tview in order::sources_first(&read, &known) {
            let Some(changes) = shown::not_shown(tview, &known[&tview].sources) else {
                continue;
            };
            let upto = changes.upto;
            let outcome = attempt::attempt(query, tview, &changes, newest);
            any_shown |= outcome == Outcome::Shown;
            if outcome != Outcome::NotNow {
                shown::mark(tview, upto, outcome == Outcome::Shown);
            }
        }
        if any_shown {
            own_commands::note(first, command(), query.other_transactions());
        }
        return;
    }
    // Previews made meanwhile it must see: queries of the session have seen them.
    own_commands::see(query);
}
