//! Permission to run code of a role in this process. It is given only if nothing that another role has
//! prepared in this process can affect the code.
//!
//! ```text
//! all who ask have the rights of the role, and so had every role whose code ran here before   -> yes
//! no temporary objects, and the code names all it uses by OID (`reachable` finds nothing)      -> yes
//! otherwise                                                                                    -> a refusal with the reason
//! ```
//!
//! Changing the role, SECURITY_RESTRICTED_OPERATION and [`function_calls`] protect the session from the code.
//! Nothing protects the code from the session: temporary objects, and functions of procedural languages
//! compiled here before under another search_path.

use std::cell::{Cell, RefCell};

use pgrx::pg_sys::{self, Oid};

use super::hooks::function_calls::{self, Guest};
use super::role::has_rights_of;

/// Proof that code of a role may run here now; [`super::run_as::run_restricted`] needs one.
#[derive(Debug, Clone, Copy)]
pub struct Permit {
    role: Oid,
    /// All of the code names what it uses by OID.
    bound: bool,
    /// The caller could run the code without the extension.
    of_caller: bool,
}

/// Why code of a role must not run here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The session is that of a role without the rights, and has temporary objects.
    TemporaryObjects,
    /// The session is that of a role without the rights, and this could be prepared for.
    Reachable(String),
    /// This could be prepared for by code of another role, which has run here.
    After(Oid, String),
}

thread_local! {
    /// Roles whose code is running in this process, the innermost last; see [`enter`].
    static ASKING: RefCell<Vec<Oid>> = const { RefCell::new(Vec::new()) };
    /// Roles other than that of the session whose code may have left objects or settings in this process.
    static SERVED: RefCell<Vec<Oid>> = const { RefCell::new(Vec::new()) };
    /// This process is a worker, and has no session role of its own.
    static WORKER: Cell<bool> = const { Cell::new(false) };
}

/// This process is a worker: every role whose code it runs counts as served, without checking the code. A new
/// worker can take its place.
pub fn serve() {
    WORKER.set(true);
}

impl Permit {
    /// Asks to run code of `role`. `reachable` names the part of the code that a session could be prepared
    /// for, if there is one.
    pub fn ask(role: Oid, reachable: impl FnOnce() -> Option<String>) -> Result<Permit, Refusal> {
        if has_rights_all(&asking(), role) {
            return match served_without_rights_of(role) {
                Some(other) => reachable().map_or(Ok(Permit::for_code_of(role, true)), |what| {
                    Err(Refusal::After(other, what))
                }),
                None => {
                    note_served(role, reachable);
                    Ok(Permit::for_code_of(role, false))
                }
            };
        }
        if has_temporary_objects() {
            return Err(Refusal::TemporaryObjects);
        }
        match reachable() {
            None => Ok(Permit::for_code_of(role, true)),
            Some(what) => Err(Refusal::Reachable(what)),
        }
    }

    fn for_code_of(role: Oid, bound: bool) -> Permit {
        Permit {
            role,
            bound,
            of_caller: false,
        }
    }

    /// For code that the caller could run without the extension.
    pub fn of_caller() -> Permit {
        Permit {
            of_caller: true,
            ..Permit::for_code_of(current(), false)
        }
    }

    pub(super) fn role(self) -> Oid {
        self.role
    }

    /// The guest that the code is in this session, if it is not at home. A session that has become the role by
    /// SET ROLE or SET SESSION AUTHORIZATION can go back to a role with more rights.
    pub(super) fn guest(self) -> Option<Guest> {
        if self.of_caller {
            return function_calls::current();
        }
        let at_home = || hosts().into_iter().all(|host| has_rights_of(self.role, host));
        (!WORKER.get() && (self.bound || !at_home())).then_some(Guest {
            role: self.role,
            bound: self.bound,
        })
    }
}

/// Whether the session's role and every role on the way to here have the rights of `role`.
pub fn has_rights(role: Oid) -> bool {
    has_rights_all(&asking(), role)
}

/// Code of `role` is about to run, or without one, work of the extension for the current role. Ended by
/// [`leave`].
pub(super) fn enter(role: Option<Oid>) {
    let role = role.unwrap_or_else(current);
    ASKING.with_borrow_mut(|asking| asking.push(role));
}

pub(super) fn leave() {
    ASKING.with_borrow_mut(|asking| asking.pop());
}

/// The session's role, the roles on the way, the current one.
fn asking() -> Vec<Oid> {
    // SAFETY: reads a backend-local variable.
    let session = unsafe { pg_sys::GetOuterUserId() };
    let on_the_way = ASKING.with_borrow(|asking| asking.clone());
    on_the_way.into_iter().chain([session, current()]).collect()
}

/// Whose rights the session has now, and after RESET ROLE and RESET SESSION AUTHORIZATION.
fn hosts() -> [Oid; 3] {
    // SAFETY: reads backend-local variables.
    unsafe {
        [
            pg_sys::GetOuterUserId(),
            pg_sys::GetSessionUserId(),
            pg_sys::GetAuthenticatedUserId(),
        ]
    }
}

fn current() -> Oid {
    // SAFETY: reads a backend-local variable.
    unsafe { pg_sys::GetUserId() }
}

fn has_rights_all(roles: &[Oid], of: Oid) -> bool {
    roles.iter().all(|role| has_rights_of(*role, of))
}

fn served_without_rights_of(role: Oid) -> Option<Oid> {
    SERVED.with_borrow(|served| served.iter().copied().find(|other| !has_rights_of(*other, role)))
}

fn note_served(role: Oid, reachable: impl FnOnce() -> Option<String>) {
    // SAFETY: reads a backend-local variable.
    let own = role == unsafe { pg_sys::GetOuterUserId() };
    if own || SERVED.with_borrow(|served| served.contains(&role)) {
        return;
    }
    if WORKER.get() || reachable().is_some() {
        SERVED.with_borrow_mut(|served| served.push(role));
    }
}

/// Whether this session has a schema for temporary objects; once it has, it keeps it.
fn has_temporary_objects() -> bool {
    let (mut schema, mut toast) = (Oid::INVALID, Oid::INVALID);
    // SAFETY: reads backend-local variables into two of ours.
    unsafe { pg_sys::GetTempNamespaceState(&mut schema, &mut toast) };
    schema != Oid::INVALID
}
