//! The only folder with `unsafe`: guards over what pgrx does not wrap.
pub mod bgworker;
pub mod clock;
pub mod database_list;
pub mod latch;
pub mod process;
pub mod shmem;
pub mod short_transaction;
pub mod transaction_end;
pub mod utility_hook;
