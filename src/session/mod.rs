//! What a session asks for: drain, wait, promise, token, pending, affected, check, request, retry, the change
//! feed.

pub mod absorbed;
pub mod affected;
pub mod behind;
pub mod bulk_load;
pub mod check;
pub mod current_row;
pub mod dead_keys;
pub mod drain;
pub mod drain_order;
mod drain_together;
pub mod feed;
pub mod kept_snapshot;
pub mod named_key;
pub mod not_refreshing;
pub mod patience;
pub mod pending;
mod pending_keys;
pub mod plan_now;
pub mod promise;
pub mod request;
pub mod retry_dead_keys;
pub mod rights;
pub mod source_rows;
pub mod throttle;
pub mod token;
pub mod wait;
pub mod wait_argument;
pub mod wait_for_key;
pub mod wait_for_token;
