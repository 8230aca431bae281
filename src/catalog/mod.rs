//! What TVIEWs exist, and how they come and go.

pub mod announce;
pub mod columns;
pub mod definition;
pub mod document;
pub mod feeds;
pub mod limits;
pub mod name;
pub mod owner;
pub mod rights;
pub mod session_statement;
pub mod state;
pub mod statements;
pub mod status;
pub mod tview_cache;

pub use definition::{infos as load, State, TviewInfo};
