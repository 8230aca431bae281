//! What of the code behind a TVIEW the session it runs in could be prepared for: names that are looked up while it runs, and
//! values that are asked from the session. Code that names all it uses by OID is out of reach.

use std::cell::RefCell;

use pgrx::pg_sys::{self, Oid};
use pgrx::PgSqlErrorCode;

use super::plan::Plan;
use crate::error::Problem;
use crate::postgres::identity::run_internal;
use crate::postgres::permit::Refusal;
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::transaction::with_latest_snapshot;
use crate::postgres::{invalidation, relation, relation_changes};
use crate::statement;

/// What was found, until something that was gone through changes.
#[derive(Default)]
pub struct Reachable(RefCell<Option<Found>>);

struct Found {
    what: Option<String>,
    relations: Vec<Oid>,
    /// When it was looked for.
    relations_at: u64,
    code_at: u64,
}

impl Reachable {
    /// What could be reached, as a sentence without its end; None if nothing.
    pub fn get(&self, plan: &Plan) -> Option<String> {
        let mut found = self.0.borrow_mut();
        match found.as_ref().filter(|found| found.is_current()) {
            Some(found) => found.what.clone(),
            None => found.insert(Found::look(plan)).what.clone(),
        }
    }
}

impl Found {
    fn look(plan: &Plan) -> Found {
        let relations_at = relation_changes::stamp();
        let code_at = invalidation::code();
        let view = plan.lineage.root_view.unwrap_or(Oid::INVALID);
        let args = [
            (pg_sys::OIDOID, Value::of(view)),
            (pg_sys::OIDOID, Value::of(plan.definition.tview)),
        ];
        let (relations, domains, functions, what) = run_internal(|| {
            with_latest_snapshot(|| {
                spi::session(|| {
                    let rows = spi::run(&statement!("reachable_code"), Access::Snapshot, &args);
                    let list = |column| rows.get::<Vec<Oid>>(0, column).unwrap_or_default();
                    (list(0), list(1), list(2), rows.get(0, 3))
                })
            })
        });
        invalidation::watch_code(&domains, &functions);
        Found {
            what,
            relations,
            relations_at,
            code_at,
        }
    }

    fn is_current(&self) -> bool {
        self.code_at == invalidation::code()
            && relation_changes::unchanged_since(self.relations_at, |changed| {
                self.relations.contains(&changed)
            })
    }
}

impl Refusal {
    /// Why the code of a TVIEW's owner must not run here.
    pub fn reason(&self, plan: &Plan) -> String {
        let owner = relation::role_name(plan.definition.owner);
        let reason = match self {
            Refusal::TemporaryObjects => "the session has had temporary objects".to_string(),
            Refusal::Reachable(what) => format!("what the session has done could reach it, as {what}"),
            Refusal::After(other, what) => format!(
                "code of {} has run in it before and could reach it, as {what}",
                relation::role_name(*other)
            ),
        };
        format!("code of {owner}, its owner, does not run in this session: {reason}")
    }

    /// Raises that the code of a TVIEW's owner must not run here.
    pub fn raise(self, plan: &Plan) -> ! {
        self.problem(plan).raise()
    }

    /// "Must be owner".
    pub fn problem(&self, plan: &Plan) -> Problem {
        let definition = &plan.definition;
        Problem::new(
            PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            format!("must be owner of table {}", definition.display()),
        )
        .detail(format!("C{}.", &self.reason(plan)[1..]))
        .hint(match self {
            Refusal::After(..) => "Call it in another session, or leave it to the workers.".to_string(),
            _ => format!("Call it as {}.", relation::role_name(definition.owner)),
        })
    }
}
