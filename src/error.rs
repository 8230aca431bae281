//! Errors: one that was caught, and one that is ready to be raised with SQLSTATE, message, detail and hint.

use pgrx::pg_sys::panic::{CaughtError, ErrorReport};
use pgrx::{PgLogLevel, PgSqlErrorCode};

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

/// A PostgreSQL ERROR that was caught.
#[derive(Debug, Clone)]
pub struct Caught {
    /// XX000 for codes PostgreSQL itself does not know, as functions of users may raise; [`Caught::sqlstate`] has those.
    pub code: PgSqlErrorCode,
    sqlstate: i32,
    pub message: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
}

impl Caught {
    /// `raw`: the code of the last message that PostgreSQL reported.
    pub fn from(error: CaughtError, raw: i32) -> Caught {
        let of_postgres = matches!(error, CaughtError::PostgresError(_));
        match error {
            CaughtError::PostgresError(report)
            | CaughtError::ErrorReport(report)
            | CaughtError::RustPanic { ereport: report, .. } => Caught {
                code: report.sql_error_code(),
                sqlstate: match report.sql_error_code() {
                    PgSqlErrorCode::ERRCODE_INTERNAL_ERROR if of_postgres && raw != 0 => raw,
                    known => known as i32,
                },
                message: beginning(report.message()),
                detail: report.detail().map(beginning),
                hint: report.hint().map(beginning),
            },
        }
    }

    /// Whether the command was cancelled, timed out, or ended by an administrator: nobody waits for its result any more.
    pub fn is_cancel(&self) -> bool {
        self.sqlstate().starts_with("57")
    }

    /// Whether it says nothing about what was attempted, and nothing else is to be attempted: a cancel, or no memory.
    pub fn ends_the_command(&self) -> bool {
        self.is_cancel() || self.code == PgSqlErrorCode::ERRCODE_OUT_OF_MEMORY
    }

    /// Raises it again.
    pub fn raise(self) -> ! {
        Problem::from(self).raise()
    }

    /// The five letters and digits of the SQLSTATE.
    pub fn sqlstate(&self) -> String {
        letters(self.sqlstate)
    }
}

/// As much of a message as is kept: functions of users raise what they like.
fn beginning(text: &str) -> String {
    const MOST: usize = 64 << 10;
    match text.len() > MOST {
        true => format!("{}...", &text[..text.floor_char_boundary(MOST)]),
        false => text.to_string(),
    }
}

/// The five letters and digits of a SQLSTATE.
pub fn sqlstate(code: PgSqlErrorCode) -> String {
    letters(code as i32)
}

fn letters(code: i32) -> String {
    (0..5)
        .map(|n| char::from((((code >> (6 * n)) & 0x3f) as u8) + b'0'))
        .collect()
}
