//! What auto-conversion would do with each entity of a schema, and why.

use pgrx::pg_sys::{self, Oid};

use super::materialized_views::{self, MaterializedView};
use crate::catalog::entity::Entity;
use crate::catalog::key_choice::{conventional, pick_key};
use crate::catalog::{columns, definition, name};
use crate::error::{OrRaise, Problem};
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::{quote, relation};
use crate::statement;

/// What would be done with one entity.
pub struct Step {
    pub entity: String,
    pub base_table: Option<String>,
    pub backing_view: String,
    pub key_columns: Option<Vec<String>>,
    pub action: Action,
    pub reason: String,
    /// The materialized view that the TVIEW would be made from.
    pub materialized: Option<MaterializedView>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Convert,
    Registered,
    Skip,
}

impl Action {
    pub fn name(self) -> &'static str {
        match self {
            Action::Convert => "convert",
            Action::Registered => "registered",
            Action::Skip => "skip",
        }
    }
}

/// The steps of a conversion of the schema; changes nothing.
pub fn plan(schema: &str) -> Vec<Step> {
    check_schema(schema).or_raise();
    let registered: Vec<Oid> = run_internal(|| {
        definition::load_all()
            .into_iter()
            .map(|definition| definition.tview)
            .collect()
    });
    let entities = spi::session(|| entities(schema));
    let materialized = materialized_views::all(schema);
    // A tv table that exists is what the entity is about; a materialized view comes before a base table.
    let is_of_table = |entity: &Entity| {
        let is_materialized = materialized.iter().any(|from| from.entity == *entity);
        !is_materialized || entity.find(&entity.table()).is_some()
    };
    let of_tables: Vec<Entity> = entities.into_iter().filter(is_of_table).collect();
    let mut steps: Vec<Step> =
        spi::session(|| of_tables.iter().map(|entity| step(entity, &registered)).collect());
    for from in materialized {
        if of_tables.contains(&from.entity) {
            continue;
        }
        let taken = steps.iter().find_map(|step| {
            let other = step.materialized.as_ref()?;
            (other.entity == from.entity).then(|| other.name.clone())
        });
        steps.push(materialized_step(from, taken));
    }
    steps
}

/// `taken`: another materialized view that has the same entity.
fn materialized_step(from: MaterializedView, taken: Option<String>) -> Step {
    let entity = &from.entity;
    let examined = match taken {
        Some(other) => Err(format!(
            "{} becomes {}, {} cannot",
            other,
            entity.table(),
            from.name
        )),
        None => from.examine(),
    };
    let base = spi::session(|| entity.find(&entity.base_table()));
    let (action, key_columns, reason) = match examined {
        Ok(key) => (Action::Convert, Some(key), made_from(&from)),
        Err(reason) => (Action::Skip, None, reason),
    };
    Step {
        entity: entity.name.clone(),
        base_table: base.map(|_| entity.base_table()),
        backing_view: entity.view(),
        key_columns,
        action,
        reason,
        materialized: Some(from),
    }
}

fn made_from(from: &MaterializedView) -> String {
    let (entity, name) = (&from.entity, &from.name);
    let stays = match from.readers {
        0 => "which stays".to_string(),
        1 => "which stays; 1 view goes on reading it".to_string(),
        more => format!("which stays; {more} views go on reading it"),
    };
    format!(
        "{} will be made from the materialized view {name}, {stays}",
        entity.table()
    )
}

/// The key that a conversion picks, as pg_tviews_create does. `from`: the view, or the table that a basic
/// view is made from.
pub fn key(entity: &Entity, table: Oid, from: Option<Oid>) -> Option<Vec<String>> {
    let in_view = columns::of(from?);
    let in_table = columns::of(table);
    pick_key(entity, &in_view, Some((table, &in_table)), None, false).ok()
}

fn step(entity: &Entity, registered: &[Oid]) -> Step {
    let table = entity.find(&entity.table());
    let view = entity.find(&entity.view());
    let base = entity.find(&entity.base_table());
    let key = table.and_then(|table| key(entity, table, view.or(base)));
    let (action, reason) = match table {
        None => (Action::Skip, format!("table {} does not exist", entity.table())),
        Some(table) if registered.contains(&table) => (Action::Registered, "is a TVIEW already".to_string()),
        Some(table) => match obstacle(entity, table, view, base, key.is_some()) {
            Some(obstacle) => (Action::Skip, obstacle),
            None => (Action::Convert, source(entity, view)),
        },
    };
    Step {
        entity: entity.name.clone(),
        base_table: base.map(|_| entity.base_table()),
        backing_view: entity.view(),
        key_columns: key,
        action,
        reason,
        materialized: None,
    }
}

/// Why a table cannot be converted; None if it can.
fn obstacle(
    entity: &Entity,
    table: Oid,
    view: Option<Oid>,
    base: Option<Oid>,
    has_key: bool,
) -> Option<String> {
    let (of_table, of_view, of_base) = (entity.table(), entity.view(), entity.base_table());
    if relation::kind(table) == Some('m') {
        let rename = format!("ALTER MATERIALIZED VIEW {}", entity.display());
        let name = quote::identifier(&format!("mv_{}", entity.name));
        Some(format!(
            "{of_table} is a materialized view, whose name the table needs: {rename} RENAME TO {name};"
        ))
    } else if relation::kind(table) != Some('r') {
        Some(format!("{of_table} is not an ordinary table"))
    } else if view.is_none() && base.is_none() {
        Some(format!("neither view {of_view} nor table {of_base} exists"))
    } else if view.is_some_and(|view| relation::kind(view) != Some('v')) {
        Some(format!("{of_view} is not a view"))
    } else if !has_key {
        let from = if view.is_some() { of_view } else { of_base };
        let conventional = conventional(entity);
        Some(format!(
            "no key: neither {conventional} nor the primary key of {of_table} is a column of {from}"
        ))
    } else {
        None
    }
}

/// Which view the TVIEW would have.
fn source(entity: &Entity, view: Option<Oid>) -> String {
    if view.is_some() {
        format!("the view {} exists and is used", entity.view())
    } else {
        format!("a basic view over {} will be made", entity.base_table())
    }
}

/// Entities with a `tv_` or a `tb_` table.
fn entities(schema: &str) -> Vec<Entity> {
    let args = [(pg_sys::TEXTOID, Value::of(schema))];
    let rows = spi::run(&statement!("schema_entities"), Access::Current, &args);
    (0..rows.len())
        .filter_map(|row| {
            Some(Entity {
                schema: schema.to_string(),
                name: rows.get(row, 0)?,
            })
        })
        .collect()
}

fn check_schema(schema: &str) -> Result<(), Problem> {
    if name::schema_exists(schema) {
        Ok(())
    } else {
        Err(name::unknown_schema(schema))
    }
}
