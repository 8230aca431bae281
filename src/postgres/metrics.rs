//! The functions behind `pg_tview_metrics` and `pg_tview_server_metrics`. They return more columns than pgrx can. The views
//! have the list of the columns; a call with another list is refused.

use std::sync::OnceLock;

use pgrx::pg_guard;
use pgrx::pg_sys::{self, Datum, Oid};
use pgrx::PgSqlErrorCode;

use super::spi::Value;
use super::versions::attributes::attributes;
use crate::error::Problem;

/// The rows of a view.
pub struct Rows {
    /// The types of the columns.
    pub types: &'static [Oid],
    /// Computes the rows, with values of these types in the current memory context.
    pub compute: fn() -> Vec<Vec<Value>>,
}

/// The rows of both views.
pub struct Metrics {
    pub tviews: Rows,
    pub server: Rows,
}

static METRICS: OnceLock<Metrics> = OnceLock::new();

/// Sets what computes the rows. Call once per process, from `_PG_init`.
pub fn register(metrics: Metrics) {
    METRICS.get_or_init(|| metrics);
}

/// Declares to PostgreSQL how to call [`pg_tviews_metrics`].
#[unsafe(no_mangle)]
pub extern "C" fn pg_finfo_pg_tviews_metrics() -> &'static pg_sys::Pg_finfo_record {
    const VERSION_1: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };
    &VERSION_1
}

/// Declares to PostgreSQL how to call [`pg_tviews_server_metrics`].
#[unsafe(no_mangle)]
pub extern "C" fn pg_finfo_pg_tviews_server_metrics() -> &'static pg_sys::Pg_finfo_record {
    const VERSION_1: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };
    &VERSION_1
}

/// Returns the rows of pg_tview_metrics; see `sql/install/metrics.sql`.
///
/// # Safety
/// Called by PostgreSQL's function manager only.
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn pg_tviews_metrics(fcinfo: pg_sys::FunctionCallInfo) -> Datum {
    // SAFETY: the function manager passes a valid call, for a set in materialize mode.
    unsafe { return_rows(fcinfo, |metrics| &metrics.tviews) }
}

/// Returns the row of pg_tview_server_metrics; see `sql/install/metrics.sql`.
///
/// # Safety
/// As above.
#[unsafe(no_mangle)]
#[pg_guard]
pub unsafe extern "C-unwind" fn pg_tviews_server_metrics(fcinfo: pg_sys::FunctionCallInfo) -> Datum {
    // SAFETY: as above.
    unsafe { return_rows(fcinfo, |metrics| &metrics.server) }
}

/// Puts rows into the result of a call.
///
/// # Safety
/// The call is valid.
unsafe fn return_rows(fcinfo: pg_sys::FunctionCallInfo, rows: fn(&Metrics) -> &Rows) -> Datum {
    let Some(rows) = METRICS.get().map(rows) else {
        return Datum::from(0);
    };
    // SAFETY: as the caller promises. The descriptor is the list of columns that the query names. It is used only if it
    // has the types of the values.
    unsafe {
        pg_sys::InitMaterializedSRF(fcinfo, pg_sys::MAT_SRF_USE_EXPECTED_DESC);
        let result = (*fcinfo).resultinfo.cast::<pg_sys::ReturnSetInfo>();
        let columns = attributes((*result).setDesc).iter().map(|column| column.atttypid);
        if !columns.eq(rows.types.iter().copied()) {
            other_columns().raise();
        }
        for row in (rows.compute)() {
            assert_eq!(
                row.len(),
                rows.types.len(),
                "a row of metrics has too many values"
            );
            let mut values: Vec<Datum> = row.iter().map(Value::datum).collect();
            let mut nulls: Vec<bool> = row.iter().map(Value::is_null).collect();
            pg_sys::tuplestore_putvalues(
                (*result).setResult,
                (*result).setDesc,
                values.as_mut_ptr(),
                nulls.as_mut_ptr(),
            );
        }
        Datum::from(0)
    }
}

fn other_columns() -> Problem {
    Problem {
        code: PgSqlErrorCode::ERRCODE_DATATYPE_MISMATCH,
        message: "the function returns other columns".to_string(),
        detail: None,
        hint: Some("Query pg_tview_metrics or pg_tview_server_metrics.".to_string()),
    }
}
