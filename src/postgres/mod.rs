//! The only folder with `unsafe`: guards over what pgrx does not wrap.
pub mod column;
pub mod extension;
pub mod heap_insert;
pub mod invalidation;
pub mod partition;
pub mod preload;
pub mod trigger;
pub mod xact;
