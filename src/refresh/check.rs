//! Comparing a tv table with its view, right now.

use pgrx::PgSqlErrorCode;

use super::keys::key_values;
use super::plan;
use super::texts::Reach;
use crate::catalog::definition::{self, Definition};
use crate::error::Problem;
use crate::postgres::collected::Collected;
use crate::postgres::identity::{self, run_internal};
use crate::postgres::relation;
use crate::postgres::spi;
use crate::postgres::transaction::with_latest_snapshot;

/// Whoever may read the table, or owns it, may know how it stands.
pub fn check_reader(definition: &Definition) -> Result<(), Problem> {
    let caller = identity::current_role();
    if identity::has_rights_of(caller, definition.owner) || relation::may_select(caller, definition.tview) {
        return Ok(());
    }
    Err(Problem::new(
        PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
        format!("permission denied for table {}", definition.display()),
    )
    .hint(format!(
        "GRANT SELECT ON {} TO {};",
        definition.display(),
        relation::role_name(caller)
    )))
}

/// Messages of errors hold values of rows that those who read the table may not see.
pub fn may_see_errors(definition: &Definition) -> bool {
    let caller = identity::current_role();
    identity::has_rights_of(caller, definition.owner)
        || identity::has_rights_of(caller, identity::monitoring_role())
}

/// Rows that differ: key as a JSON object, and `missing`, `extra` or `different`.
pub fn differences(name: &str) -> Result<Collected<2>, Problem> {
    let definition = definition::find(name)?;
    check_reader(&definition)?;
    let plan = match plan::kept(definition.tview) {
        Some(plan) => plan,
        None => run_internal(|| plan::prepare(definition))?,
    };
    Ok(with_latest_snapshot(|| {
        plan.as_owner(|| {
            spi::session(|| {
                let mut found = Collected::default();
                spi::stream_once(&plan.shape.check(Reach::Everything), &[], |rows| {
                    for row in 0..rows.len() {
                        let key = key_values(&plan, rows, row, 1);
                        let texts: Vec<Option<&str>> = key.iter().map(Option::as_deref).collect();
                        let problem = rows.get::<String>(row, 0);
                        found.push([Some(&plan.key_object_of(&texts)), problem.as_deref()]);
                    }
                    true
                });
                found
            })
        })
    }))
}
