//! What the consumers whose changes this transaction has read had acknowledged. If another session acknowledges
//! the same changes, the effects of one of the two transactions must not be committed.

use std::cell::RefCell;

use super::token::Upto;
use crate::postgres::hooks::transaction_events::{Handlers, SubtransactionEvent, TransactionEvent};

thread_local! {
    /// By consumer: what it had acknowledged when its changes were read, and what this transaction has
    /// acknowledged since, which a savepoint may undo.
    static KNOWN: RefCell<Vec<(i64, Upto)>> = const { RefCell::new(Vec::new()) };
}

pub const HANDLERS: Handlers = Handlers {
    transaction: on_transaction,
    subtransaction: on_subtransaction,
};

/// Notes what a consumer has acknowledged.
pub fn note(subscription: i64, acknowledged: Upto) {
    KNOWN.with_borrow_mut(|known| {
        let entry = (subscription, acknowledged);
        if !known.contains(&entry) {
            known.push(entry);
        }
    });
}

/// Whether only this transaction has acknowledged changes since it has read some; also if it has read none.
pub fn knows(subscription: i64, acknowledged: &Upto) -> bool {
    KNOWN.with_borrow(|known| {
        let mut of_consumer = known.iter().filter(|(of, _)| *of == subscription).peekable();
        of_consumer.peek().is_none() || of_consumer.any(|(_, known)| known == acknowledged)
    })
}

fn on_transaction(event: TransactionEvent) {
    if event != TransactionEvent::BeforeEnd {
        KNOWN.with(|known| {
            if let Ok(mut known) = known.try_borrow_mut() {
                known.clear();
            }
        });
    }
}

fn on_subtransaction(_: SubtransactionEvent) {}
