//! The statements for one TVIEW.

use std::time::Duration;

use pgrx::pg_sys::{self, Oid};

use super::script::{dollar_quoted, Script};
use crate::catalog::columns;
use crate::catalog::definition::Definition;
use crate::catalog::state::State;
use crate::define::{fresh_name, write_guard};
use crate::postgres::quote;
use crate::postgres::spi::{self, Access, Value};
use crate::statement;

/// When a statement runs, see `export_table.sql`.
const BEFORE: i32 = 1;
const AFTER: i32 = 2;
const LAST: i32 = 3;

/// Adds what makes a TVIEW again. With internal rights.
pub fn add(script: &mut Script, definition: &Definition) {
    let table = table_statements(definition);
    let of = |place: i32| {
        table
            .iter()
            .filter(move |(at, _)| *at == place)
            .map(|(_, sql)| sql)
    };
    script.heading(&definition.display());
    of(BEFORE).for_each(|sql| script.add(sql));
    script.set(&definition.pinned);
    let name = quote::literal(&name(definition));
    let query = add_view(script, definition);
    add_call(script, definition, &name, query);
    of(AFTER).for_each(|sql| script.add(sql));
    add_properties(script, definition, &name);
    of(LAST).for_each(|sql| script.add_last(sql.clone()));
}

/// The name that functions are called with. An entity whose own name begins with `tv_` is named by its table: functions
/// take `tv_post` as the entity `post`.
fn name(definition: &Definition) -> String {
    let entity = &definition.entity_name;
    let prefix = if entity.starts_with("tv_") { "tv_" } else { "" };
    format!(
        "{}.{}",
        quote::identifier(&definition.view_schema),
        quote::identifier(&format!("{prefix}{entity}"))
    )
}

fn table_statements(definition: &Definition) -> Vec<(i32, String)> {
    let given: Vec<String> = match definition.view() {
        Some(view) => columns::of(view).into_iter().map(|column| column.name).collect(),
        None => write_guard::maintained(definition.tview),
    };
    spi::session(|| {
        let args = [
            (pg_sys::OIDOID, Value::of(definition.tview)),
            (pg_sys::BOOLOID, Value::of(definition.table_created)),
            (pg_sys::TEXTARRAYOID, Value::of(given)),
        ];
        let rows = spi::run(&statement!("export_table"), Access::Snapshot, &args);
        let statement = |row| rows.get(row, 0).zip(rows.get(row, 1));
        (0..rows.len()).filter_map(statement).collect()
    })
}

/// The query of the backing view, if the extension made the view; else adds the view itself.
fn add_view(script: &mut Script, definition: &Definition) -> Option<String> {
    let Some((query, options)) = definition.view().and_then(view) else {
        script.heading("The backing view does not exist at present.");
        return None;
    };
    if definition.view_created && options.is_none() {
        return Some(query);
    }
    let with = options.map_or(String::new(), |options| format!(" WITH ({options})"));
    script.add(&format!(
        "CREATE OR REPLACE VIEW {}.{}{with} AS\n{query}",
        quote::identifier(&definition.view_schema),
        quote::identifier(&definition.view_name)
    ));
    None
}

/// Query and options of a view.
fn view(view: Oid) -> Option<(String, Option<String>)> {
    spi::session(|| {
        let args = [(pg_sys::OIDOID, Value::of(view))];
        let rows = spi::run(&statement!("export_view"), Access::Snapshot, &args);
        Some((rows.get(0, 0)?, rows.get(0, 1)))
    })
}

fn add_call(script: &mut Script, definition: &Definition, name: &str, query: Option<String>) {
    let mut call = vec![name.to_string()];
    call.extend(query.map(|query| dollar_quoted(&query)));
    call.extend(
        definition
            .max_latency
            .map(|bound| format!("max_latency => {}", interval(bound))),
    );
    call.push(format!("key_columns => {}", array(&definition.key_columns)));
    let create = script.own("pg_tviews_create");
    script.add(&format!("SELECT {create}({})", call.join(", ")));
}

/// What is not an argument of the call. Each statement does nothing where it has been done.
fn add_properties(script: &mut Script, definition: &Definition, name: &str) {
    let mut properties = Vec::new();
    if !definition.fk_columns.is_empty() {
        properties.push(("fk_columns", array(&definition.fk_columns)));
    }
    if definition.feed {
        properties.push(("feed", "true".to_string()));
    }
    if let Some(lag) = definition.throttle_lag {
        properties.push(("throttle_lag", format!("{}::interval", interval(lag))));
    }
    if let Some(group) = &definition.refresh_group {
        properties.push(("refresh_group", quote::literal(group)));
    }
    let meta = script.own("pg_tview_meta");
    let table = quote::literal(&definition.display());
    for (column, value) in properties {
        script.add(&format!(
            "UPDATE {meta} SET {column} = {value} WHERE tview_oid = {table}::pg_catalog.regclass AND {column} IS DISTINCT FROM {value}"
        ));
    }
    if fresh_name::find(definition).is_some() {
        let create = script.own("pg_tviews_create_fresh_view");
        script.add(&format!("SELECT {create}({name})"));
    }
    if definition.state == State::Paused {
        let pause = script.own("pg_tviews_pause");
        script.add(&format!("SELECT {pause}({name})"));
    }
}

fn array(texts: &[String]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| quote::literal(text)).collect();
    format!("ARRAY[{}]::text[]", texts.join(", "))
}

fn interval(bound: Duration) -> String {
    let micros = bound.as_micros();
    if micros.is_multiple_of(1000) {
        format!("'{} ms'", micros / 1000)
    } else {
        format!("'{micros} us'")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_exact() {
        assert_eq!(interval(Duration::from_millis(250)), "'250 ms'");
        assert_eq!(interval(Duration::from_micros(1500)), "'1500 us'");
    }
}
