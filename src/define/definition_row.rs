//! The row of `pg_tview_definition`: written by registration, deleted by drop.

use pgrx::pg_sys::{Oid, BOOLOID, FLOAT8OID, OIDARRAYOID, OIDOID, TEXTARRAYOID, TEXTOID};

use crate::catalog::definition::{self, Definition};
use crate::catalog::state::State;
use crate::error::OrRaise;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::transaction::lock;
use crate::postgres::{extension, relation};
use crate::refresh::comparison::stage_table;
use crate::refresh::feed;
use crate::refresh::plan::Plan;
use crate::statement;

/// Inserts or updates the row. With internal rights, inside an SPI session.
pub fn write(plan: &Plan, state: State) {
    let definition = &plan.definition;
    let view = plan.lineage.root_view;
    let view_created = definition.view_created && view == Some(definition.seen_view);
    let max_latency = definition.max_latency.map(|latency| latency.as_secs_f64());
    let args = [
        (OIDOID, Value::of(definition.tview)),
        (TEXTOID, Value::of(definition.entity_name.as_str())),
        (OIDOID, Value::of(view)),
        (TEXTARRAYOID, Value::of(definition.key_columns.clone())),
        (TEXTARRAYOID, Value::of(definition.fk_columns.clone())),
        (FLOAT8OID, Value::of(max_latency)),
        (TEXTOID, Value::of(state.name())),
        (TEXTOID, Value::of(definition.view_schema.as_str())),
        (TEXTOID, Value::of(definition.view_name.as_str())),
        (BOOLOID, Value::of(view_created)),
        (OIDARRAYOID, Value::of(plan.source_oids())),
        (TEXTOID, Value::of(json_object(&definition.pinned))),
        (TEXTOID, Value::of(plan.hash.as_str())),
        (BOOLOID, Value::of(definition.table_created)),
    ];
    spi::run(&statement!("meta_write"), Access::Current, &args);
    note_strategies(plan);
}

/// Records how changes of each source are followed, for reports. Inside an SPI session.
fn note_strategies(plan: &Plan) {
    if extension::is_before_0_3() {
        return;
    }
    let args = [
        (OIDOID, Value::of(plan.definition.tview)),
        (OIDARRAYOID, Value::of(plan.source_oids())),
        (TEXTARRAYOID, Value::of(plan.strategies())),
    ];
    spi::run(&statement!("meta_note_strategies"), Access::Current, &args);
}

fn json_object(settings: &[(String, String)]) -> String {
    let members = settings
        .iter()
        .map(|(name, value)| (name.clone(), value.clone().into()));
    serde_json::Value::Object(members.collect()).to_string()
}

/// Writes what a new plan knows and the row may not: the OID of a view that was dropped and created again with the
/// same text, and how changes of each source are followed.
pub fn note_plan(plan: &Plan) {
    spi::session(|| {
        let args = [
            (OIDOID, Value::of(plan.definition.tview)),
            (OIDOID, Value::of(plan.lineage.root_view)),
        ];
        spi::run(&statement!("meta_note_view"), Access::Current, &args);
        note_strategies(plan);
    });
}

/// Deletes the row of a TVIEW. With internal rights, inside an SPI session.
pub fn delete(tview: Oid) {
    let args = [(OIDOID, Value::of(tview))];
    spi::run(&statement!("meta_delete"), Access::Current, &args);
    stage_table::drop_of(tview);
}

/// Deletes the rows of TVIEWs whose table was dropped by SQL. Their triggers are removed later, by
/// `unused_triggers`: a session that drops a table does not wait for the writers of other tables. Returns the views that were
/// created for them and are left.
pub fn delete_dropped() -> Vec<String> {
    if definition::table().is_none() {
        return Vec::new();
    }
    let left = run_internal(|| {
        spi::session(|| {
            let rows = spi::run(&statement!("meta_forget_dropped"), Access::Current, &[]);
            let has_feed = |row: &usize| rows.get(*row, 2) == Some(true);
            for row in (0..rows.len()).filter(has_feed) {
                let of_feed = rows.get::<Oid>(row, 0).zip(rows.get::<String>(row, 1));
                if let Some((tview, entity_name)) = of_feed {
                    feed::everything(tview, &entity_name);
                }
            }
            (0..rows.len()).filter_map(|row| rows.get(row, 3)).collect()
        })
    });
    stage_table::drop_left_over();
    left
}

/// Waits for a refresh in progress to end.
pub fn lock(tview: Oid) {
    if let Some(class) = definition::table() {
        lock::object(class, tview);
    }
}

/// Writes one column; returns the definition as it is now.
pub fn write_column(tview: Oid, statement: &str, value: (Oid, Value)) -> Definition {
    run_internal(|| {
        spi::session(|| spi::run(statement, Access::Current, &[(OIDOID, Value::of(tview)), value]));
        definition::load(tview)
    })
    .ok_or_else(|| definition::dropped(&relation::display(tview)))
    .or_raise()
}
