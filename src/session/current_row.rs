//! Whether the row of one key in the tv table is what the view returns for it.

use super::named_key::key_texts;
use super::plan_now::{do_not_wait_for_locks, plan_now};
use crate::catalog::definition::Definition;
use crate::postgres::hooks::planner::reshaping;
use crate::postgres::spi::{self, Access};
use crate::postgres::transaction;
use crate::refresh::batch::Batch;
use crate::refresh::plan::sql::Reach;
use crate::refresh::plan::Plan;
use crate::refresh::planner_settings::few_rows;
use crate::refresh::pushdown::push_down;

/// Compares the row in the active snapshot. `object`: the key as a JSON object. False also where the row
/// cannot be computed quickly.
pub fn is_current(definition: &Definition, object: &str) -> bool {
    let compared = transaction::probe(|| {
        let plan = plan_now(definition).filter(|plan| plan.permit().is_ok())?;
        // Computing one row would take as long as computing all.
        if plan.sources.values().any(Option::is_none) {
            return None;
        }
        Some(spi::session(|| {
            plan.as_owner(|| {
                do_not_wait_for_locks();
                is_same(&plan, object)
            })
        }))
    });
    matches!(compared, Ok(Some(true)))
}

fn is_same(plan: &Plan, object: &str) -> bool {
    let keys = key_texts(plan, &[object.to_string()]);
    let typed = Batch::from(&keys[..]).typed(plan);
    let statement = plan.shape.check(Reach::EachKey);
    few_rows(true);
    reshaping(&statement, push_down, || {
        spi::run(&statement, Access::Snapshot, &typed).is_empty()
    })
}
