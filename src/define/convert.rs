//! Auto-conversion: `tv_*` tables beside `tb_*` tables become TVIEWs.

use pgrx::pg_sys::{self, Oid};
use pgrx::PgSqlErrorCode;

use super::create::{self, Request};
use super::patience;
use crate::catalog::columns::{self, Column};
use crate::catalog::definition;
use crate::catalog::document::json_object;
use crate::catalog::name::{self, Entity};
use crate::error::{OrRaise, Problem};
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::{quote, relation, transaction};

/// What would be done with one table.
pub struct Step {
    pub entity: String,
    pub base_table: Option<String>,
    pub backing_view: String,
    pub key_columns: Option<Vec<String>>,
    pub action: Action,
    pub reason: String,
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

/// What a conversion of the schema would do; changes nothing.
pub fn plan(schema: &str) -> Vec<Step> {
    check_schema(schema).or_raise();
    let registered: Vec<Oid> = run_internal(|| {
        definition::load_all()
            .into_iter()
            .map(|definition| definition.tview)
            .collect()
    });
    spi::session(|| {
        entities(schema)
            .into_iter()
            .map(|entity| step(&entity, &registered))
            .collect()
    })
}

/// Converts what [`plan`] says; each table by itself, so that one that fails stops no other. But all of them get their locks, or
/// none: those that are converted must not be kept from writers while the lock of another is waited for.
pub fn convert(schema: &str) -> Vec<(String, &'static str, String)> {
    patience::patiently(
        || plan(schema),
        |steps| steps.into_iter().map(|step| convert_step(schema, step)).collect(),
    )
}

fn convert_step(schema: &str, step: Step) -> (String, &'static str, String) {
    if step.action != Action::Convert {
        return (step.entity, "SKIP", step.reason);
    }
    let entity = Entity {
        schema: schema.to_string(),
        name: step.entity.clone(),
    };
    match transaction::attempt(|| convert_one(&entity)) {
        Ok(message) => (step.entity, "SUCCESS", message),
        Err(caught) if patience::ends_attempt(&caught) => Problem::from(caught).raise(),
        Err(caught) => {
            let hint = caught
                .hint
                .as_ref()
                .map(|hint| format!(" HINT: {hint}"))
                .unwrap_or_default();
            (
                step.entity,
                "ERROR",
                format!("{} ({}){hint}", caught.message, caught.sqlstate()),
            )
        }
    }
}

fn convert_one(entity: &Entity) -> String {
    let query = spi::session(|| match entity.find(&entity.view()) {
        Some(_) => None,
        None => Some(basic_query(entity)),
    });
    let made = query.is_some();
    create::create(Request {
        name: entity.qualified(&entity.table()),
        query,
        max_latency: None,
        key_columns: None,
        called: "pg_tviews_auto_convert",
    });
    let table = entity.qualified(&entity.table());
    let view = entity.qualified(&entity.view());
    match made {
        true => format!("{table} follows the new view {view}"),
        false => format!("{table} follows the view {view}"),
    }
}

fn step(entity: &Entity, registered: &[Oid]) -> Step {
    let table = entity.find(&entity.table());
    let view = entity.find(&entity.view());
    let base = entity.find(&entity.base_table());
    let key = table.and_then(|table| key(entity, table, view.or(base)));
    let conventional = format!("pk_{}", entity.name);
    let (action, reason) = match (table, view, base, &key) {
        (None, _, _, _) => (Action::Skip, format!("table {} does not exist", entity.table())),
        (Some(table), _, _, _) if registered.contains(&table) => {
            (Action::Registered, "is a TVIEW already".to_string())
        }
        (Some(table), _, _, _) if relation::kind(table) != Some('r') => (
            Action::Skip,
            format!("{} is not an ordinary table", entity.table()),
        ),
        (_, None, None, _) => (
            Action::Skip,
            format!(
                "neither view {} nor table {} exists",
                entity.view(),
                entity.base_table()
            ),
        ),
        (_, Some(view), _, _) if relation::kind(view) != Some('v') => {
            (Action::Skip, format!("{} is not a view", entity.view()))
        }
        (_, _, _, None) => {
            let from = if view.is_some() {
                entity.view()
            } else {
                entity.base_table()
            };
            let reason = format!(
                "no key: neither {conventional} nor the primary key of {} is a column of {from}",
                entity.table()
            );
            (Action::Skip, reason)
        }
        (_, Some(_), _, _) => (
            Action::Convert,
            format!("the view {} exists and is used", entity.view()),
        ),
        (_, None, Some(_), _) => (
            Action::Convert,
            format!("a basic view over {} will be made", entity.base_table()),
        ),
    };
    Step {
        entity: entity.name.clone(),
        base_table: base.map(|_| entity.base_table()),
        backing_view: entity.view(),
        key_columns: key,
        action,
        reason,
    }
}

/// The key a conversion would pick: as for pg_tviews_create.
fn key(entity: &Entity, table: Oid, from: Option<Oid>) -> Option<Vec<String>> {
    let in_view = columns::of(from?);
    let in_table = columns::of(table);
    columns::pick_key(entity, &in_view, Some((table, &in_table)), None).ok()
}

/// Key, `id`, `fk_*`, and one document of the row without surrogate keys.
fn basic_query(entity: &Entity) -> String {
    let base = entity.find(&entity.base_table());
    let columns: Vec<Column> = base.map(columns::of).unwrap_or_default();
    let key = entity
        .find(&entity.table())
        .and_then(|table| key(entity, table, base))
        .unwrap_or_default();
    let picked: Vec<String> = columns
        .iter()
        .filter(|c| key.contains(&c.name) || c.name == "id" || c.name.starts_with("fk_"))
        .map(|c| format!("b.{}", quote::identifier(&c.name)))
        .collect();
    let document: Vec<String> = columns
        .iter()
        .filter(|c| !c.name.starts_with("pk_"))
        .map(|c| format!("{}, b.{}", quote::literal(&c.name), quote::identifier(&c.name)))
        .collect();
    format!(
        "SELECT {}, {} AS data FROM {} AS b",
        picked.join(", "),
        json_object(&document),
        entity.qualified(&entity.base_table())
    )
}

/// Entities with a `tv_` or a `tb_` table.
fn entities(schema: &str) -> Vec<Entity> {
    let rows = spi::run(
        "SELECT DISTINCT substr(c.relname, 4)::text
           FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
          WHERE n.nspname = $1 AND c.relname ~ '^(tv|tb)_.' AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
          ORDER BY 1",
        Access::Current,
        &[(pg_sys::TEXTOID, Value::of(schema))],
    );
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
        return Ok(());
    }
    Err(Problem::new(
        PgSqlErrorCode::ERRCODE_INVALID_SCHEMA_NAME,
        format!("schema \"{schema}\" does not exist"),
    )
    .hint("SELECT nspname FROM pg_namespace; lists the schemas."))
}
