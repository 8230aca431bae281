//! Comparing a tv table with its view, right now.

use pgrx::{JsonB, PgSqlErrorCode};

use super::plan;
use crate::catalog::definition;
use crate::error::Problem;
use crate::postgres::identity::{self, run_as, run_internal, Trust};
use crate::postgres::relation;
use crate::postgres::spi::{self, Access};
use crate::postgres::transaction::with_latest_snapshot;

/// Rows that differ: key, and `missing`, `extra` or `different`.
pub fn differences(name: &str) -> Result<Vec<(JsonB, String)>, Problem> {
    let definition = definition::find(name)?;
    let caller = identity::current_role();
    if !identity::has_rights_of(caller, definition.owner) && !relation::may_select(caller, definition.tview) {
        return Err(Problem::new(
            PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            format!("permission denied for table {}", definition.display()),
        )
        .hint(format!(
            "GRANT SELECT ON {} TO {};",
            definition.display(),
            relation::role_name(caller)
        )));
    }
    let plan = match plan::kept(definition.tview) {
        Some(plan) => plan,
        None => run_internal(|| plan::prepare(definition))?,
    };
    Ok(with_latest_snapshot(|| {
        run_as(
            plan.definition.owner,
            Trust::Restricted,
            &plan.definition.pinned,
            || {
                spi::session(|| {
                    let rows = spi::run(&plan.shape.check(), Access::Snapshot, &[]);
                    (0..rows.len())
                        .filter_map(|row| Some((rows.get(row, 0)?, rows.get(row, 1)?)))
                        .collect()
                })
            },
        )
    }))
}
