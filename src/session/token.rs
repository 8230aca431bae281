//! A token: what a session has committed so far, as text that any other session can wait for.
//!
//! ```text
//! 1-7304871234567890123-1-16384-750:753:751-752
//! |  |                  | |     |           `- the transaction that took the token, if it has an id
//! |  |                  | |     `- snapshot: what was committed
//! |  |                  | `- OID of the database
//! |  |                  `- timeline
//! |  `- system identifier of the cluster
//! `- version of this form
//! ```

use std::fmt;

use pgrx::PgSqlErrorCode;

use crate::error::{shown, Problem};
use crate::postgres::process;
use crate::postgres::transaction::{self, with_latest_snapshot};
use crate::postgres::{cluster, run_as::run_internal};
use crate::queue::now;
use crate::queue::position::Position;

/// The form of the text.
const VERSION: &str = "1";
/// Maximum size of a token, in bytes. The snapshot of a server with ten thousand open transactions is smaller.
const MAXIMUM: usize = 1 << 20;

/// What was committed when the token was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    system: u64,
    timeline: u32,
    database: u32,
    /// The transactions that were committed or rolled back.
    seen: Position,
    /// The transaction that took the token, which was open.
    own: Option<u64>,
}

impl Token {
    /// What is committed now, and what this transaction will have committed.
    pub fn take() -> Result<Token, Problem> {
        refuse_in_recovery("tokens cannot be taken during recovery")?;
        Ok(Token {
            system: cluster::system_identifier(),
            timeline: cluster::timeline(),
            database: process::database().to_u32(),
            seen: with_latest_snapshot(|| run_internal(now::seen)),
            // A transaction that has not written yet may do so after this call.
            own: (transaction::has_xid() || transaction::in_block() && !transaction::is_read_only())
                .then(transaction::own_xid),
        })
    }

    /// A token as a user gives it; an error unless this database can wait for it.
    pub fn read(text: &str) -> Result<Token, Problem> {
        let token = parse(text).ok_or_else(|| {
            of_no_use(format!("\"{}\" is not a token", shown(text)))
                .detail("A token is the text that pg_tviews_token() has returned, unchanged.")
        })?;
        refuse_in_recovery("cannot wait for a token during recovery")?;
        if token.system != cluster::system_identifier() {
            return Err(of_no_use("the token is of another cluster").detail(format!(
                "It names the system identifier {}, and this cluster has {}.",
                token.system,
                cluster::system_identifier()
            )));
        }
        if token.database != process::database().to_u32() {
            return Err(of_no_use("the token is of another database").detail(format!(
                "It names the database with OID {}, and this database has OID {}.",
                token.database,
                process::database().to_u32()
            )));
        }
        if token.timeline != cluster::timeline() {
            return Err(of_no_use("the token is of another timeline").detail(format!(
                "It names timeline {}, and this server is on timeline {} after a promotion or a recovery. What was committed may be lost.",
                token.timeline,
                cluster::timeline()
            )));
        }
        if token.end() > transaction::next_xid() {
            return Err(of_no_use("the token is from the future").detail(
                "It names transactions that have not begun in this cluster. Was the server restored, or did it crash?",
            ));
        }
        Ok(token)
    }

    /// The transaction that took the token, which may still be open.
    pub fn own(&self) -> Option<u64> {
        self.own
    }

    /// What a TVIEW has to show once the transaction that took the token has ended. Transactions with ids in
    /// between may be included: they are waited for only if they are committed by then.
    pub fn target(&self) -> Position {
        Position {
            xmax: self.end(),
            ..self.seen.clone()
        }
    }

    /// The first id after those that the token names.
    fn end(&self) -> u64 {
        self.seen
            .xmax
            .max(self.own.map_or(0, |own| own.saturating_add(1)))
    }
}

fn refuse_in_recovery(message: &str) -> Result<(), Problem> {
    if !transaction::in_recovery() {
        return Ok(());
    }
    Err(
        Problem::new(PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, message)
            .detail("What a standby shows depends on how far it has replayed, not on refreshes here.")
            .hint("Call it on the primary."),
    )
}

fn of_no_use(message: impl Into<String>) -> Problem {
    Problem::new(PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE, message)
        .hint("Run SELECT pg_tviews_token(); in this database after the commit to wait for.")
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Token {
            system,
            timeline,
            database,
            seen,
            own,
        } = self;
        write!(f, "{VERSION}-{system}-{timeline}-{database}-{seen}")?;
        own.map_or(Ok(()), |own| write!(f, "-{own}"))
    }
}

fn parse(text: &str) -> Option<Token> {
    if text.len() > MAXIMUM {
        return None;
    }
    let mut parts = text.split('-');
    if parts.next()? != VERSION {
        return None;
    }
    let token = Token {
        system: number(parts.next()?)?,
        timeline: u32::try_from(number(parts.next()?)?).ok()?,
        database: u32::try_from(number(parts.next()?)?).ok()?,
        seen: parts.next()?.parse().ok().filter(is_snapshot)?,
        own: match parts.next() {
            None => None,
            Some(own) => Some(number(own)?),
        },
    };
    // One text for each token: without signs, leading zeros and spaces.
    (parts.next().is_none() && token.to_string() == text).then_some(token)
}

fn number(text: &str) -> Option<u64> {
    text.parse().ok()
}

/// Whether PostgreSQL accepts the position as a `pg_snapshot`.
fn is_snapshot(position: &Position) -> bool {
    let Position { xmin, xmax, xip } = position;
    let limits = 1 <= *xmin && xmin <= xmax && *xmax <= i64::MAX as u64;
    let inside = xip.iter().all(|xid| (xmin..xmax).contains(&xid));
    limits && inside && xip.windows(2).all(|pair| pair[0] < pair[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        for text in [
            "1-7304871234567890123-1-16384-750:753:751",
            "1-7304871234567890123-2-16384-750:750:",
            "1-1-1-5-750:753:751,752-760",
            "1-18446744073709551615-4294967295-4294967295-1:1:-1",
        ] {
            assert_eq!(parse(text).expect(text).to_string(), text);
        }
    }

    #[test]
    fn refuses_every_other_text() {
        for text in [
            "",
            "1",
            "nonsense",
            "2-1-1-5-750:753:751",
            "1-1-1-5",
            "1-1-1-5-",
            "1-1-1-5-750:753",
            "1-1-1-5-750:753:751-",
            "1-1-1-5-750:753:751-7-8",
            "1-x-1-5-750:753:751",
            "1-18446744073709551616-1-5-750:753:751",
            "1-1-4294967296-5-750:753:751",
            "1-1-1-5-0:753:751",
            "1-1-1-5-753:750:",
            "1-1-1-5-750:753:749",
            "1-1-1-5-750:753:753",
            "1-1-1-5-750:753:751,751",
            "1-1-1-5-750:9223372036854775808:",
            " 1-1-1-5-750:753:751",
            "1-1-1-5-750:753:0751",
            "1-1-1-5-+750:753:751",
            "1-1-1-5-750:753:751-007",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse(&"1-".repeat(MAXIMUM)), None);
    }

    #[test]
    fn target_has_the_transaction_that_took_the_token() {
        let target = |text: &str| parse(text).unwrap().target().to_string();
        assert_eq!(target("1-1-1-5-750:753:751"), "750:753:751");
        assert_eq!(target("1-1-1-5-750:753:751-760"), "750:761:751");
        // It had an id before the last transaction that ended: its snapshot has it as ended.
        assert_eq!(target("1-1-1-5-750:753:751-752"), "750:753:751");
        assert!(parse("1-1-1-5-750:753:751-760").unwrap().target().covers(760));
    }
}
