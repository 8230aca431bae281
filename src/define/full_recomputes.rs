//! Sources of which any change recomputes the whole TVIEW: accepted, reported or refused.

use pgrx::PgSqlErrorCode;

use crate::error::Problem;
use crate::lineage::{rewrite, Source, Strategy};
use crate::postgres::{quote, relation, role};
use crate::refresh::plan::Plan;
use crate::settings::AllowFull;

/// A source whose changes are not mapped to keys, and why.
struct Full {
    source: String,
    reason: String,
    rewrite: Option<&'static str>,
}

/// An error if such sources are not allowed.
pub fn check(plan: &Plan, allowed: AllowFull) -> Result<(), Problem> {
    let found = find(plan);
    let Some(first) = found.first().filter(|_| allowed == AllowFull::Off) else {
        return Ok(());
    };
    let tview = plan.definition.display();
    let reasons: Vec<String> = found
        .iter()
        .map(|full| format!("{}: {}.", full.source, full.reason))
        .collect();
    let allow = "SET pg_tviews.allow_full = notice;";
    Err(Problem::new(
        PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
        format!("any change of {} would recompute all of {tview}", first.source),
    )
    .detail(reasons.join("\n"))
    .hint(match first.rewrite {
        Some(rewrite) => format!("{rewrite} Or accept the cost: {allow}"),
        None => format!(
            "Accept the cost: {allow} To see how other sources are followed, run SELECT * FROM pg_tviews_explain({});",
            quote::literal("SELECT ...")
        ),
    }))
}

/// A NOTICE for each of these sources, with the reason.
pub fn report(plan: &Plan, allowed: AllowFull) {
    if allowed == AllowFull::On {
        return;
    }
    for full in find(plan) {
        Problem::for_notice(format!(
            "any change of {} recomputes all of {}",
            full.source,
            plan.definition.display()
        ))
        .detail(format!("Reason: {}.", full.reason))
        .notice();
    }
}

fn find(plan: &Plan) -> Vec<Full> {
    let of = |source: &Source| -> Vec<Full> {
        let reasons = reasons(plan, source).into_iter();
        let full = |reason: String| Full {
            source: relation::display(source.relation),
            rewrite: rewrite::instead_of(&reason),
            reason,
        };
        reasons.map(full).collect()
    };
    plan.lineage.sources.iter().flat_map(of).collect()
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
