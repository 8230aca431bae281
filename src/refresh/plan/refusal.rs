//! The message that code of the owner of a TVIEW must not run in a session.

use pgrx::PgSqlErrorCode;

use super::Plan;
use crate::error::Problem;
use crate::postgres::permit::Refusal;
use crate::postgres::role;

impl Refusal {
    /// Why code of the owner must not run in this session.
    pub fn reason(&self, plan: &Plan) -> String {
        let owner = role::name(plan.definition.owner);
        let reason = match self {
            Refusal::TemporaryObjects => "the session has had temporary objects".to_string(),
            Refusal::Reachable(what) => format!("what the session has done could reach it, as {what}"),
            Refusal::After(other, what) => format!(
                "code of {} has run in it before and could reach it, as {what}",
                role::name(*other)
            ),
        };
        format!("code of {owner}, its owner, does not run in this session: {reason}")
    }

    /// Raises that code of the owner must not run in this session.
    pub fn raise(self, plan: &Plan) -> ! {
        self.problem(plan).raise()
    }

    /// The problem, with the reason as its detail.
    pub fn problem(&self, plan: &Plan) -> Problem {
        let definition = &plan.definition;
        Problem::new(
            PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            format!("must be owner of table {}", definition.display()),
        )
        .detail(format!("C{}.", &self.reason(plan)[1..]))
        .hint(match self {
            Refusal::After(..) => "Call it in another session, or leave it to the workers.".to_string(),
            _ => format!("Run the command as {}.", role::name(definition.owner)),
        })
    }
}
