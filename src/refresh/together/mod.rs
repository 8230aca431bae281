//! Several TVIEWs refreshed in one transaction, so that no reader sees two moments.
//!
//! ```text
//! lock all -> snapshot -> each, those that feed others first:
//!     read the queue, with what this transaction has written -> recompute -> write changes to the queue
//! -> audit rows with one position, commit
//! ```
//!
//! The position is the snapshot, after the end of this transaction: a TVIEW over another one has absorbed what that
//! one wrote. What cannot be applied in the transaction leaves it, and is refreshed alone.

mod attempt;
mod member;
pub mod outcome;
mod run;
mod transaction;

pub use member::takes;
pub use outcome::{Member, Verdict};
pub use run::{drain, run};
pub use transaction::Together;
