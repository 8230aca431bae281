//! The rules, one function each.

use pgrx::pg_sys::{self, Oid};

use super::Finding;
use crate::catalog::definition::Definition;
use crate::define::untracked_inputs;
use crate::error::Problem;
use crate::explain::{explain, Row};
use crate::lineage::rewrite;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::{quote, relation};
use crate::refresh::plan::Plan;
use crate::{settings, statement};

const ERROR: &str = "error";
const WARNING: &str = "warning";
const INFO: &str = "info";

/// More rows of a TVIEW for one row of a source are more than a refresh takes in one batch by default.
const MANY_ROWS: f64 = 10_000.0;

/// `broken`: the view cannot be read.
pub fn broken(definition: &Definition, problem: Problem) -> Finding {
    Finding {
        tview: definition.tview,
        rule: "broken",
        severity: ERROR,
        source: None,
        message: problem.message,
        hint: problem.hint,
    }
}

/// `full_comparison` and `missing_index`: what [`explain`] reports of each source.
pub fn explained(definition: &Definition, found: &mut Vec<Finding>) {
    match explain(&definition.display(), None) {
        Ok(rows) => {
            for row in rows {
                found.extend(full_comparison(definition, &row));
                found.extend(missing_index(definition, row));
            }
        }
        Err(problem) => found.push(broken(definition, problem)),
    }
}

fn full_comparison(definition: &Definition, row: &Row) -> Option<Finding> {
    let reason = row.reason.as_ref()?;
    Some(Finding {
        tview: definition.tview,
        rule: "full_comparison",
        severity: WARNING,
        source: Some(row.source),
        message: format!(
            "any change of {} recomputes all of {}: {reason}",
            relation::display(row.source),
            definition.display()
        ),
        hint: rewrite::instead_of(reason).map(str::to_string),
    })
}

fn missing_index(definition: &Definition, row: Row) -> Option<Finding> {
    let advice = row.advice?;
    let source = relation::display(row.source);
    let (rule, severity, message) = if advice.starts_with("CREATE ") {
        let message = format!("a change of {source} reads whole tables, because an index is missing");
        ("missing_index", WARNING, message)
    } else if advice.starts_with("Not checked") {
        let message = format!("which indexes changes of {source} need is not known");
        ("not_checked", INFO, message)
    } else {
        let message = format!("a change of {source} reads whole tables, or large parts of them");
        ("whole_table", WARNING, message)
    };
    Some(Finding {
        tview: definition.tview,
        rule,
        severity,
        source: Some(row.source),
        message,
        hint: Some(advice),
    })
}

/// `unseen_input`: values that can change without a change of a source.
pub fn unseen_inputs(plan: &Plan, found: &mut Vec<Finding>) {
    let finding = |problem: Problem| Finding {
        tview: plan.definition.tview,
        rule: "unseen_input",
        severity: WARNING,
        source: None,
        message: problem.message,
        hint: problem.hint,
    };
    found.extend(untracked_inputs::problems(plan).into_iter().map(finding));
}

/// `fan_out`: a change of one row of a source affects very many rows of the TVIEW.
pub fn fan_out(plan: &Plan, found: &mut Vec<Finding>) {
    let tview = plan.definition.tview;
    let per_row = run_internal(|| {
        spi::session(|| {
            let args = [
                (pg_sys::OIDOID, Value::of(tview)),
                (pg_sys::OIDARRAYOID, Value::of(plan.source_oids())),
            ];
            let rows = spi::run(&statement!("lint_fan_out"), Access::Current, &args);
            let pair = |row| rows.get::<Oid>(row, 0).zip(rows.get::<f64>(row, 1));
            (0..rows.len()).filter_map(pair).collect::<Vec<_>>()
        })
    });
    for (source, rows) in per_row.into_iter().filter(|(_, rows)| *rows > MANY_ROWS) {
        let source_name = relation::display(source);
        found.push(Finding {
            tview,
            rule: "fan_out",
            severity: WARNING,
            source: Some(source),
            message: format!("a change of one row of {source_name} affects about {rows:.0} rows"),
            hint: Some(format!(
                "Leave columns of {source_name} that change often to the queries that read the TVIEW: join {source_name} there."
            )),
        });
    }
}

/// `no_bound`: no bound of its own.
pub fn no_bound(definition: &Definition) -> Option<Finding> {
    let name = definition.display();
    definition.max_latency.is_none().then(|| Finding {
        tview: definition.tview,
        rule: "no_bound",
        severity: INFO,
        source: None,
        message: format!(
            "{name} has no bound of its own: pg_tviews.max_latency, {} ms, applies",
            settings::max_latency().as_millis()
        ),
        hint: Some(format!(
            "Run UPDATE pg_tview_meta SET max_latency = '250 ms' WHERE tview_oid = {}::regclass;",
            quote::literal(&name)
        )),
    })
}
