//! The NOTICE about sources of which any change recomputes the whole TVIEW.

use crate::error::Problem;
use crate::lineage::{Source, Strategy};
use crate::postgres::{relation, role};
use crate::refresh::plan::Plan;

/// Reports the sources whose changes are not mapped to keys, each with the reasons.
pub fn report(plan: &Plan) {
    for source in &plan.lineage.sources {
        for reason in reasons(plan, source) {
            Problem::for_notice(format!(
                "any change of {} recomputes all of {}",
                relation::display(source.relation),
                plan.definition.display()
            ))
            .detail(format!("Reason: {reason}."))
            .notice();
        }
    }
}

fn reasons(plan: &Plan, source: &Source) -> Vec<String> {
    let mut reasons = Vec::new();
    for occurrence in &source.occurrences {
        if let Strategy::Full { reason } = &occurrence.strategy {
            reasons.push(format!("{reason} ({})", occurrence.label));
        }
    }
    let owner = plan.definition.owner;
    if let Some(table) = source.unreadable_by(owner).filter(|_| reasons.is_empty()) {
        reasons.push(format!(
            "the owner {} may not read {}, which its key query reads",
            role::name(owner),
            relation::display(table)
        ));
    }
    reasons
}
