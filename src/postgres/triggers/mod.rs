//! Calls of trigger functions as safe code sees them: the row or command of a call, and the result.

mod call;
pub mod capture;
pub mod ddl_command;
pub mod ddl_event;
pub mod meta_insert;
pub mod meta_update;
pub mod queue_written;
pub mod row_triggers_off;
pub mod unqueued;
pub mod write_guard;
pub mod written_row;
