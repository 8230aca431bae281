//! What a call of `pg_tviews_create` does to a TVIEW. A call that changes nothing writes nothing, so that a deployment
//! can repeat it.

use super::notice::Notice;
use super::view::Defined;
use super::{capture_triggers, write_guard};
use crate::catalog::definition::Definition;
use crate::catalog::state::State;
use crate::postgres::row_settings;
use crate::postgres::run_as::run_internal;
use crate::refresh::plan::fingerprint::Difference;
use crate::refresh::plan::Plan;

/// What a call does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// There was no TVIEW.
    Created,
    /// Nothing is written.
    Unchanged,
    /// A property changes that no row depends on.
    Altered,
    /// All rows are compared with the view.
    Redefined,
}

impl Effect {
    /// As NOTICE and audit name it.
    pub fn name(self) -> &'static str {
        match self {
            Effect::Created => "created",
            Effect::Unchanged => "unchanged",
            Effect::Altered => "altered",
            Effect::Redefined => "redefined",
        }
    }

    pub fn notice(self, definition: &Definition) -> Notice {
        Notice::new(format!("TVIEW {}: {}", definition.display(), self.name()))
    }
}

/// What a call does that has found a view, and has brought the columns of the table in step. `reported`: whether
/// something was done to view or table that is reported.
pub fn of(plan: &Plan, before: Option<&Definition>, defined: &Defined, reported: bool) -> Effect {
    let Some(before) = before else {
        return Effect::Created;
    };
    if reported || defined.created || defined.replaced.is_some() || !is_in_step(plan, before) {
        return Effect::Redefined;
    }
    if plan.definition.max_latency == before.max_latency {
        Effect::Unchanged
    } else {
        Effect::Altered
    }
}

/// Whether rows, triggers and the table's guard are as the plan needs them. A TVIEW that is suspended is registered
/// again: that reports why its view does not work.
fn is_in_step(plan: &Plan, before: &Definition) -> bool {
    let now = &plan.definition;
    before.state != State::Suspended
        && plan.difference == Difference::None
        && now.key_columns == before.key_columns
        && row_settings::effective(&now.pinned) == row_settings::effective(&before.pinned)
        && run_internal(|| {
            capture_triggers::complete(&plan.lineage) && !write_guard::needs_install(now.tview, &plan.shape)
        })
}
