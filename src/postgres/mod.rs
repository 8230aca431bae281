//! The only folder with `unsafe`: guards over what pgrx does not wrap.

pub mod bgworker;
pub mod clock;
pub mod column;
pub mod create_view;
pub mod database_list;
pub mod extension;
pub mod heap_insert;
pub mod identity;
pub mod invalidation;
pub mod latch;
pub mod lock;
pub mod meta_trigger;
pub mod partition;
pub mod process;
pub mod query_tree;
pub mod relation;
pub mod relation_changes;
pub mod shmem;
pub mod short_transaction;
pub mod spi;
pub mod sql_types;
pub mod transaction;
pub mod transaction_end;
pub mod trigger;
pub mod utility_hook;
pub mod xact;
