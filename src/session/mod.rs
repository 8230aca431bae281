//! What a session asks for: drain, wait, pending, affected, check, request, retry.

pub mod affected;
pub mod check;
pub mod drain;
pub mod named_key;
pub mod not_refreshing;
pub mod patience;
pub mod pending;
pub mod request;
pub mod retry_dead_keys;
pub mod source_rows;
pub mod wait;
pub mod wait_argument;
pub mod wait_for_key;
