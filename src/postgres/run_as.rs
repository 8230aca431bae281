//! Runs a piece of work as another role and with other settings, and restores both afterwards.

use std::cell::Cell;
use std::ffi::{CStr, CString};

use pgrx::pg_sys::{self, Oid};

use super::hooks::function_calls::{self, Guest};
use super::hooks::insistent_cancel::Insist;
use super::named;
use super::permit::{self, Permit};
use super::role::superuser;
use super::row_settings::{ALWAYS, FORCED, PINNED};

thread_local! {
    /// How many [`run_internal`] and [`run_restricted`] are running.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// Whether this process runs work of the extension: its statements are not written by the user.
pub fn at_own_work() -> bool {
    DEPTH.get() > 0
}

struct Restore {
    user: Oid,
    context: i32,
    nest: i32,
    guest: Option<Guest>,
}

impl Drop for Restore {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
        permit::leave();
        named::leave();
        function_calls::leave(self.guest);
        // An ERROR on its way out: the transaction's own abort resets both, and settings functions must
        // not run meanwhile.
        if !std::thread::panicking() {
            // SAFETY: restores what `enter` read, in reverse order.
            unsafe {
                // Settings are rolled back: a function in a view may have run SET.
                pg_sys::AtEOXact_GUC(false, self.nest);
                pg_sys::SetUserIdAndSecContext(self.user, self.context);
            }
        }
    }
}

/// The search_path of all SQL of the extension. Temporary objects come last: PostgreSQL searches them first
/// where pg_temp is not named.
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

/// Whether the settings that [`pin`] sets have their values. Called before every statement, so nothing is
/// looked up by name.
fn is_pinned() -> bool {
    is_safe_path() && is_standard_syntax() && !tells_the_log()
}

/// Sets these settings until the end of the current level. Those that have their value already are not set:
/// that costs more than the check.
fn pin() {
    if !is_safe_path() {
        set("search_path", &SEARCH_PATH.to_string_lossy());
    }
    if !is_standard_syntax() {
        set("standard_conforming_strings", "on");
        set("transform_null_equals", "off");
    }
    if tells_the_log() {
        set("client_min_messages", "notice");
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

/// Whether the client is sent what is meant for the server log. Statements and plans, which `debug_print_plan`
/// and auto_explain log, have keys and conditions that the caller may not see.
fn tells_the_log() -> bool {
    // SAFETY: a plain read of a setting of this process.
    unsafe { pg_sys::client_min_messages < pg_sys::NOTICE as i32 }
}

/// Runs statements of the extension, whatever rights and search_path the caller has. An ERROR inside must end
/// in an abort of the (sub)transaction that was current here, which restores both.
pub fn run_internal<R>(work: impl FnOnce() -> R) -> R {
    let _restore = enter(None, function_calls::current());
    pin();
    keep_all(&ALWAYS);
    become_role(superuser(), 0);
    work()
}

/// Runs code of users with the rights that were permitted, under the settings that rows are computed with
/// (`pinned`: name and value). The code cannot SET ROLE or create temporary tables, leaves no setting
/// behind, and cannot catch a cancel. For an ERROR inside, see [`run_internal`].
pub fn run_restricted<R>(permit: Permit, pinned: &[(String, String)], work: impl FnOnce() -> R) -> R {
    let _restore = enter(Some(permit.role()), permit.guest());
    pin();
    keep_all(&ALWAYS);
    keep_all(&FORCED);
    for (name, otherwise) in PINNED {
        match (pinned.iter().find(|(pinned, _)| pinned == name), otherwise) {
            // Also for a library that is loaded later.
            (Some((_, value)), _) if !has(name, value) => set(name, value),
            (None, Some(value)) => keep(name, value),
            _ => {}
        }
    }
    become_role(permit.role(), pg_sys::SECURITY_RESTRICTED_OPERATION);
    let _insist = Insist::begin();
    let result = work();
    function_calls::raise_refused();
    result
}

/// Saves what `Restore` restores. `role`: the role whose code is going to run; `guest`: if the session has
/// rights that this role has not.
fn enter(role: Option<Oid>, guest: Option<Guest>) -> Restore {
    permit::enter(role);
    named::enter(None);
    DEPTH.set(DEPTH.get() + 1);
    let (mut user, mut context) = (Oid::INVALID, 0);
    // SAFETY: plain reads of the backend's identity; the level of settings is closed by `Restore`.
    unsafe {
        pg_sys::GetUserIdAndSecContext(&mut user, &mut context);
        Restore {
            user,
            context,
            nest: pg_sys::NewGUCNestLevel(),
            guest: function_calls::enter(guest),
        }
    }
}

fn become_role(role: Oid, restriction: u32) {
    let mut user = Oid::INVALID;
    let mut context = 0;
    let restriction = pg_sys::SECURITY_LOCAL_USERID_CHANGE | restriction;
    // SAFETY: plain reads and writes of the backend's identity, which `Restore` undoes.
    unsafe {
        pg_sys::GetUserIdAndSecContext(&mut user, &mut context);
        pg_sys::SetUserIdAndSecContext(role, context | restriction as i32);
    }
}

/// The settings that rows depend on, with the values they have now: for [`run_restricted`].
pub fn settings_here() -> Vec<(String, String)> {
    let here = |name: &str| Some(String::from_utf8_lossy(now(name)?).into_owned());
    PINNED
        .iter()
        .filter_map(|(name, _)| Some((name.to_string(), here(name)?)))
        .collect()
}

/// Whether the settings that rows depend on have the values that rows are computed with.
pub fn has_settings(pinned: &[(String, String)]) -> bool {
    PINNED.iter().all(|(name, otherwise)| {
        let kept = pinned.iter().find(|(pinned, _)| pinned == name);
        match (kept, otherwise) {
            (Some((_, value)), _) => has(name, value),
            (None, Some(value)) => now(name).is_none_or(|now| now == value.as_bytes()),
            (None, None) => true,
        }
    })
}

fn keep_all(settings: &[(&str, &str)]) {
    settings.iter().for_each(|(name, value)| keep(name, value));
}

/// Sets a setting unless it has this value. A setting that the server does not know belongs to a later
/// version or to a library that is not loaded, and is left alone.
fn keep(name: &str, value: &str) {
    if now(name).is_some_and(|now| now != value.as_bytes()) {
        set(name, value);
    }
}

fn has(name: &str, value: &str) -> bool {
    now(name).is_some_and(|now| now == value.as_bytes())
}

/// The value of a setting as it is; None for an unknown one.
fn now(name: &str) -> Option<&[u8]> {
    let known = CString::new(name).ok()?;
    // SAFETY: a look-up by name; the text is compared before anything else runs.
    let now = unsafe { pg_sys::GetConfigOption(known.as_ptr(), true, false) };
    // SAFETY: NULL or a C string.
    (!now.is_null()).then(|| unsafe { CStr::from_ptr(now) }.to_bytes())
}

/// Runs `work` with one setting changed, as the same role. As in [`run_internal`] for an ERROR inside.
pub fn with_setting<R>(name: &str, value: &str, work: impl FnOnce() -> R) -> R {
    // SAFETY: the nest level is closed again here, or by the abort of the (sub)transaction.
    unsafe {
        let nest = pg_sys::NewGUCNestLevel();
        set(name, value);
        let result = work();
        pg_sys::AtEOXact_GUC(true, nest);
        result
    }
}

/// Sets a setting until the end of the current [`run_internal`] or [`run_restricted`].
pub fn set(name: &str, value: &str) {
    set_for(name, value, pg_sys::GucAction::GUC_ACTION_SAVE);
}

/// Until the end of the current [`run_internal`], prepared statements keep their first plan, and that plan
/// uses indexes however small the tables are. Queue and audit table are empty when a process first reads
/// them.
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
    // SAFETY: both strings outlive the call; a saved value belongs to the nest level opened by `enter`.
    unsafe {
        pg_sys::set_config_option(
            name.as_ptr(),
            value.as_ptr(),
            pg_sys::GucContext::PGC_SUSET,
            pg_sys::GucSource::PGC_S_SESSION,
            action,
            true,
            0,
            false,
        );
    }
}
