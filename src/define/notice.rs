//! What pg_tviews_create says beside its result: once, when everything is done.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{PgLogLevel, PgSqlErrorCode};

use crate::catalog::definition::Definition;

/// A NOTICE.
pub struct Notice {
    message: String,
    detail: Option<String>,
    hint: Option<String>,
}

impl Notice {
    pub fn new(message: impl Into<String>) -> Notice {
        Notice {
            message: message.into(),
            detail: None,
            hint: None,
        }
    }

    pub fn detail(mut self, detail: impl Into<String>) -> Notice {
        self.detail = Some(detail.into());
        self
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Notice {
        self.hint = Some(hint.into());
        self
    }

    pub fn another_query(before: &Definition) -> Notice {
        Notice::new(format!(
            "the query of TVIEW {} is replaced by another",
            before.display()
        ))
    }

    pub fn say(self) {
        let code = PgSqlErrorCode::ERRCODE_SUCCESSFUL_COMPLETION;
        let mut report = ErrorReport::new(code, self.message, "pg_tviews");
        if let Some(detail) = self.detail {
            report = report.set_detail(detail);
        }
        if let Some(hint) = self.hint {
            report = report.set_hint(hint);
        }
        report.report(PgLogLevel::NOTICE);
    }
}
