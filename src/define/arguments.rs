//! Arguments of functions, and columns of pg_tview_meta, that users give: checked in one place.

use std::time::Duration;

use pgrx::datum::Interval;
use pgrx::PgSqlErrorCode;

use crate::catalog::limits;
use crate::error::Problem;
use crate::postgres::quote;
use crate::settings::AllowFull;

/// Months count as 30 days, days as 24 hours.
pub fn seconds(interval: &Interval) -> f64 {
    interval.as_micros() as f64 / 1_000_000.0
}

/// Checks that `max_latency` is in the range of the setting `pg_tviews.max_latency`.
pub fn check_max_latency(seconds: f64) -> Result<(), Problem> {
    const HINT: &str = "Give an interval such as '250 ms', or NULL for the setting pg_tviews.max_latency.";
    check_range("max_latency", seconds, HINT)
}

/// Checks that `throttle_lag` is in the same range.
pub fn check_throttle_lag(seconds: f64) -> Result<(), Problem> {
    const HINT: &str = "Give an interval such as '1 minute', or NULL to delay no writer.";
    check_range("throttle_lag", seconds, HINT)
}

fn check_range(column: &str, seconds: f64, hint: &str) -> Result<(), Problem> {
    let problem = if seconds <= 0.0 {
        "must be greater than zero"
    } else if seconds > f64::from(i32::MAX) / 1000.0 {
        "must not be greater than 24 days"
    } else {
        return Ok(());
    };
    Err(Problem::new(
        PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
        format!("{column} {problem}"),
    )
    .detail(format!("The interval is {seconds} seconds long."))
    .hint(hint))
}

/// How late rows may be.
pub fn bound(max_staleness: Option<&Interval>) -> Result<Duration, Problem> {
    const HINT: &str = "Give an interval such as '500 ms', or '0' for everything that is committed.";
    let interval = max_staleness.ok_or_else(|| {
        Problem::new(
            PgSqlErrorCode::ERRCODE_NULL_VALUE_NOT_ALLOWED,
            "max_staleness must not be NULL",
        )
        .hint(HINT)
    })?;
    u64::try_from(interval.as_micros())
        .map(Duration::from_micros)
        .map_err(|_| {
            Problem::new(
                PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
                "max_staleness must not be less than zero",
            )
            .detail(format!("The interval is {} seconds long.", seconds(interval)))
            .hint(HINT)
        })
}

/// What the argument `allow_full` says, in the words of the setting.
pub fn allow_full_named(value: &str) -> Result<AllowFull, Problem> {
    match value {
        "on" => Ok(AllowFull::On),
        "notice" => Ok(AllowFull::Notice),
        "off" => Ok(AllowFull::Off),
        _ => Err(Problem::new(
            PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            format!("allow_full is {}", quote::literal(value)),
        )
        .hint("Give 'on', 'notice' or 'off'.")),
    }
}

/// A list of column names. `argument`: the name of the argument or column.
pub fn column_names(argument: &str, columns: &[Option<&str>]) -> Result<Vec<String>, Problem> {
    limits::check_columns(argument, columns.len())?;
    let columns = columns.iter().map(|column| column.map(str::to_string));
    columns.collect::<Option<_>>().ok_or_else(|| {
        Problem::new(
            PgSqlErrorCode::ERRCODE_NULL_VALUE_NOT_ALLOWED,
            format!("{argument} must not contain NULL"),
        )
        .hint("Give names of columns, such as '{fk_user}'.")
    })
}

/// The name of a TVIEW, where the function has arguments that may be NULL.
pub fn tview_name(name: Option<&str>) -> Result<&str, Problem> {
    name.ok_or_else(|| {
        Problem::new(
            PgSqlErrorCode::ERRCODE_NULL_VALUE_NOT_ALLOWED,
            "the name of a TVIEW must not be NULL",
        )
        .hint("Write the name like post, tv_post or app.post.")
    })
}
