//! Read your own writes: a query in a transaction with changes sees them in the tv tables it reads.
//!
//! ```text
//! query about to start -> does it read tv tables? -> what of this transaction have they not been shown?
//!   -> those rows recomputed under the query's snapshot, sources first -> the query sees them
//! ```
//!
//! A preview is only that: the changes go to the queue at commit as ever, with the keys of the rows a preview wrote, and a
//! refresh computes them from what is committed by then. Whatever keeps a preview from being made, the query runs on what
//! is there, and a NOTICE says so.

mod attempt;
pub mod copy;
mod notice;
mod order;
mod own_commands;
mod rows;

use crate::capture::shown;
use crate::catalog::tview_cache;
use crate::error::Problem;
use crate::postgres::hooks::executor::{self, Query};
use crate::postgres::hooks::transaction_events::{Handlers, SubtransactionEvent, TransactionEvent};
use crate::postgres::run_as::at_own_work;
use crate::postgres::transaction;
use crate::postgres::transaction::query_snapshot::{command, next_command};
use crate::settings;
use attempt::Outcome;

/// What previews want to know of transactions.
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
    // A query that does not see all that was done so far belongs to a function marked STABLE (or to a cursor): it must not
    // see more now, nor what the statement that calls it has done up to here.
    next_command();
    let first = command();
    if query.command() == first {
        let newest = transaction::is_read_committed() && query.owns_snapshot();
        let mut any = false;
        for tview in order::sources_first(&read, &known) {
            let Some(changes) = shown::not_shown(tview, &known[&tview].sources) else {
                continue;
            };
            let upto = changes.upto;
            let outcome = attempt::attempt(query, tview, &changes, newest);
            any |= outcome == Outcome::Shown;
            if outcome != Outcome::NotNow {
                shown::mark(tview, upto, outcome == Outcome::Shown);
            }
        }
        if any {
            own_commands::note(first, command(), query.others());
        }
        return;
    }
    // But what previews did meanwhile it may see, and must: it has been shown to the session.
    own_commands::see(query);
}
