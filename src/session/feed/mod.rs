//! Consumers of the change feed: subscribe -> changes -> acknowledge, and changes again.
//!
//! ```text
//! position: all that this snapshot sees is acknowledged        target: a later snapshot
//! changes = what the target sees and the position does not, in the order of (transaction, change, key)
//! token   = a target, and a place in that order; the last token of all has no place
//! ```
//!
//! A batch may be smaller than all that the target sees. Then the place of its last token is stored with the
//! target, and the next batch goes on from there, under the same target. Transactions that commit meanwhile,
//! with whatever id, are in a later target.

pub mod acknowledge;
pub mod changes;
mod consumer;
pub mod provenance;
pub mod read_here;
mod rights;
pub mod subscribe;
mod token;
pub mod unsubscribe;
