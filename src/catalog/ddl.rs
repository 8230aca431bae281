//! DDL beside pg_tviews: a view or table may now return something else, or a missing view may be back.

use pgrx::pg_sys::{self, Oid};

use super::{definition, drop};
use crate::capture;
use crate::postgres::identity::run_internal;
use crate::postgres::spi::{self, Access, Value};
use crate::statement;

/// Makes workers compare every TVIEW with its registered definition, unless only temporary objects were touched.
/// `trees`: tables that were given, or have lost, a partition or a table that inherits. Called by the event trigger.
pub fn happened(trees: Vec<Oid>) {
    if note_if("SELECT 1 FROM pg_catalog.pg_event_trigger_ddl_commands() WHERE schema_name IS DISTINCT FROM 'pg_temp' LIMIT 1") {
        rows_came_or_went(trees);
    }
}

/// No trigger has seen the rows that came or went with a table, nor sees those of a new table that inherits before
/// a worker has put triggers on it. Logged as "every row", so that nobody who waits believes that all is visible.
fn rows_came_or_went(trees: Vec<Oid>) {
    if trees.is_empty() || definition::table().is_none() {
        return;
    }
    let sources: Vec<Oid> = run_internal(|| {
        spi::session(|| {
            let trees = [(pg_sys::OIDARRAYOID, Value::of(trees))];
            let rows = spi::run(&statement!("sources_among"), Access::Current, &trees);
            (0..rows.len()).filter_map(|row| rows.get(row, 0)).collect()
        })
    });
    sources.into_iter().for_each(capture::every_row);
}

/// Forgets TVIEWs whose table was dropped. Called by the event trigger.
pub fn dropped() {
    if note_if("SELECT 1 FROM pg_catalog.pg_event_trigger_dropped_objects() WHERE NOT is_temporary LIMIT 1") {
        drop::forget_dropped();
    }
}

fn note_if(sql: &str) -> bool {
    let concerns_others = spi::session(|| !spi::run(sql, Access::Snapshot, &[]).is_empty());
    if concerns_others {
        capture::note_catalog_change();
    }
    concerns_others
}
