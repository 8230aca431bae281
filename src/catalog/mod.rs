//! What TVIEWs exist: definitions and states, names, keys, columns, owners.

pub mod announce;
pub mod columns;
pub mod definition;
pub mod document;
pub mod entity;
pub mod feeds;
pub mod groups;
pub mod key_choice;
pub mod limits;
pub mod metrics;
pub mod name;
mod older_objects;
pub mod own_tables;
pub mod owner;
pub mod progress;
pub mod rights;
pub mod session_statement;
pub mod state;
pub mod statements;
pub mod status;
pub mod trigger_argument;
pub mod tview_cache;
pub mod tview_info;
pub mod version;

pub use state::State;
pub use tview_info::{infos as load, TviewInfo};
