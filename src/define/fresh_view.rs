//! `pg_tviews_create_fresh_view`: a view beside the table of a TVIEW that shows at any moment what the backing
//! view would return.

use pgrx::pg_sys::{self, Oid};
use pgrx::PgSqlErrorCode;

use super::fresh_name::{find, name, qualified};
use super::fresh_source;
use super::notice::Notice;
use super::patience::{self, LockRequest};
use crate::catalog::columns::{self, Column};
use crate::catalog::definition::{self, Definition};
use crate::catalog::entity;
use crate::catalog::owner::check_owner;
use crate::catalog::statements;
use crate::error::{OrRaise, Problem};
use crate::postgres::run_as::{run_internal, with_setting};
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::transaction::lock::{self, TableLock};
use crate::postgres::{collation, quote, relation, role};
use crate::refresh::plan::shape::Shape;
use crate::refresh::plan::sql::fresh_view::{FreshColumn, FreshValue, FreshView};
use crate::refresh::plan::sql::unquote;
use crate::refresh::plan::{self, Plan};
use crate::statement;

/// Creates the fresh view of a TVIEW, or replaces it; returns the view.
pub fn create(name: &str) -> Oid {
    let named = definition::find(name).or_raise();
    check_owner(named.tview).or_raise();
    patience::patiently(|| locked(&named), |definition| define(&definition))
}

/// The TVIEW, which nobody redefines or drops until the end of the transaction.
fn locked(named: &Definition) -> Definition {
    if let Some(class) = definition::table() {
        lock::object(class, named.tview);
    }
    run_internal(|| definition::load(named.tview))
        .unwrap_or_else(|| definition::dropped(&named.display()).raise())
}

/// Creates or replaces the fresh view. The caller holds the TVIEW's lock.
pub fn define(definition: &Definition) -> Oid {
    refuse_row_security(definition).or_raise();
    let name = name(definition);
    let existing = entity::find(&definition.view_schema, &name);
    let known = find(definition);
    if let (Some(other), None) = (existing, known) {
        taken(other).raise();
    }
    if let Some(known) = known {
        patience::lock_all(&[(known, TableLock::AccessExclusive)]);
    }
    let plan = run_internal(|| plan::prepare(definition.clone())).or_raise();
    let source = fresh_source::of(&plan).or_raise();
    let columns = columns(&plan);
    let query = FreshView {
        shape: &plan.shape,
        columns: &columns,
        view: &source.from,
        queries: source.queries.as_deref(),
        extension: &statements::schema(),
    }
    .query();
    let view = qualified(definition);
    let create = format!("CREATE OR REPLACE VIEW {view} AS\n{query}");
    match &source.search_path {
        Some(path) => with_setting("search_path", path, || spi::run_for_user(&create)),
        None => spi::run_for_user(&create),
    }
    let created = find(definition).unwrap_or_else(|| pgrx::error!("the fresh view was not created"));
    fresh_source::check(&plan, created).or_raise();
    if known.is_none() || relation::owner(created) != Some(definition.owner) {
        give_rights(definition, created, &view);
    }
    // Its owner may read everything below: an ERROR now, not for the first reader.
    spi::run_for_user(&format!("SELECT FROM {view} LIMIT 0"));
    created
}

/// The owner of the table owns the view, and whoever may read the table may read it.
fn give_rights(definition: &Definition, created: Oid, view: &str) {
    if relation::owner(created) != Some(definition.owner) {
        let owner = role::name(definition.owner);
        spi::run_for_user(&format!("ALTER VIEW {view} OWNER TO {owner}"));
    }
    let grants: Vec<String> = spi::session(|| {
        let args = [
            (pg_sys::OIDOID, Value::of(created)),
            (pg_sys::TEXTOID, Value::of(view)),
            (pg_sys::OIDOID, Value::of(definition.tview)),
        ];
        let rows = spi::run(&statement!("fresh_view_grants"), Access::Current, &args);
        (0..rows.len()).filter_map(|row| rows.get(row, 0)).collect()
    });
    grants.iter().for_each(|grant| spi::run_for_user(grant));
}

/// Brings the fresh view in step with a TVIEW that was redefined. `replaced`: the backing view has another
/// query. The caller holds the TVIEW's lock.
pub fn follow(definition: &Definition, replaced: bool) -> Option<Notice> {
    let names = |relation| {
        let columns = columns::of(relation).into_iter();
        columns.map(|column| column.name).collect::<Vec<_>>()
    };
    let before = find(definition);
    if !replaced && before.is_some_and(|fresh| names(fresh) == names(definition.tview)) {
        return None;
    }
    define(definition);
    let view = qualified(definition);
    Some(if before.is_some() {
        Notice::new(format!("the fresh view {view} is replaced, too"))
    } else {
        Notice::new(format!("the fresh view {view} is dropped and created again"))
            .detail("Whoever may read the table may read the view. Other grants on the view are gone.")
    })
}

/// The lock that dropping a fresh view takes.
pub fn lock_to_drop(fresh: Oid) -> LockRequest {
    (fresh, TableLock::AccessExclusive)
}

/// Drops the fresh view of a TVIEW.
pub fn drop(fresh: Oid) {
    spi::run_for_user(&format!("DROP VIEW {}", relation::display(fresh)));
}

/// The columns of the table, and where the fresh view gets their values.
fn columns(plan: &Plan) -> Vec<FreshColumn> {
    let tview = plan.definition.tview;
    let generated: Vec<(String, String)> = spi::session(|| {
        let args = [(pg_sys::OIDOID, Value::of(tview))];
        let rows = spi::run(&statement!("relation_generated"), Access::Current, &args);
        (0..rows.len())
            .filter_map(|row| Some((rows.get(row, 0)?, rows.get(row, 1)?)))
            .collect()
    });
    let in_view = plan.lineage.root_view.map(columns::of).unwrap_or_default();
    let maintained: Vec<String> = plan.shape.maintained().collect();
    let of_table = columns::of(tview);
    let column = |column: &Column| {
        let expression = generated.iter().find(|(name, _)| *name == column.name);
        let value = match expression {
            Some((_, expression)) => FreshValue::Generated(expression.clone()),
            None if maintained.contains(&column.name) => FreshValue::OfView,
            None => FreshValue::OfTable,
        };
        FreshColumn {
            name: quote::identifier(&column.name),
            value,
            collation: collate(&plan.shape, column, &in_view),
        }
    };
    of_table.iter().map(column).collect()
}

/// `COLLATE ..` for a column that the view sorts by another collation than the table. A key column has it
/// already.
fn collate(shape: &Shape, column: &Column, in_view: &[Column]) -> String {
    let is_key = shape.key.iter().any(|k| unquote(&k.name) == column.name);
    let of_view = in_view.iter().find(|of_view| of_view.name == column.name);
    let differs = of_view.is_some_and(|of_view| of_view.collation != column.collation);
    if is_key || !differs || column.collation == Oid::INVALID {
        return String::new();
    }
    collation::name(column.collation).map_or(String::new(), |name| format!(" COLLATE {name}"))
}

/// A view of the owner would show rows that policies of the table hide from its readers.
fn refuse_row_security(definition: &Definition) -> Result<(), Problem> {
    if !relation::has_row_security(definition.tview) {
        return Ok(());
    }
    let table = definition.display();
    Err(Problem::new(
        PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
        format!("{table} has row security, which a fresh view would not apply"),
    )
    .detail("The rows that are computed from the backing view have no policies.")
    .hint(format!(
        "Read {table} after pg_tviews_wait(), or run ALTER TABLE {table} DISABLE ROW LEVEL SECURITY;"
    )))
}

fn taken(other: Oid) -> Problem {
    let display = relation::display(other);
    Problem::new(
        PgSqlErrorCode::ERRCODE_DUPLICATE_TABLE,
        format!("{display} exists already, and is not a fresh view"),
    )
    .hint(format!(
        "Rename or drop {display}: the fresh view needs this name."
    ))
}
