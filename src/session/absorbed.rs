//! Waits until TVIEWs have absorbed what is committed.

use pgrx::pg_sys::Oid;

use super::not_refreshing::not_refreshing;
use super::patience::Patience;
use crate::catalog::definition::{self, Definition};
use crate::error::Problem;
use crate::postgres::run_as::run_internal;
use crate::postgres::transaction::with_latest_snapshot;
use crate::queue::is_pending::look_pending;
use crate::queue::now;
use crate::queue::position::Position;
use crate::wake::signal;

/// Waits until these TVIEWs have absorbed what is committed by now; see [`wait_until`].
pub fn wait_for(tviews: &[Oid], named: Option<&Definition>, patience: &mut Patience) -> bool {
    wait_until(tviews, &target(), named, patience)
}

/// Waits until these TVIEWs have absorbed what is visible in `target`; false when the time is over. A TVIEW
/// that is dropped meanwhile is not waited for; if it is the one that was `named`, that is an error.
pub fn wait_until(
    tviews: &[Oid],
    target: &Position,
    named: Option<&Definition>,
    patience: &mut Patience,
) -> bool {
    for tview in tviews {
        patience.renew();
        loop {
            let Some(definition) = run_internal(|| definition::load(*tview)) else {
                if let Some(named) = named.filter(|named| named.tview == *tview) {
                    dropped(named).raise();
                }
                break;
            };
            match is_pending_now(*tview, target) {
                Some(false) => break,
                Some(true) => {}
                // It was dropped: loading its definition shows that.
                None if patience.go_on() => continue,
                None => return false,
            }
            if !definition.state.refreshes() {
                not_refreshing(&definition).raise();
            }
            if !patience.go_on() {
                return false;
            }
        }
    }
    true
}

/// The position that a TVIEW has to pass: what is committed by now.
pub fn target() -> Position {
    with_latest_snapshot(|| run_internal(now::seen))
}

/// Whether a change visible in `target` is not absorbed yet; None if the TVIEW has just been dropped. The
/// workers learn that a session waits for it.
pub fn is_pending_now(tview: Oid, target: &Position) -> Option<bool> {
    let pending = with_latest_snapshot(|| run_internal(|| look_pending(tview, target)));
    if pending == Some(true) {
        signal::awaited(tview);
    }
    pending
}

/// "TVIEW was dropped meanwhile."
pub fn dropped(definition: &Definition) -> Problem {
    definition::dropped(&definition.display())
}
