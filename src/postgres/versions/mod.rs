//! What is called or laid out differently by the versions of PostgreSQL: one file per difference, each with
//! a form that all versions share. Other files name no version.

pub mod attributes;
pub mod cost_estimate;
pub mod group_entries;
pub mod identity_sequence;
pub mod index_insert;
pub mod join_aliases;
pub mod noreturn;
pub mod not_null;
pub mod outer_joins;
pub mod ownership;
pub mod permissions;
pub mod plan_state_walker;
pub mod process_number;
pub mod signals;
pub mod transaction_timeout;
pub mod tree_mutator;
pub mod virtual_columns;
pub mod wait_event;
pub mod xact_lock;
