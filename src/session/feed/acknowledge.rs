//! `pg_tviews_ack`: records how far a consumer has got.

use pgrx::PgSqlErrorCode;

use super::consumer::{self, shown};
use super::read_here;
use super::token::Token;
use crate::error::{self, Problem};
use crate::postgres::transaction;

/// Acknowledges the change that a token was returned with, and all before it. The same token again changes
/// nothing: a program may repeat a call of which it does not know whether it was committed.
pub fn acknowledge(name: Option<&str>, token: Option<&str>) -> Result<(), Problem> {
    consumer::find(name)?;
    let name = consumer::check_name(name)?;
    let token = read(token.unwrap_or_default())?;
    let consumer = consumer::locked(name)?;
    if token.subscription != consumer.subscription {
        return Err(Problem::new(
            PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            format!("this token is not one of consumer {}", shown(name)),
        )
        .detail(
            "It belongs to another consumer, to an earlier subscription of this one, or to another database.",
        )
        .hint("Acknowledge the tokens that pg_tviews_changes() returns for this consumer."));
    }
    consumer.check_complete()?;
    if token.server != consumer::server() || token.upto.target.xmax > transaction::next_xid() {
        return Err(Problem::new(
            PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            "this token is of another server",
        )
        .detail("It is of another database or cluster, or of this one before a promotion or a recovery.")
        .hint("Acknowledge the tokens that pg_tviews_changes() returns on this server."));
    }
    let before = consumer.acknowledged();
    let is_known = consumer.is_by_this_transaction || read_here::is_unchanged(consumer.subscription, &before);
    if !is_known {
        return Err(Problem::new(
            PgSqlErrorCode::ERRCODE_T_R_SERIALIZATION_FAILURE,
            format!("another session has acknowledged changes of consumer {}", shown(name)),
        )
        .detail("It has done so since this transaction called pg_tviews_changes(), which returned the same changes.")
        .hint("Run the transaction again."));
    }
    if token.upto == before {
        return Ok(());
    }
    if !token.upto.is_at_or_ahead_of(&before) {
        return Err(Problem::new(
            PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            format!("consumer {} has acknowledged later changes already", shown(name)),
        )
        .detail("Tokens are acknowledged in the order in which pg_tviews_changes() returns them. Each includes all before it.")
        .hint("Acknowledge the token of the last change that was processed."));
    }
    consumer.store(&token.upto);
    Ok(())
}

fn read(text: &str) -> Result<Token, Problem> {
    text.parse().map_err(|()| {
        Problem::new(
            PgSqlErrorCode::ERRCODE_INVALID_TEXT_REPRESENTATION,
            format!("this is no token: {}", error::shown(text)),
        )
        .hint("Give the text in the column token of pg_tviews_changes(), unchanged.")
    })
}
