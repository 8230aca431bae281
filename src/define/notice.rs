//! NOTICEs of pg_tviews_create: sent once, when everything is done.

use crate::catalog::definition::Definition;
use crate::error::Problem;

/// A NOTICE.
pub struct Notice(Problem);

impl Notice {
    pub fn new(message: impl Into<String>) -> Notice {
        Notice(Problem::for_notice(message))
    }

    pub fn detail(self, detail: impl Into<String>) -> Notice {
        Notice(self.0.detail(detail))
    }

    pub fn hint(self, hint: impl Into<String>) -> Notice {
        Notice(self.0.hint(hint))
    }

    pub fn another_query(before: &Definition) -> Notice {
        Notice::new(format!(
            "the query of TVIEW {} is replaced by another",
            before.display()
        ))
    }

    pub fn send(self) {
        self.0.notice();
    }
}
