//! Functions that PostgreSQL calls: around queries, functions and utility statements, in the planner, at the end of
//! transactions, at cache invalidations.

pub mod copy_from;
pub mod copy_to;
pub mod create_view;
pub mod dropped_tables;
pub mod executor;
pub mod executor_finish;
pub mod function_calls;
pub mod hypothetical_index;
pub mod insistent_cancel;
pub mod invalidation;
pub mod parse_analysis;
pub mod planner;
pub mod row_counts;
pub mod row_watch;
pub mod table_as;
pub mod transaction_events;
pub mod utility;
mod utility_call;
