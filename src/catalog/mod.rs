//! What TVIEWs exist, and how they come and go.

pub mod columns;
pub mod convert;
pub mod create;
pub mod ddl;
pub mod definition;
pub mod drop;
pub mod feeds;
pub mod follow_columns;
pub mod foreign_keys;
pub mod guard;
pub mod known;
pub mod limits;
pub mod manage;
pub mod meta_update;
pub mod name;
pub mod not_followed;
mod notice;
pub mod patience;
pub mod register;
pub mod restored;
pub mod rights;
pub mod session_cache;
pub mod size;
pub mod statements;
pub mod status;
pub mod subscriptions;
pub mod triggers;
mod unlogged;
pub mod unrelated;

pub use definition::{infos as load, State, TviewInfo};
pub use drop::tidy;
pub use manage::change_state;
pub use unlogged::server_started;
