//! The data of a trigger call.

use pgrx::pg_sys;
use pgrx::PgSqlErrorCode;

use crate::error::Problem;

/// The data of a call by a trigger whose event, within `mask`, is `event`; anything else is refused with
/// `message`.
pub(super) fn data<'a>(
    fcinfo: pg_sys::FunctionCallInfo,
    mask: u32,
    event: u32,
    message: &str,
) -> &'a pg_sys::TriggerData {
    // SAFETY: only PostgreSQL makes call infos, and passes them on valid. Checked to be trigger data, which
    // outlives the call, as do its relation and trigger.
    unsafe {
        if pgrx::trigger_support::called_as_trigger(fcinfo) {
            let data = &*(*fcinfo).context.cast::<pg_sys::TriggerData>();
            if data.tg_event & mask == event {
                return data;
            }
        }
    }
    refuse(message)
}

/// Refuses a call that no trigger of the right kind has made.
pub(super) fn refuse(message: &str) -> ! {
    Problem::new(PgSqlErrorCode::ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED, message).raise()
}
