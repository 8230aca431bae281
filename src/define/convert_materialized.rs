//! A materialized view becomes a TVIEW: a view with its query, and a table with what was added to it. The materialized
//! view stays as it is.

use pgrx::pg_sys::{self, Oid};

use super::create::{self, Made, Request, Triggers};
use super::materialized_views::MaterializedView;
use super::table;
use crate::catalog::columns;
use crate::catalog::entity::Entity;
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::{relation, role};
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
    give_to_owner(from.oid, entity, made.view);
    let table = entity.qualified(&entity.table());
    for statement in properties(from.oid, &table, key) {
        spi::run_for_user(&statement);
    }
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

/// Refreshes read the view with the rights of the owner of the materialized view, also where a superuser converts it.
fn give_to_owner(from: Oid, entity: &Entity, view_made: bool) {
    let Some(owner) = relation::owner(from).filter(|owner| *owner != role::current_role()) else {
        return;
    };
    let owner = role::name(owner);
    if view_made {
        let view = entity.qualified(&entity.view());
        spi::run_for_user(&format!("ALTER VIEW {view} OWNER TO {owner}"));
    }
    let table = entity.qualified(&entity.table());
    spi::run_for_user(&format!("ALTER TABLE {table} OWNER TO {owner}"));
}

/// Statements that give the table the indexes, comments and other properties.
fn properties(from: Oid, table: &str, key: &[String]) -> Vec<String> {
    spi::session(|| {
        let args = [
            (pg_sys::OIDOID, Value::of(from)),
            (pg_sys::TEXTOID, Value::of(table)),
            (pg_sys::TEXTARRAYOID, Value::of(key.to_vec())),
        ];
        let rows = spi::run(
            &statement!("materialized_view_properties"),
            Access::Current,
            &args,
        );
        (0..rows.len()).filter_map(|row| rows.get(row, 0)).collect()
    })
}
