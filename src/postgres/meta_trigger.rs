//! The row trigger of pg_tview_meta as safe code sees it.

use pgrx::datum::Interval;
use pgrx::pg_sys::{self, Oid};
use pgrx::{FromDatum, PgSqlErrorCode};

use crate::error::Problem;

/// The updated row.
pub struct MetaUpdate {
    /// The trigger's argument: which column it watches.
    pub column: String,
    pub tview: Oid,
    pub max_latency: Option<Interval>,
    pub fk_columns: Vec<Option<String>>,
}

/// Reads the call; raises an ERROR if it is not one of our trigger.
#[allow(clippy::not_unsafe_ptr_arg_deref)] // Only PostgreSQL makes call infos, and passes them on valid.
pub fn read(fcinfo: pg_sys::FunctionCallInfo) -> MetaUpdate {
    // SAFETY: checked to be the data of a row trigger for UPDATE, which outlives the call; the columns are
    // those of pg_tview_meta, whose types the extension's script declares.
    unsafe {
        let refuse = || {
            Problem::new(
                PgSqlErrorCode::ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED,
                "pg_tviews_meta_updated() can only be called by the triggers of pg_tview_meta",
            )
            .raise()
        };
        if !pgrx::trigger_support::called_as_trigger(fcinfo) {
            refuse();
        }
        let data = &*(*fcinfo).context.cast::<pg_sys::TriggerData>();
        let trigger = &*data.tg_trigger;
        if data.tg_event & pg_sys::TRIGGER_EVENT_OPMASK != pg_sys::TRIGGER_EVENT_UPDATE
            || data.tg_event & pg_sys::TRIGGER_EVENT_ROW == 0
            || trigger.tgnargs != 1
        {
            refuse();
        }
        let descriptor = (*data.tg_relation).rd_att;
        let datum = |name: &std::ffi::CStr| {
            let number = pg_sys::SPI_fnumber(descriptor, name.as_ptr());
            let mut null = false;
            let datum = pg_sys::SPI_getbinval(data.tg_newtuple, descriptor, number, &mut null);
            (datum, null)
        };
        let (tview, tview_null) = datum(c"tview_oid");
        let (columns, columns_null) = datum(c"fk_columns");
        let (latency, latency_null) = datum(c"max_latency");
        MetaUpdate {
            column: std::ffi::CStr::from_ptr(*trigger.tgargs)
                .to_string_lossy()
                .into_owned(),
            tview: Oid::from_datum(tview, tview_null).unwrap_or(Oid::INVALID),
            max_latency: Interval::from_datum(latency, latency_null),
            fk_columns: FromDatum::from_datum(columns, columns_null).unwrap_or_default(),
        }
    }
}
