//! A dry run: the keys that changes of some source rows would refresh.

use pgrx::pg_sys::Oid;
use pgrx::PgSqlErrorCode;

use super::source_rows::{self, Condition};
use crate::catalog::{columns, definition};
use crate::error::{Caught, Problem};
use crate::lineage::Source;
use crate::postgres::collected::Collected;
use crate::postgres::key_type::KeyType;
use crate::postgres::permit::Permit;
use crate::postgres::run_as::{run_internal, run_restricted, settings_here};
use crate::postgres::spi::{self, Value};
use crate::postgres::sql_types::Document;
use crate::postgres::{inheritance, privileges, relation, role, transaction};
use crate::refresh::affected_keys::{self, Affected};
use crate::refresh::plan::key::key_of;
use crate::refresh::plan::{self, key_code, Plan};
use crate::refresh::planner_settings::few_rows;

/// Keys of the TVIEW that changes of some rows of the table `named` affect. `rows`: which rows; they are read
/// as they are now.
///
/// The rows are read with the rights of the caller, under row security; with those of the TVIEW's owner, if
/// the caller has them all. The key query runs as the owner, as in a refresh. The caller must therefore have
/// the right to read every table in it.
pub fn affected(name: &str, named: Oid, rows: Document) -> Result<Collected<1>, Problem> {
    let definition = definition::find(name)?;
    let plan = match plan::kept(definition.tview) {
        Some(plan) => plan,
        None => run_internal(|| plan::prepare(definition))?,
    };
    let sources = sources(&plan, named)?;
    let reader = reader(&plan, &sources)?;
    let rows = source_rows::read(named, &rows)?;
    let runs_code = sources.iter().any(|source| runs_code(source.relation));
    let read = |source: &Source| source_rows::conditions(named, source.relation, &rows);
    let read = || {
        sources
            .into_iter()
            .map(|source| Ok((source, read(source)?)))
            .collect()
    };
    let read = || {
        if runs_code {
            run_restricted(reader, &settings_here(), read)
        } else {
            read()
        }
    };
    let read: Result<Result<_, Problem>, Caught> = transaction::attempt(read);
    let conditions: Vec<(&Source, Vec<Condition>)> =
        read.map_err(|caught| source_rows::not_a_value(named, caught))??;
    Ok(spi::session(|| {
        let everything = |what: String| {
            pgrx::notice!("{what} recomputes all of {}", plan.definition.display());
            plan.as_reader(reader, || every_key(&plan))
        };
        let mut pending = Vec::new();
        for (source, conditions) in &conditions {
            if !matches!(plan.sources.get(&source.relation), Some(Some(_))) {
                return everything(format!("any change of {}", relation::display(source.relation)));
            }
            let find = || source_rows::find(source, conditions);
            pending.extend(plan.as_reader(reader, find));
        }
        let wanted = plan.as_owner(|| {
            match affected_keys::of(&plan, &pending) {
                Affected::Keys(keys) => {
                    few_rows(false);
                    let mut found = Collected::default();
                    for batch in keys.batches(usize::MAX) {
                        let statement = plan.shape.keys_in_order();
                        list(&plan, &statement, &batch.typed(&plan), &mut found);
                    }
                    Some(found)
                }
                // Too many keys, or an expression of a key query fails for one of the rows.
                Affected::Everything => None,
            }
        });
        wanted.unwrap_or_else(|| everything("a change of these rows".to_string()))
    }))
}

/// The sources of the TVIEW that hold rows of the table `named`: that table, the partitioned table it belongs
/// to, its partitions, and the tables that inherit from it.
fn sources(plan: &Plan, named: Oid) -> Result<Vec<&Source>, Problem> {
    let mut related = vec![named];
    related.extend(inheritance::above(named));
    related.extend(inheritance::below(named));
    related.extend(inheritance::children(named));
    let sources = plan.lineage.sources.iter();
    let found: Vec<&Source> = sources
        .filter(|source| related.contains(&source.relation))
        .collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let all: Vec<String> = plan.source_oids().into_iter().map(relation::display).collect();
    Err(Problem::new(
        PgSqlErrorCode::ERRCODE_WRONG_OBJECT_TYPE,
        format!(
            "{} is not a source of {}",
            relation::display(named),
            plan.definition.display()
        ),
    )
    .hint(format!("Its sources are {}.", all.join(", "))))
}

/// Whether reading values of its columns runs code of users.
fn runs_code(table: Oid) -> bool {
    let columns = columns::of(table);
    let types: Vec<KeyType> = columns
        .iter()
        .map(|column| KeyType::of(column.type_oid, column.modifier))
        .collect();
    key_code::runs(types.iter())
}

/// The role that reads source rows: the owner, if the caller has the owner's rights, else the caller. The
/// caller needs SELECT on the tv table, the source, and the tables that key queries join.
fn reader(plan: &Plan, sources: &[&Source]) -> Result<Permit, Problem> {
    let owner = plan.permit().map_err(|refusal| refusal.problem(plan))?;
    let caller = role::current_role();
    if role::has_rights_of(caller, plan.definition.owner) {
        return Ok(owner);
    }
    let between = sources.iter().flat_map(|source| source.followed.iter().copied());
    let unreadable = std::iter::once(plan.definition.tview)
        .chain(sources.iter().map(|source| source.relation))
        .chain(between)
        .find(|table| !privileges::may_select(caller, *table));
    match unreadable {
        None => Ok(Permit::of_caller()),
        Some(table) => Err(Problem::new(
            PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            format!("permission denied for table {}", relation::display(table)),
        )
        .detail(
            "Who does not own the TVIEW must be able to read its table, the source and the tables between.",
        )
        .hint(format!(
            "Run GRANT SELECT ON {} TO {}; as the owner of the table.",
            relation::display(table),
            role::name(caller)
        ))),
    }
}

fn every_key(plan: &Plan) -> Collected<1> {
    let mut found = Collected::default();
    list(plan, &plan.shape.table_keys_in_order(), &[], &mut found);
    found
}

/// Adds the keys that a statement returns, as JSON objects.
fn list(plan: &Plan, statement: &str, args: &[(Oid, Value)], found: &mut Collected<1>) {
    spi::stream_once(statement, args, |rows| {
        for key in (0..rows.len()).filter_map(|row| key_of(&plan.shape, rows, row)) {
            found.push([Some(&plan.key_object(&key))]);
        }
        true
    });
}
