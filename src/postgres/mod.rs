//! The only folder with `unsafe`: guards over what pgrx does not wrap.

pub mod identity;
pub mod lock;
pub mod query_tree;
pub mod relation;
pub mod spi;
pub mod transaction;
