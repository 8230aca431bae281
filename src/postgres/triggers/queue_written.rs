//! The trigger on pg_tview_queue that fires after a statement has written rows.

use pgrx::pg_sys;

use super::call;

/// Raises an ERROR if the call is not one of our trigger.
pub fn check(fcinfo: pg_sys::FunctionCallInfo) {
    call::data(
        fcinfo,
        pg_sys::TRIGGER_EVENT_ROW | pg_sys::TRIGGER_EVENT_TIMINGMASK,
        pg_sys::TRIGGER_EVENT_AFTER,
        "pg_tviews_queue_written() can only be called by the trigger of pg_tview_queue",
    );
}
