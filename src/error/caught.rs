//! ERRORs of PostgreSQL that were caught.

use pgrx::pg_sys::panic::CaughtError;
use pgrx::PgSqlErrorCode;

use super::excerpt::kept;
use super::problem::Problem;
use super::sqlstate::letters;

/// An ERROR that was caught.
#[derive(Debug, Clone)]
pub struct Caught {
    /// XX000 for codes that PostgreSQL does not know, as functions of users may raise; [`Caught::sqlstate`]
    /// has those.
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
                message: kept(report.message()),
                detail: report.detail().map(kept),
                hint: report.hint().map(kept),
            },
        }
    }

    /// Whether the command was cancelled, timed out, or ended by an administrator: no client waits for its
    /// result.
    pub fn is_cancel(&self) -> bool {
        self.sqlstate().starts_with("57")
    }

    /// Whether the ERROR says nothing about the work that failed, and no other work must be attempted: a
    /// cancel, or memory has run out.
    pub fn ends_the_command(&self) -> bool {
        self.is_cancel() || self.code == PgSqlErrorCode::ERRCODE_OUT_OF_MEMORY
    }

    /// Raises the ERROR again.
    pub fn raise(self) -> ! {
        Problem::from(self).raise()
    }

    /// The five letters and digits of the SQLSTATE.
    pub fn sqlstate(&self) -> String {
        letters(self.sqlstate)
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
