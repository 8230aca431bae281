//! How TVIEWs are created, registered, changed, converted, paused and dropped, and what DDL beside pg_tviews does to them.

pub mod capture_triggers;
pub mod convert;
pub mod create;
pub mod ddl_events;
pub mod drop;
pub mod follow_columns;
pub mod in_step;
pub mod meta_update;
pub mod notice;
pub mod own_ddl;
pub mod patience;
pub mod pause;
pub mod register;
pub mod restored;
pub mod size;
pub mod subscriptions;
pub mod unlogged;
pub mod unrelated_ddl;
pub mod untracked_inputs;
pub mod write_guard;
