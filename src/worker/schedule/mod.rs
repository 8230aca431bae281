//! Which TVIEW next, and when. Plain arithmetic on microseconds, no PostgreSQL.

pub mod after_refresh;
pub mod averages;
pub mod candidate;
pub mod gathering;
pub mod long;
pub mod next;
pub mod retry;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
pub mod together;

pub use candidate::{dirty_since, is_due, Candidate, Need};
pub use next::{next, Next};
pub use together::together;
