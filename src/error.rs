//! Every error a user can meet: SQLSTATE, message, detail, and a hint one can type.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{PgLogLevel, PgSqlErrorCode};

use crate::postgres::transaction::Caught;

/// What is wrong, ready to be raised.
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

    pub fn detail(mut self, detail: impl Into<String>) -> Problem {
        self.detail = Some(detail.into());
        self
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Problem {
        self.hint = Some(hint.into());
        self
    }

    /// Raises it as a PostgreSQL ERROR.
    pub fn raise(self) -> ! {
        let mut report = ErrorReport::new(self.code, self.message, "pg_tviews");
        if let Some(detail) = self.detail {
            report = report.set_detail(detail);
        }
        if let Some(hint) = self.hint {
            report = report.set_hint(hint);
        }
        report.report(PgLogLevel::ERROR);
        unreachable!("an ERROR does not return")
    }
}

impl From<Caught> for Problem {
    fn from(caught: Caught) -> Problem {
        Problem {
            code: caught.code,
            message: caught.message,
            detail: caught.detail,
            hint: caught.hint,
        }
    }
}

/// So many bytes of a value that a user has given are repeated in a message.
const MOST_OF_A_VALUE: usize = 100;
/// The same of a message that PostgreSQL has made of it.
const MOST_OF_A_MESSAGE: usize = 1000;

/// A value that a user has given, for a message: it may have megabytes.
pub fn shown(value: &str) -> String {
    cut(value, MOST_OF_A_VALUE)
}

/// A message that may repeat such a value.
pub fn shown_message(message: &str) -> String {
    cut(message, MOST_OF_A_MESSAGE)
}

fn cut(text: &str, most: usize) -> String {
    match text.len() > most {
        true => format!("{}...", &text[..text.floor_char_boundary(most)]),
        false => text.to_string(),
    }
}

/// Raises the problem, or hands on the value.
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
