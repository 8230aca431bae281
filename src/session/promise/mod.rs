//! Reads with a promise: a query sees no rows of tv tables that are later than a bound.
//!
//! ```text
//! query about to start, or pg_tviews_require
//!   -> which TVIEWs does it depend on? -> did their sources change since this session found them up to date?
//!   -> is there a change older than the bound that its snapshot shows and a TVIEW has not absorbed?
//!   -> wait for the refresh, and read with the snapshot that shows it
//! ```
//!
//! The bound counts from the moment at which the query begins, so that waiting comes to an end. A change is
//! as old as its row in the queue, which is written before the commit. What a refresh writes is as old as the
//! oldest change that it applies, so a TVIEW over TVIEWs is late by as much as the whole chain.

mod bound;
pub mod consistent;
pub mod groups;
mod known_current;
mod no_wait;
pub mod query;
pub mod require;
mod stale;
mod staleness;
mod wait;
