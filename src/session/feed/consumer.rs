//! A consumer as it is stored.

use pgrx::pg_sys::{self, Oid};
use pgrx::PgSqlErrorCode;

use super::token::{Place, Token, Upto};
use crate::catalog::session_statement::SessionStatement;
use crate::catalog::version;
use crate::error::Problem;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::{cluster, process, quote, role, transaction};
use crate::queue::position::Position;
use crate::statement;

/// Maximum length of a name, in bytes.
const LONGEST_NAME: usize = 200;

/// A consumer, and what it has acknowledged.
pub struct Consumer {
    pub name: String,
    pub subscription: i64,
    owner: Oid,
    /// The tables of the TVIEWs that it named; None: all TVIEWs.
    pub names: Option<Vec<String>>,
    pub entities: Option<Vec<String>>,
    pub tviews: Vec<Oid>,
    /// Changes were removed that it had not acknowledged.
    is_lost: bool,
    /// All that is visible in this snapshot is acknowledged.
    pub position: Position,
    /// The batch that is acknowledged in part: its target and the place.
    pub part: Option<(Position, Place)>,
    /// Nothing was acknowledged for a minute.
    pub is_idle: bool,
    /// The running transaction has acknowledged the last of it.
    pub is_by_this_transaction: bool,
}

thread_local! {
    static READ: SessionStatement = const { SessionStatement::new() };
    static ADD: SessionStatement = const { SessionStatement::new() };
}

/// Checks the name of a consumer.
pub fn check_name(name: Option<&str>) -> Result<&str, Problem> {
    let name = name.unwrap_or_default();
    if !name.trim().is_empty() && name.len() <= LONGEST_NAME {
        return Ok(name);
    }
    Err(Problem::new(
        PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
        "this is no name of a consumer",
    )
    .detail(format!("It is NULL, empty or longer than {LONGEST_NAME} bytes."))
    .hint("Give a name such as 'search index'."))
}

/// The consumer of this name, as the active snapshot shows it; an error unless the caller has the rights of the
/// role that subscribed.
pub fn find(name: Option<&str>) -> Result<Consumer, Problem> {
    version::check()?;
    let name = check_name(name)?;
    let consumer = read(name).ok_or_else(|| unknown(name))?;
    if role::has_rights_of(role::current_role(), consumer.owner) {
        return Ok(consumer);
    }
    Err(Problem::new(
        PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
        format!(
            "consumer {} belongs to {}",
            shown(name),
            role::name(consumer.owner)
        ),
    )
    .hint(format!(
        "Call the function as {}, or subscribe under another name.",
        role::name(consumer.owner)
    )))
}

/// The same without checking rights.
pub fn read(name: &str) -> Option<Consumer> {
    run_internal(|| {
        spi::session(|| {
            let read = READ.with(|read| read.get(|| statement!("subscription_read"), &[pg_sys::TEXTOID]));
            let rows = read.run(Access::Snapshot, &[Value::of(name)], 1);
            if rows.is_empty() {
                return None;
            }
            let snapshot = |column| rows.get::<String>(0, column).and_then(|text| text.parse().ok());
            let place = || {
                Some(Place {
                    xid: rows.get::<String>(0, 8)?.parse().ok()?,
                    change: rows.get(0, 9)?,
                    key: rows.get(0, 10)?,
                })
            };
            Some(Consumer {
                name: name.to_string(),
                subscription: rows.get(0, 0)?,
                owner: rows.get(0, 1)?,
                names: rows.get(0, 2),
                entities: rows.get(0, 3),
                tviews: rows.get(0, 4).unwrap_or_default(),
                is_lost: rows.get(0, 5)?,
                position: snapshot(6)?,
                part: snapshot(7).zip(place()),
                is_idle: rows.get(0, 11)?,
                is_by_this_transaction: rows
                    .get::<String>(0, 12)
                    .and_then(|xid| xid.parse().ok())
                    .is_some_and(transaction::is_current),
            })
        })
    })
}

/// The consumer of this name as it is now, locked against other sessions that acknowledge changes for it: one
/// may have done so since the active snapshot.
pub fn locked(name: &str) -> Result<Consumer, Problem> {
    lock(&statement!("subscription_lock"), name);
    transaction::with_latest_snapshot(|| find(Some(name)))
}

/// Whether the statement has locked the consumer.
fn lock(statement: &str, name: &str) -> bool {
    run_internal(|| {
        spi::session(|| {
            let args = [(pg_sys::TEXTOID, Value::of(name))];
            !spi::run(statement, Access::Current, &args).is_empty()
        })
    })
}

impl Consumer {
    /// Stores that there is nothing for the consumer up to this snapshot, unless another session is acknowledging
    /// changes, or has done so. Returns whether that was stored.
    pub fn skip_to(&self, target: &Position) -> bool {
        if !lock(&statement!("subscription_try_lock"), &self.name) {
            return false;
        }
        let now = transaction::with_latest_snapshot(|| read(&self.name));
        let is_same = now.is_some_and(|now| {
            now.subscription == self.subscription && now.acknowledged() == self.acknowledged()
        });
        if is_same {
            self.store(&Upto {
                target: target.clone(),
                place: None,
            });
        }
        is_same
    }

    /// What it has acknowledged.
    pub fn acknowledged(&self) -> Upto {
        match &self.part {
            Some((target, place)) => Upto {
                target: target.clone(),
                place: Some(*place),
            },
            None => Upto {
                target: self.position.clone(),
                place: None,
            },
        }
    }

    /// An error if changes were removed that it had not acknowledged.
    pub fn check_complete(&self) -> Result<(), Problem> {
        if !self.is_lost {
            return Ok(());
        }
        let name = quote::literal(&self.name);
        Err(Problem::new(
            PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            format!("consumer {} has missed changes", shown(&self.name)),
        )
        .detail("Changes were removed that it had not acknowledged: they exceeded pg_tviews.feed_retention or pg_tviews.feed_max_size.")
        .hint(format!(
            "Run SELECT pg_tviews_subscribe({name}, ...); again, and read the tables anew in the same REPEATABLE READ transaction."
        )))
    }

    /// Whether it has missed changes, and so may subscribe again.
    pub fn is_lost(&self) -> bool {
        self.is_lost
    }

    pub fn token(&self, upto: Upto) -> Token {
        Token {
            server: server(),
            subscription: self.subscription,
            upto,
        }
    }

    /// Stores that it has acknowledged this.
    pub fn store(&self, upto: &Upto) {
        let (position, part) = match upto.place {
            None => (&upto.target, None),
            Some(place) => (&self.position, Some((upto.target.to_string(), place))),
        };
        let args = [
            Value::of(self.subscription),
            Value::of(position.to_string()),
            Value::of(part.as_ref().map(|(target, _)| target.as_str())),
            Value::of(part.as_ref().map(|(_, place)| place.xid.to_string())),
            Value::of(part.as_ref().map(|(_, place)| place.change)),
            Value::of(part.as_ref().map(|(_, place)| place.key)),
        ];
        use pg_sys::{INT8OID, TEXTOID};
        let types = [INT8OID, TEXTOID, TEXTOID, TEXTOID, INT8OID, INT8OID];
        run_internal(|| {
            spi::session(|| {
                ADD.with(|add| add.get(|| statement!("acknowledgement_add"), &types))
                    .run(Access::Current, &args, 0);
            })
        });
    }
}

/// What tokens of this database are recognized by, until a promotion or a recovery.
pub fn server() -> String {
    let (system, timeline) = (cluster::system_identifier(), cluster::timeline());
    format!("{system:x}-{timeline}-{}", process::database().to_u32())
}

/// The name in a message.
pub fn shown(name: &str) -> String {
    format!("\"{name}\"")
}

fn unknown(name: &str) -> Problem {
    Problem::new(
        PgSqlErrorCode::ERRCODE_UNDEFINED_OBJECT,
        format!("consumer {} does not exist", shown(name)),
    )
    .hint("Run SELECT consumer FROM pg_tview_consumer; to list the consumers, or SELECT pg_tviews_subscribe(...); to add one.")
}
