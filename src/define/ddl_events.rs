//! DDL beside pg_tviews: a view or table may now return something else, a missing view may be back, triggers of ours may
//! have been touched.

use pgrx::pg_sys::{self, Oid};
use pgrx::PgSqlErrorCode;

use super::{capture_triggers, drop, own_ddl, register};
use crate::catalog::{announce, definition};
use crate::error::Problem;
use crate::postgres::hooks::{dropped_tables, invalidation};
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::triggers::ddl_event::{RenamedColumn, TableChange};
use crate::postgres::{inheritance, relation, transaction};
use crate::wake::signal;
use crate::{capture, statement};

/// Has TVIEWs looked at again that the command may concern, unless only temporary objects were touched. `table`: what it
/// did to a table. Called by the event trigger.
pub fn happened(table: &TableChange) {
    let commands = note(&statement!("ddl_commands")).unwrap_or_default();
    // First of all: where a table of the extension has another name, nothing else of the extension is found.
    if commands.iter().any(|command| command == "ALTER TABLE") {
        refuse_other_own_tables();
    }
    if commands.is_empty() || definition::table().is_none() {
        return;
    }
    for command in commands {
        match command.as_str() {
            "ALTER TABLE" => keep_enabled(),
            "CREATE TRIGGER" => refuse_taken_places(),
            "ALTER TRIGGER" => refuse_other_names(),
            "ALTER SCHEMA" => follow_schema_names(),
            // Also without a change, to have its files read again.
            "ALTER TEXT SEARCH DICTIONARY" => all_rows_of_touched(),
            // Found when they are needed, by encoding or name.
            "CREATE CONVERSION"
            | "ALTER CONVERSION"
            | "CREATE TEXT SEARCH CONFIGURATION"
            | "ALTER TEXT SEARCH CONFIGURATION" => look_again(oids(&statement!("tviews_by_default"), &[])),
            _ => {}
        }
    }
    if let Some(column) = &table.renamed {
        follow_column_name(column);
    }
    if table.moved.iter().any(|moved| tree_holds_rows(*moved)) {
        rows_came_or_went(table.trees.clone());
    }
    if !own_ddl::is_ours() {
        let trees = [(pg_sys::OIDARRAYOID, Value::of(table.trees.clone()))];
        look_again(oids(&statement!("tviews_touched"), &trees));
    }
}

/// Roles have changed, or who owns what: no event trigger sees that. Called by the utility hook.
pub fn rights_changed(owners: bool) {
    if signal::known_here() {
        announce::catalog_change();
    }
    if definition::table().is_some() {
        match owners {
            true => look_at_all(),
            false => look_again(oids(&statement!("tviews_under_row_security"), &[])),
        }
    }
}

/// pg_tviews was dropped, and its event triggers with it. Called by the utility hook.
pub fn extension_dropped() {
    if signal::known_here() {
        announce::catalog_change();
    }
}

/// Logs for each of these TVIEWs that its definition is to be looked at: whoever waits, waits for that.
fn look_again(tviews: Vec<Oid>) {
    let defined = |tview: &Oid| own_ddl::is_defining(*tview);
    tviews
        .into_iter()
        .filter(|tview| !defined(tview))
        .for_each(capture::check_definition);
}

/// The same for all of them: such commands are rare.
fn look_at_all() {
    look_again(oids(&statement!("tviews_registered"), &[]));
}

/// Forgets TVIEWs whose table was dropped. Called by the event trigger.
pub fn dropped() {
    let empty = (pg_sys::OIDARRAYOID, Value::of(dropped_tables::take_empty()));
    let types = note(
        "SELECT array_agg(DISTINCT object_type) FROM pg_catalog.pg_event_trigger_dropped_objects()
          WHERE NOT is_temporary",
    );
    let Some(types) = types.filter(|_| definition::table().is_some()) else {
        return;
    };
    if types.iter().any(|kind| kind == "table") {
        drop::forget_dropped();
    }
    if own_ddl::is_ours() {
        return;
    }
    if types.iter().any(|kind| kind == "table") {
        rows_came_or_went(oids(&statement!("trees_of_dropped"), &[empty]));
    }
    look_again(oids(&statement!("tviews_bereft"), &[]));
    if !oids(&statement!("ddl_dropped_defaults"), &[]).is_empty() {
        look_at_all();
    }
    if types.iter().any(|kind| kind == "trigger") {
        triggers_went();
    }
}

/// No trigger has seen the rows that came or went with a table. Logged as "every row", so that nobody who waits believes that
/// all is visible.
fn rows_came_or_went(trees: Vec<Oid>) {
    if !trees.is_empty() {
        let trees = [(pg_sys::OIDARRAYOID, Value::of(trees))];
        let sources = oids(&statement!("sources_among"), &trees);
        sources.into_iter().for_each(capture::mark_all_rows);
    }
}

/// A capture trigger that was disabled, by DISABLE TRIGGER ALL, say, would lose changes for good.
fn keep_enabled() {
    let names: Vec<(Oid, String, bool)> = run_internal(|| {
        spi::session(|| {
            let rows = spi::run(&statement!("triggers_disabled"), Access::Current, &[]);
            (0..rows.len())
                .filter_map(|row| Some((rows.get(row, 0)?, rows.get(row, 1)?, rows.get(row, 2)?)))
                .collect()
        })
    });
    for (table, name, disabled) in names {
        run_internal(|| spi::session(|| capture_triggers::enable(table, &name)));
        if disabled {
            Problem::for_notice(format!(
                "trigger {name} on {} stays enabled: TVIEWs follow the table by it",
                relation::display(table)
            ))
            .notice();
        }
    }
}

/// What writes the extension's tables finds them by name, and knows their columns and no others.
fn refuse_other_own_tables() {
    if let Some(table) = oids(&statement!("ddl_own_tables_altered"), &[]).first() {
        Problem::new(
            PgSqlErrorCode::ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST,
            format!(
                "table {} of pg_tviews cannot be renamed, moved or given other columns",
                relation::display(*table)
            ),
        )
        .detail("The table belongs to pg_tviews, which writes it.")
        .hint("Keep columns of your own in another table, and other names in a view.")
        .raise();
    }
}

/// Triggers are found by name.
fn refuse_other_names() {
    if let Some(table) = oids(&statement!("triggers_renamed"), &[]).first() {
        Problem::new(
            PgSqlErrorCode::ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST,
            format!(
                "a trigger of pg_tviews on {} cannot be renamed",
                relation::display(*table)
            ),
        )
        .detail("TVIEWs find their triggers by name.")
        .hint("Give your own trigger another name.")
        .raise();
    }
}

/// A trigger in the place of one of ours would lose changes.
fn refuse_taken_places() {
    if own_ddl::is_ours() {
        return;
    }
    if let Some(table) = oids(&statement!("triggers_taken"), &[]).first() {
        Problem::new(
            PgSqlErrorCode::ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST,
            format!(
                "a trigger of pg_tviews on {} cannot be created by a user",
                relation::display(*table)
            ),
        )
        .detail("TVIEWs follow the table by triggers whose names begin with pg_tviews_.")
        .hint("Give your own trigger another name and another function.")
        .raise();
    }
}

/// Triggers name the columns they capture, and so do changes that are still to be read. Where that cannot be done (the
/// transaction has trigger events pending, or changes in memory), any row may have changed.
fn follow_column_name(column: &RenamedColumn) {
    let RenamedColumn { table, before, after } = column;
    let tables = inheritance::inheritors(*table).into_iter().chain([*table]);
    for table in tables {
        let captured = run_internal(|| spi::session(|| capture_triggers::captured_under(table, before)));
        let Some(captured) = captured else { continue };
        let followed = transaction::attempt(|| {
            run_internal(|| spi::session(|| capture_triggers::rename_column(table, before, after)));
        });
        if !captured.is_key {
            continue;
        }
        if followed.is_err() || capture::pending_sources().contains(&table) {
            capture::mark_all_rows(table);
        }
        let names = [
            (pg_sys::OIDARRAYOID, Value::of(vec![table])),
            (pg_sys::TEXTOID, Value::of(before.as_str())),
            (pg_sys::TEXTOID, Value::of(after.as_str())),
        ];
        oids(&statement!("triggers_rename_captured"), &names);
    }
}

fn tree_holds_rows(table: Oid) -> bool {
    let mut tables = inheritance::inheritors(table).into_iter().chain([table]);
    tables.any(register::holds_rows)
}

/// A backing view is found by its name and that of its schema.
fn follow_schema_names() {
    oids(&statement!("meta_follow_schema_names"), &[]);
}

fn all_rows_of_touched() {
    let trees = [(pg_sys::OIDARRAYOID, Value::of(Vec::<Oid>::new()))];
    let tviews = oids(&statement!("tviews_touched"), &trees);
    tviews
        .into_iter()
        .for_each(|tview| capture::request_refresh(tview, None));
}

/// A worker makes a dropped trigger again and compares every row. Until then the changes are pending.
fn triggers_went() {
    for table in oids(&statement!("triggers_dropped"), &[]) {
        let above = inheritance::ancestors(table);
        // A plan does not look at each partition it reads.
        above.iter().copied().for_each(invalidation::announce);
        rows_came_or_went(above.into_iter().chain([table]).collect());
    }
}

/// Tells workers of a command about permanent objects; returns what the statement lists of it.
fn note(sql: &str) -> Option<Vec<String>> {
    let listed = run_internal(|| spi::session(|| spi::run(sql, Access::Snapshot, &[]).one::<Vec<String>>()));
    if listed.is_some() {
        announce::catalog_change();
    }
    listed
}

fn oids(sql: &str, arguments: &[(Oid, Value)]) -> Vec<Oid> {
    run_internal(|| {
        spi::session(|| {
            let rows = spi::run(sql, Access::Current, arguments);
            (0..rows.len()).filter_map(|row| rows.get(row, 0)).collect()
        })
    })
}
