//! A materialized view becomes a TVIEW: a view with its query, and a table with what was added to it. The materialized
//! view stays as it is.

use pgrx::pg_sys::{self, Oid};

use super::create::{self, Made, Request, Triggers};
use super::materialized_views::MaterializedView;
use super::table;
use crate::catalog::columns;
use crate::catalog::entity::Entity;
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::{role, run_as};
use crate::settings;
use crate::statement;

/// Creates the TVIEW; returns a message for the user.
pub fn convert(from: &MaterializedView, key: &[String]) -> String {
    let entity = &from.entity;
    let made = Made {
        view: entity.find(&entity.view()).is_none(),
        table: true,
    };
    if made.view {
        create_view(from.oid, entity);
    }
    if let Some(view) = entity.find(&entity.view()) {
        table::create(entity, &columns::of(view), key);
    }
    give_to_owner(from.owner, entity, made.view);
    let table = entity.qualified(&entity.table());
    // Read under the search_path that they were written under.
    run_as::pinned(|| {
        let properties = properties(from.oid, &table, key);
        properties.iter().for_each(|sql| spi::run_for_user(sql));
    });
    create::create(Request {
        name: table.clone(),
        query: None,
        max_latency: None,
        key_columns: Some(key.to_vec()),
        allow_full: settings::allow_full(),
        called: "pg_tviews_auto_convert",
        triggers: Triggers::ByWorker,
        statement: None,
        made,
    });
    let new = if made.view { "new view" } else { "view" };
    format!(
        "{table} follows the {new} {}; the materialized view {} stays",
        entity.qualified(&entity.view()),
        entity.qualified(&from.name)
    )
}

/// The text is written and read under the search_path of the session.
fn create_view(from: Oid, entity: &Entity) {
    let args = [(pg_sys::OIDOID, Value::of(from))];
    let query = spi::text_for_user("SELECT pg_catalog.pg_get_viewdef($1)", &args).unwrap_or_default();
    let view = entity.qualified(&entity.view());
    spi::run_for_user(&format!("CREATE VIEW {view} AS {query}"));
}

/// Refreshes read the view with the rights of the owner of the materialized view, also where a superuser converts it. The
/// owner is the one that was examined: the materialized view itself may be gone by now.
fn give_to_owner(owner: Oid, entity: &Entity, view_made: bool) {
    if owner == role::current_role() {
        return;
    }
    let owner = role::name(owner);
    if view_made {
        give("VIEW", entity, &entity.view(), &owner);
    }
    give("TABLE", entity, &entity.table(), &owner);
}

/// What the default privileges of the current role have granted on its new objects is not meant for those of the owner.
fn give(kind: &str, entity: &Entity, name: &str, owner: &str) {
    let qualified = entity.qualified(name);
    spi::run_for_user(&format!("ALTER {kind} {qualified} OWNER TO {owner}"));
    let Some(relation) = entity.find(name) else { return };
    let args = [
        (pg_sys::OIDOID, Value::of(relation)),
        (pg_sys::TEXTOID, Value::of(qualified)),
    ];
    statements(&statement!("grants_to_others"), &args)
        .iter()
        .for_each(|revoke| spi::run_for_user(revoke));
}

/// Statements that give the table the indexes, comments and other properties.
fn properties(from: Oid, table: &str, key: &[String]) -> Vec<String> {
    let args = [
        (pg_sys::OIDOID, Value::of(from)),
        (pg_sys::TEXTOID, Value::of(table)),
        (pg_sys::TEXTARRAYOID, Value::of(key.to_vec())),
    ];
    statements(&statement!("materialized_view_properties"), &args)
}

fn statements(sql: &str, args: &[(Oid, Value)]) -> Vec<String> {
    spi::session(|| {
        let rows = spi::run(sql, Access::Current, args);
        (0..rows.len()).filter_map(|row| rows.get(row, 0)).collect()
    })
}
