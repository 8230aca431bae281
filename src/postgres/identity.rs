//! Running a piece of work as another role, with settings of its own, and coming back.

use std::cell::Cell;
use std::ffi::{CStr, CString};

use pgrx::pg_sys::{self, Oid};

/// How much the work is trusted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trust {
    /// Our own statements only.
    Internal,
    /// A user's view is evaluated: no SET ROLE, no temporary objects, nothing left behind.
    Restricted,
}

thread_local! {
    /// How many [`run_as`] are running.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// Whether this process is at work of ours: statements it runs are not the user's.
pub fn at_own_work() -> bool {
    DEPTH.get() > 0
}

struct Restore {
    user: Oid,
    context: i32,
    nest: i32,
}

impl Drop for Restore {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
        // An ERROR on its way out: the transaction's own abort resets both, and settings functions must
        // not run meanwhile.
        if !std::thread::panicking() {
            // SAFETY: restores what `run_as` read, in reverse order.
            unsafe {
                // Not kept: a function in a view may have set something for good.
                pg_sys::AtEOXact_GUC(false, self.nest);
                pg_sys::SetUserIdAndSecContext(self.user, self.context);
            }
        }
    }
}

/// The search_path of all SQL of the extension. Temporary objects come last: else a session's own tables would come first.
const SEARCH_PATH: &CStr = c"pg_catalog, pg_temp";

/// Runs `work`, whose SQL text means the same whatever the session has set.
pub fn pinned<R>(work: impl FnOnce() -> R) -> R {
    if is_pinned() {
        return work();
    }
    struct Restore(i32);
    impl Drop for Restore {
        fn drop(&mut self) {
            // See below: after an ERROR the abort does it.
            if !std::thread::panicking() {
                // SAFETY: ends the level begun below.
                unsafe { pg_sys::AtEOXact_GUC(false, self.0) }
            }
        }
    }
    // SAFETY: begins a level that `Restore` ends.
    let _restore = Restore(unsafe { pg_sys::NewGUCNestLevel() });
    pin();
    work()
}

/// Whether the settings that [`pin`] sets have their values. This is asked before every statement: no look-up by name.
fn is_pinned() -> bool {
    is_safe_path() && is_standard_syntax()
}

/// Until the end of the current level. What has its value already is left alone: setting it costs more than asking.
fn pin() {
    if !is_safe_path() {
        set("search_path", &SEARCH_PATH.to_string_lossy());
    }
    if !is_standard_syntax() {
        set("standard_conforming_strings", "on");
        set("transform_null_equals", "off");
    }
}

fn is_safe_path() -> bool {
    // SAFETY: search_path of this process, a C string.
    unsafe { CStr::from_ptr(pg_sys::namespace_search_path) == SEARCH_PATH }
}

fn is_standard_syntax() -> bool {
    // SAFETY: plain reads of settings of this process.
    unsafe { pg_sys::standard_conforming_strings && !pg_sys::Transform_null_equals }
}

/// Runs `work` as `role` under `settings` (name, value), and restores both afterwards. An ERROR inside must
/// end in an abort of the (sub)transaction that was current here, which restores them too.
pub fn run_as<R>(role: Oid, trust: Trust, settings: &[(String, String)], work: impl FnOnce() -> R) -> R {
    // SAFETY: plain reads and writes of the backend's identity; `Restore` undoes them.
    let _restore = unsafe {
        let (mut user, mut context) = (Oid::INVALID, 0);
        pg_sys::GetUserIdAndSecContext(&mut user, &mut context);
        let restore = Restore {
            user,
            context,
            nest: pg_sys::NewGUCNestLevel(),
        };
        DEPTH.set(DEPTH.get() + 1);
        pin();
        for (name, value) in settings {
            set(name, value);
        }
        let restriction = match trust {
            Trust::Internal => pg_sys::SECURITY_LOCAL_USERID_CHANGE,
            Trust::Restricted => pg_sys::SECURITY_LOCAL_USERID_CHANGE | pg_sys::SECURITY_RESTRICTED_OPERATION,
        };
        // Compiling takes seconds; what the planner thinks of the cost is often far off.
        set("jit", "off");
        pg_sys::SetUserIdAndSecContext(role, context | restriction as i32);
        restore
    };
    work()
}

/// Sets a setting until the end of the current [`run_as`].
pub fn set(name: &str, value: &str) {
    set_for(name, value, pg_sys::GucAction::GUC_ACTION_SAVE);
}

/// Has prepared statements keep the plan they got first, until the end of the current [`run_as`], and that plan look rows up
/// by index however small the table was then: the log and the audit are empty when a process first reads them.
pub fn planned_once() {
    set("plan_cache_mode", "force_generic_plan");
    set("enable_seqscan", "off");
}

/// Sets a setting until the end of the transaction, like SET LOCAL.
pub fn set_local(name: &str, value: &str) {
    set_for(name, value, pg_sys::GucAction::GUC_ACTION_LOCAL);
}

fn set_for(name: &str, value: &str, action: pg_sys::GucAction::Type) {
    let (Ok(name), Ok(value)) = (CString::new(name), CString::new(value)) else {
        return;
    };
    // SAFETY: both strings outlive the call; a saved value belongs to the nest level opened by run_as.
    unsafe {
        pg_sys::set_config_option(
            name.as_ptr(),
            value.as_ptr(),
            pg_sys::GucContext::PGC_USERSET,
            pg_sys::GucSource::PGC_S_SESSION,
            action,
            true,
            0,
            false,
        );
    }
}

/// The role that is current now.
pub fn current_role() -> Oid {
    // SAFETY: reads a backend-local variable.
    unsafe { pg_sys::GetUserId() }
}

/// Whether `role` has the rights of `member_of` (superusers have all).
pub fn has_rights_of(role: Oid, member_of: Oid) -> bool {
    // SAFETY: catalog look-up inside a transaction.
    unsafe { pg_sys::has_privs_of_role(role, member_of) }
}

/// The role that owns the cluster: the one our own statements run as.
pub fn superuser() -> Oid {
    Oid::from(pg_sys::BOOTSTRAP_SUPERUSERID)
}

/// Runs our own statements, whatever the caller's rights and search_path.
pub fn run_internal<R>(work: impl FnOnce() -> R) -> R {
    run_as(superuser(), Trust::Internal, &[], work)
}
