//! State and position of a TVIEW under the snapshot of a refresh.

use pgrx::pg_sys::{self, Oid};

use super::left_out::kept_problem::KeptProblem;
use super::plan::Plan;
use crate::catalog::groups::Membership;
use crate::catalog::session_statement::SessionStatement;
use crate::catalog::state::State;
use crate::postgres::run_as::{planned_once, run_internal};
use crate::postgres::spi::{Access, Value};
use crate::queue::position::Position;
use crate::statement;

/// Where a comparison writes, if not to the tv table.
#[derive(Debug, Clone, Copy)]
pub struct Stage {
    pub table: Oid,
    /// The run of the server that has filled it.
    pub server_run: Option<i64>,
}

/// A TVIEW as the snapshot of a refresh shows it.
pub struct Now {
    pub state: State,
    pub hash: String,
    pub snapshot: Position,
    pub position: Option<Position>,
    pub has_dead_keys: bool,
    /// The rows without a place in the table that the newest refresh reported.
    pub left_out: Option<KeptProblem>,
    pub membership: Option<Membership>,
    /// A comparison of all rows is in progress; whether it is a population.
    pub comparing: Option<bool>,
    /// Where that comparison writes, if not to the tv table.
    pub stage: Option<Stage>,
}

thread_local! {
    static STATE: SessionStatement = const { SessionStatement::new() };
}

/// State and position of a TVIEW in the current snapshot; None if it was dropped.
pub fn now(tview: Oid) -> Option<Now> {
    let args = [Value::of(tview)];
    run_internal(|| {
        planned_once();
        let read = STATE.with(|s| s.get(|| statement!("refresh_state"), &[pg_sys::OIDOID]));
        let rows = read.run(Access::Snapshot, &args, 1);
        if rows.is_empty() {
            return None;
        }
        Some(Now {
            state: State::from_name(&rows.get::<String>(0, 0)?)?,
            hash: rows.get(0, 1)?,
            snapshot: rows.get::<String>(0, 2)?.parse().ok()?,
            position: rows.get::<String>(0, 3).and_then(|text| text.parse().ok()),
            has_dead_keys: rows.get(0, 4)?,
            comparing: rows.get(0, 5),
            stage: rows.get(0, 9).map(|table| Stage {
                table,
                server_run: rows.get(0, 10),
            }),
            left_out: rows
                .get::<String>(0, 6)
                .and_then(|text| KeptProblem::from_json(&serde_json::from_str(&text).ok()?)),
            membership: rows
                .get(0, 7)
                .zip(rows.get(0, 8))
                .map(|(group, members)| Membership { group, members }),
        })
    })
}

/// The TVIEW, unless another process has refreshed or redefined it since its position was `before`.
pub fn unmoved(plan: &Plan, before: Option<&Position>) -> Option<Now> {
    now(plan.definition.tview).filter(|now| {
        now.state.may_refresh()
            && now.position.as_ref() == before
            && now.hash == plan.hash
            && now.stage.map(|stage| stage.table) == plan.stage
    })
}
