//! DDL that the extension itself runs, which its event triggers see as any other.

use std::cell::Cell;

use pgrx::pg_sys::Oid;

/// Whose DDL is running.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Running {
    /// Somebody else's.
    Others,
    /// That of whoever is defining this TVIEW, and fills it afterwards.
    Definition(Oid),
    /// Triggers and indexes of ours, which change nothing that a view returns.
    Ours,
}

thread_local! {
    static RUNNING: Cell<Running> = const { Cell::new(Running::Others) };
}

/// Runs DDL that changes nothing a view returns.
pub fn ours<R>(work: impl FnOnce() -> R) -> R {
    running(Running::Ours, work)
}

/// Runs DDL that defines the backing view of a TVIEW, if it exists already; it is going to be filled in the same transaction.
pub fn defining<R>(tview: Option<Oid>, work: impl FnOnce() -> R) -> R {
    running(tview.map_or(Running::Others, Running::Definition), work)
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

/// Whether DDL is running that changes nothing a view returns.
pub fn is_ours() -> bool {
    RUNNING.get() == Running::Ours
}

/// Whether DDL is running that defines the backing view of this TVIEW.
pub fn is_defining(tview: Oid) -> bool {
    RUNNING.get() == Running::Definition(tview)
}
