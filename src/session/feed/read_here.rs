//! What consumers had acknowledged when this transaction first read their changes. If another session has
//! acknowledged the same changes since, the effects of one of the two transactions must not be committed.

use std::cell::RefCell;
use std::collections::HashMap;

use super::token::Upto;
use crate::postgres::hooks::transaction_events::{Handlers, SubtransactionEvent, TransactionEvent};

thread_local! {
    /// By consumer. The first time counts: changes that were read later are not the only ones.
    static FIRST: RefCell<HashMap<i64, Upto>> = RefCell::default();
}

pub const HANDLERS: Handlers = Handlers {
    transaction: on_transaction,
    subtransaction: |_: SubtransactionEvent| {},
};

/// Notes what a consumer has acknowledged, in another transaction.
pub fn note(subscription: i64, acknowledged: Upto) {
    FIRST.with_borrow_mut(|first| {
        first.entry(subscription).or_insert(acknowledged);
    });
}

/// Whether a consumer has acknowledged no more, in another transaction, than when its changes were first read;
/// also if none were.
pub fn is_unchanged(subscription: i64, acknowledged: &Upto) -> bool {
    FIRST.with_borrow(|first| first.get(&subscription).is_none_or(|first| first == acknowledged))
}

fn on_transaction(event: TransactionEvent) {
    if event != TransactionEvent::BeforeEnd {
        FIRST.with(|first| {
            if let Ok(mut first) = first.try_borrow_mut() {
                first.clear();
            }
        });
    }
}
