//! Trigger functions as safe code sees them: which row or command a call is about, and what to answer.

mod call;
pub mod capture;
pub mod ddl_command;
pub mod ddl_event;
pub mod meta_insert;
pub mod meta_update;
pub mod write_guard;
pub mod written_row;
