//! `pg_tviews_lint`: what in the definitions of TVIEWs will be slow, late, or not followed.

mod rules;

use pgrx::pg_sys::Oid;
use pgrx::PgSqlErrorCode;

use crate::catalog::definition::{self, Definition};
use crate::catalog::{name, version};
use crate::error::Problem;
use crate::postgres::role;
use crate::postgres::run_as::run_internal;
use crate::refresh::plan;

/// One thing that a rule has found.
pub struct Finding {
    pub tview: Oid,
    pub rule: &'static str,
    pub severity: &'static str,
    /// The source that it is about; None: the TVIEW as a whole.
    pub source: Option<Oid>,
    pub message: String,
    pub hint: Option<String>,
}

/// What is found in the TVIEWs of a schema, or of all schemas, by name. Those of which the caller has the rights of the
/// owner, or all for members of pg_monitor: each is planned, which locks what it reads.
pub fn lint(schema: Option<&str>) -> Result<Vec<Finding>, Problem> {
    version::check()?;
    if let Some(schema) = schema.filter(|schema| !run_internal(|| name::schema_exists(schema))) {
        return Err(name::unknown_schema(schema));
    }
    let caller = role::current_role();
    let may_see =
        |owner| role::has_rights_of(caller, owner) || role::has_rights_of(caller, role::monitoring_role());
    let mut definitions = run_internal(definition::load_all);
    definitions.retain(|definition| may_see(definition.owner));
    definitions.retain(|definition| schema.is_none_or(|schema| definition.view_schema == schema));
    definitions.sort_by(|a, b| (&a.view_schema, &a.entity_name).cmp(&(&b.view_schema, &b.entity_name)));
    Ok(definitions.iter().flat_map(of_tview).collect())
}

fn of_tview(definition: &Definition) -> Vec<Finding> {
    let mut found = Vec::new();
    let kept = plan::kept(definition.tview);
    let plan = kept.map_or_else(|| run_internal(|| plan::prepare(definition.clone())), Ok);
    match plan {
        Ok(plan) => {
            rules::explained(definition, &mut found);
            rules::unseen_inputs(&plan, &mut found);
            rules::fan_out(&plan, &mut found);
        }
        Err(problem) if problem.code == PgSqlErrorCode::ERRCODE_QUERY_CANCELED => problem.raise(),
        Err(problem) => found.push(rules::broken(definition, problem)),
    }
    found.extend(rules::no_bound(definition));
    found
}
