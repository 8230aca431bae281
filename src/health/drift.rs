//! Whether verification has found rows that differ from their view.

use pgrx::pg_sys;

use super::fault::Faults;
use super::fault::Level::Warning;
use super::tviews::{read, Inspection};
use crate::postgres::spi::Value;
use crate::postgres::{extension, quote};
use crate::{settings, statement};

/// TVIEWs with such rows, as long as the audit tells which.
pub(super) fn found(inspection: &Inspection) -> Faults {
    // Objects of an earlier version.
    if extension::is_before_0_3() {
        return Faults::new();
    }
    let args = [
        (pg_sys::OIDOID, Value::of(inspection.caller)),
        (
            pg_sys::FLOAT8OID,
            Value::of(settings::audit_retention().as_secs_f64()),
        ),
    ];
    read(&statement!("health_drift"), &args, |rows, row| {
        let (name, keys, at): (String, i64, String) =
            (rows.get(row, 0)?, rows.get(row, 1)?, rows.get(row, 2)?);
        let argument = quote::literal(&name);
        let counted = match keys {
            1 => "1 row".to_string(),
            keys => format!("{keys} rows"),
        };
        Some((
            Warning,
            format!("{counted} of {name} differed from the view with no change pending, the last at {at}; they were recomputed. SELECT * FROM pg_tview_meta_audit WHERE tview_oid = {argument}::regclass AND operation = 'drift' ORDER BY audit_id DESC; shows which. Find out who writes the table: only refreshes should."),
        ))
    })
}
