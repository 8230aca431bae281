//! Background processes: entry points, signals, connection, forced settings, activity, exit.

use std::ffi::{CStr, CString};
use std::sync::OnceLock;

use pgrx::bgworkers::{BackgroundWorkerBuilder, BgWorkerStartTime};
use pgrx::{pg_sys, IntoDatum};

use crate::postgres::versions::{signals, transaction_timeout};

/// The main functions of the background processes.
pub struct Mains {
    pub launcher: fn(),
    /// With the argument that [`start_worker`] was given.
    pub worker: fn(i64),
}

static MAINS: OnceLock<Mains> = OnceLock::new();

/// Call once per process, from `_PG_init`.
pub fn register(mains: Mains) {
    MAINS.get_or_init(|| mains);
}

/// Registers the launcher with the postmaster; call from `_PG_init` while libraries are preloaded.
pub fn register_launcher() {
    BackgroundWorkerBuilder::new("pg_tviews launcher")
        .set_type("pg_tviews launcher")
        .set_library("pg_tviews")
        .set_function("pg_tviews_launcher_main")
        .enable_spi_access()
        .set_start_time(BgWorkerStartTime::RecoveryFinished)
        .set_restart_time(Some(std::time::Duration::from_secs(5)))
        .load();
}

/// Asks the postmaster for a worker; false if every slot of `max_worker_processes` is taken.
pub fn start_worker(argument: i64) -> bool {
    BackgroundWorkerBuilder::new("pg_tviews worker")
        .set_type("pg_tviews worker")
        .set_library("pg_tviews")
        .set_function("pg_tviews_worker_main")
        .enable_spi_access()
        .set_start_time(BgWorkerStartTime::RecoveryFinished)
        .set_restart_time(None)
        .set_argument(argument.into_datum())
        .load_dynamic()
        .is_ok()
}

/// Entry point of the launcher.
#[no_mangle]
#[pgrx::pg_guard]
pub extern "C-unwind" fn pg_tviews_launcher_main(_argument: pg_sys::Datum) {
    accept_signals();
    if let Some(mains) = MAINS.get() {
        (mains.launcher)();
    }
}

/// Entry point of a worker.
#[no_mangle]
#[pgrx::pg_guard]
pub extern "C-unwind" fn pg_tviews_worker_main(argument: pg_sys::Datum) {
    accept_signals();
    if let Some(mains) = MAINS.get() {
        (mains.worker)(argument.value() as i64);
    }
}

/// Signal handlers of PostgreSQL, declared here because a handler must not run through the error conversion
/// of pgrx's declaration.
mod handler {
    extern "C-unwind" {
        pub fn SignalHandlerForConfigReload(signal: i32);
        pub fn die(signal: i32);
    }
}

/// The handler of SIGTERM is `die`, not a flag: it interrupts a running query, which a fast shutdown would
/// otherwise wait for.
fn accept_signals() {
    // SAFETY: installs handlers of PostgreSQL itself, before signals are unblocked.
    unsafe {
        signals::handle(pg_sys::SIGHUP, handler::SignalHandlerForConfigReload);
        signals::handle(pg_sys::SIGTERM, handler::die);
        pg_sys::BackgroundWorkerUnblockSignals();
    }
}

/// Connects to no database: only shared catalogs can be read, and every database can be dropped.
pub fn connect_to_shared_catalogs() {
    // SAFETY: called once, at the start of a background process that asked for a database connection.
    unsafe { pg_sys::BackgroundWorkerInitializeConnection(std::ptr::null(), std::ptr::null(), 0) }
}

/// Connects to `database` as the bootstrap superuser. Fails (and ends the process) if it does not exist any
/// more.
pub fn connect(database: pg_sys::Oid) {
    // SAFETY: called once, at the start of a background process that asked for a database connection.
    unsafe { pg_sys::BackgroundWorkerInitializeConnectionByOid(database, pg_sys::InvalidOid, 0) }
}

/// Makes this process a session of the role that it has connected as. ALTER DATABASE and ALTER ROLE can set
/// `role` and `session_authorization`, too.
pub fn return_to_own_role() {
    // SAFETY: plain reads and writes of the backend's identity, outside a transaction.
    unsafe { pg_sys::SetSessionAuthorization(pg_sys::GetAuthenticatedUserId(), true) }
    force_setting(c"role", c"none");
}

/// Makes an ERROR of what would change `transaction_timeout`: code of users, which this process runs, could end the
/// process by it, again and again.
pub fn keep_transaction_timeout() {
    transaction_timeout::refuse_changes();
}

/// Sets `name` above every configuration file, ALTER DATABASE and ALTER ROLE, so none of them changes
/// refreshes. Does nothing if the server has no setting of that name.
pub fn force_setting(name: &CStr, value: &CStr) {
    // SAFETY: both strings outlive the call, which copies them.
    unsafe {
        if pg_sys::GetConfigOption(name.as_ptr(), true, false).is_null() {
            return;
        }
        pg_sys::SetConfigOption(
            name.as_ptr(),
            value.as_ptr(),
            pg_sys::GucContext::PGC_SUSET,
            pg_sys::GucSource::PGC_S_OVERRIDE,
        )
    }
}

/// Shows "idle" in `pg_stat_activity`.
pub fn report_idle() {
    // SAFETY: a null text is what PostgreSQL itself passes for this state.
    unsafe { pg_sys::pgstat_report_activity(pg_sys::BackendState::STATE_IDLE, std::ptr::null()) }
}

/// Shows what is being done in `pg_stat_activity`.
pub fn report_running(what: &str) {
    let text = CString::new(what).unwrap_or_default();
    // SAFETY: the text outlives the call, which copies it.
    unsafe { pg_sys::pgstat_report_activity(pg_sys::BackendState::STATE_RUNNING, text.as_ptr()) }
}
