//! Where waiting would be in vain, and what to do instead.

use std::time::Duration;

use super::staleness::Stale;
use crate::postgres::{quote, relation};

/// Why a read cannot wait.
#[derive(Clone, Copy)]
pub enum NoWait {
    /// The server is a standby.
    InRecovery,
    /// REPEATABLE READ or SERIALIZABLE.
    KeepsSnapshot,
    /// A query of a function that is not VOLATILE.
    SharesSnapshot,
    /// A query that reads a fresh view, too: its rows are those of the snapshot that the query began with.
    ReadsFreshView,
}

impl NoWait {
    pub fn why(self) -> &'static str {
        match self {
            NoWait::InRecovery => "A standby shows what it has replayed, and cannot wait for refreshes.",
            NoWait::KeepsSnapshot => "The transaction keeps the snapshot it began with (REPEATABLE READ or SERIALIZABLE), and sees no refresh that commits later.",
            NoWait::SharesSnapshot => "The query shares the snapshot of the statement that calls its function, which has started.",
            NoWait::ReadsFreshView => "The query also reads a fresh view, whose rows are those of the snapshot that it began with.",
        }
    }

    pub fn hint(self, stale: &Stale, maximum: Duration) -> String {
        let when = match self {
            NoWait::InRecovery => return "Run it again, or on the primary.".to_string(),
            NoWait::KeepsSnapshot => "before BEGIN, or use READ COMMITTED.",
            NoWait::SharesSnapshot => "before that statement, or declare the function VOLATILE.",
            NoWait::ReadsFreshView => "before the query.",
        };
        let maximum = quote::literal(&format!("{} ms", maximum.as_millis()));
        format!("Run SELECT pg_tviews_require({}, {maximum}); {when}", name(stale))
    }
}

/// The TVIEW as a function takes it.
pub fn name(stale: &Stale) -> String {
    quote::literal(&relation::qualified_name(stale.tview).unwrap_or_default())
}
