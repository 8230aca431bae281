//! 1. Row change -> backend-local buffer -> `pg_tview_queue`.
pub fn init() {}
