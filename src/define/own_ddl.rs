//! DDL that the extension itself runs: its event triggers fire for that, too, and have to recognize it.

use std::cell::Cell;

use pgrx::pg_sys::Oid;

/// The DDL that is running.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Running {
    /// DDL of a user.
    OfUser,
    /// DDL that defines this TVIEW, which is filled afterwards.
    Definition(Oid),
    /// Triggers of the extension, which change nothing that a view returns.
    OfExtension,
}

thread_local! {
    static RUNNING: Cell<Running> = const { Cell::new(Running::OfUser) };
}

/// Runs DDL that changes nothing a view returns.
pub fn run<R>(work: impl FnOnce() -> R) -> R {
    running(Running::OfExtension, work)
}

/// Runs DDL that defines the backing view of a TVIEW that exists already; the TVIEW is filled in the same
/// transaction.
pub fn defining<R>(tview: Option<Oid>, work: impl FnOnce() -> R) -> R {
    running(tview.map_or(Running::OfUser, Running::Definition), work)
}

fn running<R>(ddl: Running, work: impl FnOnce() -> R) -> R {
    struct Restore(Running);
    impl Drop for Restore {
        fn drop(&mut self) {
            RUNNING.set(self.0);
        }
    }
    let _restore = Restore(RUNNING.replace(ddl));
    work()
}

/// Whether DDL of [`run`] is running.
pub fn is_running() -> bool {
    RUNNING.get() == Running::OfExtension
}

/// Whether DDL is running that defines this TVIEW.
pub fn is_defining(tview: Oid) -> bool {
    RUNNING.get() == Running::Definition(tview)
}
