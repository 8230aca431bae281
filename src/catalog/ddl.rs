//! DDL beside pg_tviews: a view or table may now return something else, or a missing view may be back.

use super::drop;
use crate::capture;
use crate::postgres::spi::{self, Access};

/// Makes workers compare every TVIEW with its registered definition, unless only temporary objects were touched.
/// Called by the event trigger.
pub fn happened() {
    note_if("SELECT 1 FROM pg_catalog.pg_event_trigger_ddl_commands() WHERE schema_name IS DISTINCT FROM 'pg_temp' LIMIT 1");
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
