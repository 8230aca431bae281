//! The second argument of `pg_tviews_wait`, where neither its type nor its name says whether it is a key or a
//! timeout. PostgreSQL takes it for text in `pg_tviews_wait('post', '5 seconds')` as well as in
//! `pg_tviews_wait('post', '42')`.

use std::time::Duration;

use pgrx::datum::Interval;
use pgrx::{pg_sys, PgSqlErrorCode};

use super::named_key::change_key;
use crate::catalog::definition::{self, Definition};
use crate::catalog::{columns, limits};
use crate::error::{shown, OrRaise, Problem};
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::{transaction, type_facts};
use crate::statement;

/// What the argument is.
pub enum Argument {
    Key,
    Timeout(Duration),
}

/// A text that can only be a key, or only a timeout, is that. A number is a key. Where keys are texts or
/// intervals, a text that is an interval is a timeout: the session then waits for all changes, which is never
/// too short.
pub fn read(name: Option<&str>, text: &str) -> Argument {
    limits::check_key(text).or_raise();
    let timeout = timeout(text);
    let Some(name) = name else {
        return match timeout {
            Some(timeout) => Argument::Timeout(timeout),
            None => Problem::new(
                PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
                format!("\"{}\" is not an interval", shown(text)),
            )
            .hint("A key is waited for in one TVIEW: SELECT pg_tviews_wait('post', key => '42');")
            .raise(),
        };
    };
    let definition = definition::find(name).or_raise();
    match (change_key(&definition, text), timeout) {
        (Ok(_), None) => Argument::Key,
        (Ok(_), Some(_)) if is_number(text) || !reads_as_time(&definition) => Argument::Key,
        (_, Some(timeout)) => Argument::Timeout(timeout),
        (Err(problem), None) => {
            let detail = problem.detail.unwrap_or_default();
            Problem::new(
                problem.code,
                format!(
                    "\"{}\" is neither a key of {} nor an interval",
                    shown(text),
                    definition.display()
                ),
            )
            .detail(detail)
            .hint("Say which it is: key => '42', or timeout => '5 seconds'.")
            .raise()
        }
    }
}

/// How long an interval is, with months of 30 days; not below zero.
pub fn length(interval: &Interval) -> Duration {
    Duration::from_micros(interval.as_micros().max(0) as u64)
}

fn timeout(text: &str) -> Option<Duration> {
    let read = transaction::attempt(|| {
        spi::session(|| {
            let args = [(pg_sys::TEXTOID, Value::of(text))];
            spi::run(&statement!("read_interval"), Access::Snapshot, &args).one::<Interval>()
        })
    });
    read.ok().flatten().as_ref().map(length)
}

fn is_number(text: &str) -> bool {
    text.trim().parse::<f64>().is_ok()
}

/// Whether the key is one text or one interval.
fn reads_as_time(definition: &Definition) -> bool {
    let [only] = &definition.key_columns[..] else {
        return false;
    };
    let columns = spi::session(|| columns::of(definition.tview));
    let key = columns.iter().find(|column| column.name == *only);
    key.is_some_and(|key| matches!(type_facts::category(key.type_oid), 'S' | 'T'))
}
