//! Builds the plan of a TVIEW.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use pgrx::pg_sys::{self, Oid};
use pgrx::PgSqlErrorCode;

use super::fingerprint::Fingerprint;
use super::partition_locks::Locks;
use super::reachable_code::Reachable;
use super::running;
use super::shape::{shape, Shape};
use super::source_plan::{requested, source_plan};
use super::sql::Reach;
use super::unmatched::Unmatched;
use super::Plan;
use crate::catalog::definition::Definition;
use crate::catalog::rights;
use crate::error::Problem;
use crate::lineage::{self, declared, policies, Lineage, Source};
use crate::postgres::named::Named;
use crate::postgres::privileges;
use crate::postgres::query_tree::Select;
use crate::postgres::relation;
use crate::postgres::relation_changes;
use crate::postgres::spi::Statement;
use crate::refresh::running::statements;

pub fn build(definition: Definition, view: Oid) -> Result<Plan, Problem> {
    rights::check_view(&definition.display(), definition.owner, view)?;
    let shape = shape(&definition, view)?;
    assemble(definition, view, shape)
}

/// The plan with another view, or another table, whose columns are the same: `other` takes part in it.
pub fn with_shape(plan: &Plan, shape: Shape, other: Oid) -> Result<Plan, Problem> {
    let mut definition = plan.definition.clone();
    definition.stamp = relation_changes::stamp();
    let view = plan.lineage.root_view.unwrap_or(definition.seen_view);
    let mut built = assemble(definition, view, shape)?;
    built.hash.clone_from(&plan.hash);
    built.named = Rc::new(named(&built.definition, &built.lineage, Some(other)));
    Ok(built)
}

fn assemble(definition: Definition, view: Oid, shape: Shape) -> Result<Plan, Problem> {
    if privileges::hides_rows_from(definition.tview, definition.owner) {
        let table = definition.display();
        return Err(Problem::new(
            PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            format!("row security of {table} hides rows from its owner"),
        )
        .detail("Refreshes write the table as its owner.")
        .hint(format!("Run ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY;")));
    }
    let mut lineage = lineage::analyse(Select::of_view(view), &definition.key_columns)?;
    lineage.root_view = Some(view);
    declared::extend(&definition, view, &mut lineage)?;
    let readers = readers(&definition, &lineage);
    policies::extend(&mut lineage, &readers);
    let unmatched = Unmatched::of(&definition, view, &lineage, &shape, &readers)?;
    let levels = running::levels(&definition, &shape, &lineage);
    running::extend(&mut lineage, &levels);
    let mut sources = HashMap::new();
    for source in &lineage.sources {
        sources.insert(source.relation, source_plan(&definition, &shape, source));
    }
    let arrays: Vec<Oid> = shape.key.iter().map(|k| k.values.parameter_type()).collect();
    let first_revision = || shape.revision.iter().map(|_| pg_sys::INT8OID);
    let of_each: Vec<Oid> = arrays.iter().copied().chain(first_revision()).collect();
    let of_everything: Vec<Oid> = first_revision().collect();
    let partitioned = lineage
        .sources
        .iter()
        .flat_map(|source| source.partitions.iter().copied())
        .filter(|partition| relation::kind(*partition) == Some('p'))
        .collect();
    let fingerprint = Fingerprint::of(&definition, &shape, &lineage, view);
    let named = named(&definition, &lineage, None);
    Ok(Plan {
        each_key: Statement::new(shape.recompute(Reach::EachKey), &of_each),
        // The text differs: this one is planned in another way.
        each_key_running: Statement::new(shape.recompute(Reach::EachKey) + " -- running", &of_each),
        running: levels,
        stored: statements::Kept::default(),
        lock_rows: Statement::new(shape.lock_rows(), &arrays),
        all_keys: shape.recompute(Reach::AllKeys),
        everything: Statement::new(shape.recompute(Reach::Everything), &of_everything),
        unmatched,
        requested: requested(&shape),
        fires_triggers: relation::has_user_triggers(definition.tview),
        sources,
        shape,
        lineage,
        hash: fingerprint.to_string(),
        difference: fingerprint.compare(&definition.hash),
        definition,
        partitioned,
        costs: OnceCell::new(),
        rows: Cell::new(None),
        reachable: Reachable::default(),
        named: Rc::new(named),
        depends_on_settings: OnceCell::new(),
        takes_many_locks: Cell::new(false),
        in_step: Cell::new(false),
        locks: Locks::default(),
        stage: None,
        staged: RefCell::default(),
    })
}

/// The objects that statements made from the view may find by name.
fn named(definition: &Definition, lineage: &Lineage, other: Option<Oid>) -> Named {
    let views = lineage.views.iter().copied().chain(lineage.root_view);
    let relations = views
        .clone()
        .chain([definition.tview])
        .chain(other)
        .chain(lineage.sources.iter().flat_map(Source::tables));
    Named::new(definition.owner, views.map(Select::of_view), relations)
}

/// The roles with whose rights the tables below the view are read.
pub fn readers(definition: &Definition, lineage: &Lineage) -> Vec<Oid> {
    let views = lineage.views.iter().copied().chain(lineage.root_view);
    let mut readers: Vec<Oid> = views
        .filter_map(relation::owner)
        .chain([definition.owner])
        .collect();
    readers.sort_by_key(|reader| reader.to_u32());
    readers.dedup();
    readers
}
