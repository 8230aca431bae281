//! A message for the user that is ready to be sent, as an ERROR, a WARNING or a NOTICE.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{PgLogLevel, PgSqlErrorCode};

/// What is wrong, or worth knowing.
#[derive(Debug, Clone)]
pub struct Problem {
    pub code: PgSqlErrorCode,
    pub message: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
}

impl Problem {
    pub fn new(code: PgSqlErrorCode, message: impl Into<String>) -> Problem {
        Problem {
            code,
            message: message.into(),
            detail: None,
            hint: None,
        }
    }

    /// A message about something that is not wrong, for [`Problem::notice`].
    pub fn for_notice(message: impl Into<String>) -> Problem {
        Problem::new(PgSqlErrorCode::ERRCODE_SUCCESSFUL_COMPLETION, message)
    }

    pub fn detail(mut self, detail: impl Into<String>) -> Problem {
        self.detail = Some(detail.into());
        self
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Problem {
        self.hint = Some(hint.into());
        self
    }

    /// Raises the message as an ERROR.
    pub fn raise(self) -> ! {
        self.report(PgLogLevel::ERROR);
        unreachable!("an ERROR does not return")
    }

    /// Sends the message as a WARNING; the command goes on.
    pub fn warn(self) {
        self.report(PgLogLevel::WARNING);
    }

    /// Sends the message as a NOTICE; the command goes on.
    pub fn notice(self) {
        self.report(PgLogLevel::NOTICE);
    }

    fn report(self, level: PgLogLevel) {
        let mut report = ErrorReport::new(self.code, self.message, "pg_tviews");
        if let Some(detail) = self.detail {
            report = report.set_detail(detail);
        }
        if let Some(hint) = self.hint {
            report = report.set_hint(hint);
        }
        report.report(level);
    }
}

/// Returns the value of a result, or raises its problem.
pub trait OrRaise<T> {
    fn or_raise(self) -> T;
}

impl<T> OrRaise<T> for Result<T, Problem> {
    fn or_raise(self) -> T {
        match self {
            Ok(value) => value,
            Err(problem) => problem.raise(),
        }
    }
}
