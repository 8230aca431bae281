//! DDL of users. A view or table may return something else now, and a missing view may exist again. A TVIEW's
//! table or triggers may be gone.

use pgrx::pg_sys::{self, Oid};

use super::command_objects::oids;
use super::{definition_row, own_ddl, protected_objects, renames, uncaptured_rows};
use crate::catalog::{announce, definition};
use crate::error::Problem;
use crate::postgres::hooks::{dropped_tables, invalidation};
use crate::postgres::inheritance;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::triggers::ddl_event::TableChange;
use crate::wake::signal;
use crate::{capture, statement};

/// Has the definitions checked again that a command may affect, unless only temporary objects were affected.
/// `table`: what the command did to a table. Called by the event trigger.
pub fn happened(table: &TableChange) {
    let commands = note(&statement!("ddl_commands")).unwrap_or_default();
    // First of all: once a table of the extension has another name, nothing else of the extension is found.
    if commands.iter().any(|command| command == "ALTER TABLE") {
        protected_objects::refuse_altered_own_tables();
    }
    if commands.is_empty() || definition::table().is_none() {
        return;
    }
    for command in commands {
        command_happened(&command);
    }
    if let Some(column) = &table.renamed {
        renames::follow_column(column);
    }
    if table
        .moved
        .iter()
        .any(|moved| uncaptured_rows::tree_holds_rows(*moved))
    {
        uncaptured_rows::log_all_rows(table.trees.clone());
    }
    if !own_ddl::is_running() {
        let trees = [(pg_sys::OIDARRAYOID, Value::of(table.trees.clone()))];
        check_again(oids(&statement!("tviews_touched"), &trees));
    }
}

fn command_happened(command: &str) {
    match command {
        "ALTER TABLE" => {
            protected_objects::keep_triggers_enabled();
            protected_objects::refuse_row_security();
        }
        "CREATE TRIGGER" => protected_objects::refuse_replaced_triggers(),
        "ALTER TRIGGER" => protected_objects::refuse_renamed_triggers(),
        "ALTER SCHEMA" => renames::follow_schemas(),
        // The command may have no other purpose than to have the files of the dictionary read again.
        "ALTER TEXT SEARCH DICTIONARY" => refresh_affected(),
        // Rows depend on these objects by encoding or by name, which pg_depend does not record.
        "CREATE CONVERSION"
        | "ALTER CONVERSION"
        | "CREATE TEXT SEARCH CONFIGURATION"
        | "ALTER TEXT SEARCH CONFIGURATION" => check_again(oids(&statement!("tviews_by_default"), &[])),
        _ => {}
    }
}

/// Roles or owners have changed, for which no event trigger fires. Called by the utility hook.
pub fn rights_changed(owners: bool) {
    if signal::known_here() {
        announce::catalog_change();
    }
    if definition::table().is_some() {
        if owners {
            check_all_again();
        } else {
            check_again(oids(&statement!("tviews_under_row_security"), &[]));
        }
    }
}

/// pg_tviews was dropped, and its event triggers with it. Called by the utility hook.
pub fn extension_dropped() {
    if signal::known_here() {
        announce::catalog_change();
    }
}

/// Something was dropped: deletes the definitions whose table is gone, and has those checked again that may
/// be affected. Called by the event trigger.
pub fn dropped() {
    let empty = (pg_sys::OIDARRAYOID, Value::of(dropped_tables::take_empty()));
    let types = note(&statement!("ddl_dropped_types"));
    let Some(types) = types.filter(|_| definition::table().is_some()) else {
        return;
    };
    let has = |kind: &str| types.iter().any(|dropped| dropped == kind);
    if has("table") {
        definition_row::delete_dropped()
            .into_iter()
            .for_each(notice_left_view);
    }
    if own_ddl::is_running() {
        return;
    }
    if has("table") {
        uncaptured_rows::log_all_rows(oids(&statement!("trees_of_dropped"), &[empty]));
    }
    check_again(oids(&statement!("tviews_bereft"), &[]));
    if !oids(&statement!("ddl_dropped_defaults"), &[]).is_empty() {
        check_all_again();
    }
    if has("trigger") {
        triggers_dropped();
    }
}

/// `pg_tviews_drop` would have dropped the view, too.
fn notice_left_view(view: String) {
    Problem::for_notice(format!("the view {view} of the dropped TVIEW is left"))
        .hint(format!(
            "Run DROP VIEW {view}; to drop it. pg_tviews_drop drops a TVIEW with its view."
        ))
        .notice();
}

/// Logs for each of these TVIEWs that its definition is to be checked: sessions that wait for the TVIEW wait
/// for that, too.
fn check_again(tviews: Vec<Oid>) {
    let tviews = tviews.into_iter();
    tviews
        .filter(|tview| !own_ddl::is_defining(*tview))
        .for_each(capture::check_definition);
}

/// The same for all TVIEWs. The commands that need this are rare.
fn check_all_again() {
    check_again(oids(&statement!("tviews_registered"), &[]));
}

fn refresh_affected() {
    let trees = [(pg_sys::OIDARRAYOID, Value::of(Vec::<Oid>::new()))];
    let tviews = oids(&statement!("tviews_touched"), &trees);
    tviews
        .into_iter()
        .for_each(|tview| capture::request_refresh(tview, None));
}

/// A worker creates a dropped trigger again and compares all rows. Until then a change of all rows is
/// pending.
fn triggers_dropped() {
    for table in oids(&statement!("triggers_dropped"), &[]) {
        let above = inheritance::ancestors(table);
        // Plans do not check each partition that they read: the partitioned tables are announced.
        above.iter().copied().for_each(invalidation::announce);
        uncaptured_rows::log_all_rows(above.into_iter().chain([table]).collect());
    }
}

/// Notifies workers of a command about permanent objects; returns what the statement lists of the command.
fn note(sql: &str) -> Option<Vec<String>> {
    let listed = run_internal(|| spi::session(|| spi::run(sql, Access::Snapshot, &[]).one::<Vec<String>>()));
    if listed.is_some() {
        announce::catalog_change();
    }
    listed
}
