//! Processes of the server: identity, termination, configuration, memory, latches.

use pgrx::pg_sys;

use crate::postgres::versions::noreturn;

extern "C" {
    fn kill(pid: i32, signal: i32) -> i32;
}

/// Keeps Rust backtraces out of what users read: pgrx adds one to the DETAIL of every PostgreSQL ERROR when
/// the server was started with RUST_BACKTRACE set. RUST_LIB_BACKTRACE, if set, decides.
pub fn no_backtraces() {
    const NAME: &str = "RUST_LIB_BACKTRACE";
    if std::env::var_os(NAME).is_none() {
        std::env::set_var(NAME, "0");
    }
}

/// The database this process is connected to (invalid in the launcher).
pub fn database() -> pg_sys::Oid {
    // SAFETY: a plain variable of this process, set once while connecting.
    unsafe { pg_sys::MyDatabaseId }
}

/// Whether this is the session of a client, and writes what the client writes: no worker, and nothing that
/// replication or a restore script has taken from elsewhere.
pub fn serves_client() -> bool {
    // SAFETY: plain variables of this process.
    unsafe {
        pg_sys::MyBackendType == pg_sys::BackendType::B_BACKEND
            && pg_sys::SessionReplicationRole != pg_sys::SESSION_REPLICATION_ROLE_REPLICA as i32
    }
}

/// Whether this is a background worker, not a session.
pub fn is_background_worker() -> bool {
    // SAFETY: a plain variable of this process, set at its start.
    unsafe { !pg_sys::MyBgworkerEntry.is_null() }
}

/// This process.
pub fn pid() -> i32 {
    // SAFETY: a plain variable of this process, set at its start.
    unsafe { pg_sys::MyProcPid }
}

/// Whether `pid` is a process of this cluster.
pub fn is_alive(pid: i32) -> bool {
    // SAFETY: looks the number up in the process array under its lock; the result is only compared with null.
    pid != 0 && unsafe { !pg_sys::BackendPidGetProc(pid).is_null() }
}

/// Asks a process of this cluster to end, as `pg_terminate_backend` does.
pub fn terminate(pid: i32) {
    if is_alive(pid) {
        // SAFETY: the number was just found to be a process of this cluster; the signal is a request it
        // handles.
        unsafe { kill(pid, pg_sys::SIGTERM as i32) };
    }
}

/// Whether process `pid` of this cluster has this number in the process array.
pub fn has_number(pid: i32, number: u32) -> bool {
    // SAFETY: the number is that of a place in shared memory which has as many as there are processes with
    // transactions, and the array has more. The id may be read without a lock.
    let pid_there = unsafe { (*(*pg_sys::ProcGlobal).allProcs.add(number as usize)).pid };
    pid_there == pid && is_alive(pid)
}

/// How many processes can have a transaction at the same time. Known once libraries are preloaded.
pub fn maximum_sessions() -> usize {
    // SAFETY: a plain variable of this process, set once by the postmaster.
    usize::try_from(unsafe { pg_sys::MaxBackends }).unwrap_or(0)
}

/// Runs `last_words` when this process ends in any way but a crash. Registered before connecting, it runs
/// when the process has already left its database. Each call takes one of the few places that PostgreSQL has.
pub fn at_exit(last_words: fn()) {
    // SAFETY: the callback is a static function, and its argument the address of one.
    unsafe { pg_sys::on_shmem_exit(Some(say_last_words), pg_sys::Datum::from(last_words as usize)) }
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn say_last_words(_code: i32, last_words: pg_sys::Datum) {
    // SAFETY: the argument that `at_exit` has made of such a function.
    let last_words: fn() = unsafe { std::mem::transmute(last_words.value()) };
    last_words();
}

/// The setting `max_worker_processes`.
pub fn worker_slots() -> usize {
    // SAFETY: a plain variable of this process.
    usize::try_from(unsafe { pg_sys::max_worker_processes }).unwrap_or(0)
}

/// The setting `max_parallel_workers_per_gather`, as this process has read it.
pub fn parallel_workers() -> usize {
    // SAFETY: as above.
    usize::try_from(unsafe { pg_sys::max_parallel_workers_per_gather }).unwrap_or(0)
}

/// The background workers of the server by process id, and whether each works for a parallel query. Workers
/// that have a slot but no process at this moment are left out.
pub fn background_workers() -> Vec<(i32, bool)> {
    let mut found = Vec::new();
    // SAFETY: the array lives as long as shared memory. Its entries may change meanwhile: the fields read
    // here may be read without a lock, and an entry counts only if the process array still has it under its
    // id. Leaders are only compared.
    unsafe {
        for number in 0..(*pg_sys::ProcGlobal).allProcCount as usize {
            let proc = (*pg_sys::ProcGlobal).allProcs.add(number);
            let pid = (*proc).pid;
            // Not `isBackgroundWorker`: autovacuum and walsenders have that, too.
            let of_workers = (*proc).procgloballist == &raw mut (*pg_sys::ProcGlobal).bgworkerFreeProcs;
            if !of_workers || pid == 0 || pg_sys::BackendPidGetProc(pid) != proc {
                continue;
            }
            let leader = (*proc).lockGroupLeader;
            found.push((pid, !leader.is_null() && leader != proc));
        }
    }
    found
}

/// True while `pg_upgrade` runs this server: nothing may be written or started then.
pub fn binary_upgrade() -> bool {
    // SAFETY: a plain variable, set from the command line of the server.
    unsafe { pg_sys::IsBinaryUpgrade }
}

/// True while the postmaster loads `shared_preload_libraries`.
pub fn preloading() -> bool {
    // SAFETY: a plain variable of this process.
    unsafe { pg_sys::process_shared_preload_libraries_in_progress }
}

/// Re-reads the configuration files if a reload was asked for.
pub fn reload_settings_if_asked() {
    // SAFETY: the flag belongs to this process; ProcessConfigFile is meant for a main loop outside any
    // transaction.
    unsafe {
        if pg_sys::ConfigReloadPending != 0 {
            pg_sys::ConfigReloadPending = 0;
            pg_sys::ProcessConfigFile(pg_sys::GucContext::PGC_SIGHUP);
        }
    }
}

/// Ends this process; `again` makes the postmaster start it anew if it is a restartable one.
pub fn exit(again: bool) -> ! {
    // SAFETY: runs the exit callbacks and never returns; no Rust frame above owns anything outside this
    // process.
    unsafe { noreturn::proc_exit(if again { 1 } else { 0 }) }
}
pub mod background_worker;
pub mod clock;
pub mod database_list;
pub mod latch;
pub mod leftovers;
pub mod memory;
pub mod run_delay;
pub mod shared_memory;
pub mod time_limit;
