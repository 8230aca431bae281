//! What code of an owner leaves behind in a session that goes on with other rights. A procedural language compiles a function when it
//! is called first, under the search_path of that moment, and keeps it for the life of the process. So code of an owner that
//! calls a function of somebody else first decides what the names in it mean, also for the session.
//!
//! ```text
//! code of an owner runs, the session has rights that the owner has not
//!   -> a function of a procedural language is called, or given to the validator of one
//!        of a role whose rights the owner has, in code that is not bound -> it runs
//!        otherwise                                                       -> 42501, also where the code catches that
//! ```

use std::cell::{Cell, RefCell};
use std::ffi::CStr;

use pgrx::pg_sys::{self, Oid};
use pgrx::{pg_guard, IntoDatum, PgSqlErrorCode};

use crate::error::Problem;
use crate::postgres::role::{self, has_rights_of};

/// Whose code runs in a session that is not its own.
#[derive(Clone, Copy)]
pub struct Guest {
    pub role: Oid,
    /// It calls no compiled function at all, as far as is known.
    pub bound: bool,
}

thread_local! {
    /// The innermost; None where no code of an owner runs, or where the session is its own.
    static GUEST: Cell<Option<Guest>> = const { Cell::new(None) };
    /// A call that was refused since the outermost came.
    static REFUSED: RefCell<Option<Problem>> = const { RefCell::new(None) };
}

static mut NEXT_NEEDS: pg_sys::needs_fmgr_hook_type = None;
static mut NEXT: pg_sys::fmgr_hook_type = None;

/// Puts the hooks in front of those already installed; call once per process, from `_PG_init`.
pub fn install() {
    // SAFETY: the process is single-threaded and runs _PG_init once.
    unsafe {
        NEXT_NEEDS = pg_sys::needs_fmgr_hook;
        pg_sys::needs_fmgr_hook = Some(looked_up);
        NEXT = pg_sys::fmgr_hook;
        pg_sys::fmgr_hook = Some(called);
    }
}

/// Comes in; what was there before, for [`leave`].
pub fn enter(guest: Option<Guest>) -> Option<Guest> {
    let before = GUEST.get();
    if before.is_none() && guest.is_some() {
        forget();
    }
    GUEST.set(guest);
    before
}

/// Whatever was refused has been dealt with.
pub fn forget() {
    REFUSED.take();
}

/// Puts back what was there before.
pub fn leave(before: Option<Guest>) {
    GUEST.set(before);
}

/// The guest that is here.
pub fn current() -> Option<Guest> {
    GUEST.get()
}

/// Whether the code of the last guest has called what it must not.
pub fn was_refused() -> bool {
    REFUSED.with_borrow(Option::is_some)
}

/// Raises what the code of the guest that is here has caught: its result is worth nothing.
pub fn raise_refused() {
    let caught = GUEST.get().and_then(|_| REFUSED.with_borrow(Clone::clone));
    if let Some(problem) = caught {
        problem.raise();
    }
}

/// Before the first call of a function in a statement. PostgreSQL's own functions do not come here, nor those that are looked at
/// by [`called`].
unsafe extern "C-unwind" fn looked_up(function: Oid) -> bool {
    if GUEST.get().is_some() {
        check(function);
    }
    // SAFETY: handed on as it came.
    unsafe { NEXT_NEEDS.is_some_and(|next| next(function)) }
}

/// Around every call of a function with SECURITY DEFINER or settings.
unsafe extern "C-unwind" fn called(
    event: pg_sys::FmgrHookEventType::Type,
    info: *mut pg_sys::FmgrInfo,
    private: *mut pg_sys::Datum,
) {
    // SAFETY: PostgreSQL passes the function that it calls; handed on as it came.
    unsafe {
        if event == pg_sys::FmgrHookEventType::FHET_START && GUEST.get().is_some() {
            check((*info).fn_oid);
        }
        if let Some(next) = NEXT {
            next(event, info, private);
        }
    }
}

/// Raises if the guest must not call this function.
#[pg_guard]
extern "C-unwind" fn check(function: Oid) {
    let Some(guest) = GUEST.get() else { return };
    let Some(called) = Called::of(function) else {
        return;
    };
    if !called.is_kept || (!guest.bound && has_rights_of(guest.role, called.owner)) {
        return;
    }
    let problem = called.problem(function, guest);
    REFUSED.set(Some(problem.clone()));
    problem.raise();
}

/// The languages `internal`, `c` and `sql`: nothing is kept of their functions from one statement to the next.
const NOT_KEPT: [u32; 3] = [12, C, 14];
const C: u32 = 13;

struct Called {
    owner: Oid,
    /// Calling it leaves something in the process: it is of a procedural language, or may be the validator of one.
    is_kept: bool,
}

impl Called {
    fn of(function: Oid) -> Option<Called> {
        // SAFETY: the tuple is released after its only use.
        unsafe {
            let cache = pg_sys::SysCacheIdentifier::PROCOID as i32;
            let tuple = pg_sys::SearchSysCache1(cache, function.into_datum()?);
            if tuple.is_null() {
                return None;
            }
            let form = &*pg_sys::heap_tuple_get_struct::<pg_sys::FormData_pg_proc>(tuple);
            let language = form.prolang.to_u32();
            let takes_oid = form.pronargs == 1 && form.proargtypes.values.as_slice(1)[0] == pg_sys::OIDOID;
            let called = Called {
                owner: form.proowner,
                is_kept: !NOT_KEPT.contains(&language) || (language == C && takes_oid),
            };
            pg_sys::ReleaseSysCache(tuple);
            Some(called)
        }
    }

    fn problem(&self, function: Oid, guest: Guest) -> Problem {
        let (owner, role) = (role::name(self.owner), role::name(guest.role));
        // SAFETY: returns a C string in the current memory context, made of catalog look-ups.
        let name = unsafe { CStr::from_ptr(pg_sys::format_procedure_qualified(function)) };
        Problem::new(
            PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            format!(
                "code of {role} does not call the function {} of {owner} in this session",
                name.to_string_lossy()
            ),
        )
        .detail("The session would keep the function as that code has it compiled.")
        .hint(format!(
            "Leave it to the workers, or do it in a session of {role}."
        ))
    }
}
