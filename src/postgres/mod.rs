//! The only folder with `unsafe`: guards over what pgrx does not wrap.

pub mod column;
pub mod extension;
pub mod heap_insert;
pub mod identity;
pub mod invalidation;
pub mod lock;
pub mod partition;
pub mod preload;
pub mod query_tree;
pub mod relation;
pub mod relation_changes;
pub mod spi;
pub mod sql_types;
pub mod transaction;
pub mod trigger;
pub mod xact;
