//! `pg_tviews_subscribe`: begins to keep changes for a consumer.

use pgrx::pg_sys::{self, Oid};
use pgrx::PgSqlErrorCode;

use super::consumer::{self, shown};
use super::rights::{self, Fed};
use super::token::{Token, Upto};
use super::unsubscribe;
use crate::catalog::{limits, version};
use crate::error::Problem;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::{quote, role, transaction};
use crate::queue::now;
use crate::statement;

/// Maximum number of consumers of a database: each row of the feed is kept until all of them have it.
const MAXIMUM: i64 = 1000;

/// The TVIEWs that a consumer names.
#[derive(Default)]
struct Named {
    names: Option<Vec<String>>,
    entities: Option<Vec<String>>,
    tviews: Vec<Oid>,
}

/// Adds a consumer; returns the token of its position, the snapshot of the calling statement.
pub fn subscribe(name: Option<&str>, tviews: Option<&[Option<&str>]>) -> Result<String, Problem> {
    version::check()?;
    let name = consumer::check_name(name)?;
    let named = match tviews {
        Some(tviews) => named(tviews)?,
        None => {
            if !rights::tviews()
                .iter()
                .any(|fed| fed.has_feed && fed.is_readable())
            {
                return Err(no_feed());
            }
            Named::default()
        }
    };
    check_number()?;
    if consumer::read(name).is_some_and(|before| before.is_lost()) {
        unsubscribe::remove(consumer::find(Some(name))?.subscription);
    }
    // What the transaction reads of the tables must not be lost by a crash, either.
    transaction::commit_durably();
    let own = transaction::own_xid();
    let target = run_internal(now::seen).with_in_progress(own);
    let args = [
        (pg_sys::TEXTOID, Value::of(name)),
        (pg_sys::OIDOID, Value::of(role::current_role())),
        (pg_sys::TEXTARRAYOID, Value::of(named.names)),
        (pg_sys::TEXTARRAYOID, Value::of(named.entities)),
        (pg_sys::OIDARRAYOID, Value::of(named.tviews)),
        (pg_sys::TEXTOID, Value::of(target.to_string())),
    ];
    let subscription = run_internal(|| {
        spi::session(|| spi::run(&statement!("subscription_add"), Access::Current, &args).one::<i64>())
    });
    let token = Token {
        server: consumer::server(),
        subscription: subscription.ok_or_else(|| taken(name))?,
        upto: Upto { target, place: None },
    };
    Ok(token.to_string())
}

/// The TVIEWs that the names stand for; an error unless each has a feed that the caller may read.
fn named(names: &[Option<&str>]) -> Result<Named, Problem> {
    limits::check_keys(names)?;
    let mut tviews: Vec<Fed> = Vec::new();
    for name in names {
        let found = rights::named(crate::define::arguments::tview_name(*name)?)?;
        if !tviews.iter().any(|fed| fed.tview == found.tview) {
            tviews.push(found);
        }
    }
    if tviews.is_empty() {
        return Err(Problem::new(
            PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            "no TVIEW is named",
        )
        .hint("Name at least one, or leave the names out to subscribe to all feeds."));
    }
    Ok(Named {
        names: Some(tviews.iter().map(|fed| fed.table.clone()).collect()),
        entities: Some(tviews.iter().map(|fed| fed.entity_name.clone()).collect()),
        tviews: tviews.iter().map(|fed| fed.tview).collect(),
    })
}

fn check_number() -> Result<(), Problem> {
    let number = run_internal(|| {
        spi::session(|| spi::run(&statement!("subscription_count"), Access::Current, &[]).one::<i64>())
    });
    if number.unwrap_or(0) < MAXIMUM {
        return Ok(());
    }
    Err(Problem::new(
        PgSqlErrorCode::ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
        format!("there are {MAXIMUM} consumers already"),
    )
    .hint("Run SELECT pg_tviews_unsubscribe(consumer) for those in pg_tview_consumer that are not needed any more."))
}

fn no_feed() -> Problem {
    Problem::new(
        PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
        "there is no TVIEW with a feed that you may read",
    )
    .hint("Run UPDATE pg_tview_meta SET feed = true WHERE ...; as the owner of a TVIEW.")
}

fn taken(name: &str) -> Problem {
    Problem::new(
        PgSqlErrorCode::ERRCODE_DUPLICATE_OBJECT,
        format!("consumer {} exists already", shown(name)),
    )
    .hint(format!(
        "Choose another name, or run SELECT pg_tviews_unsubscribe({}); first.",
        quote::literal(name)
    ))
}
