//! The bound `pg_tviews.max_staleness` of a query that is about to start.

use std::rc::Rc;
use std::time::Duration;

use pgrx::pg_sys::Oid;

use super::bound::Bound;
use super::known_current;
use super::no_wait::NoWait;
use super::staleness;
use super::wait::{is_settled, until_kept};
use crate::catalog::feeds;
use crate::catalog::tview_cache::{self, KnownTviews};
use crate::error::{OrRaise, Problem};
use crate::postgres::hooks::executor::Query;
use crate::postgres::hooks::invalidation;
use crate::postgres::run_as::at_own_work;
use crate::postgres::stored_snapshot::StoredSnapshot;
use crate::postgres::transaction;
use crate::session::dead_keys::report_dead_keys;
use crate::settings;

/// Called before a query starts in a session with a bound.
pub fn before(query: &mut Query) {
    let Some(maximum) = settings::max_staleness().filter(|_| !at_own_work()) else {
        return;
    };
    invalidation::accept();
    let known = tview_cache::all().map_err(Problem::from).or_raise();
    let mut read = query.tables_read();
    read.retain(|table| known.contains_key(table));
    if read.is_empty() {
        return;
    }
    let tviews = with_feeders(&read, &known);
    let its_snapshot = || {
        let may_be_older = !transaction::is_read_committed() || shares_snapshot(query);
        may_be_older.then(|| query.under_its_snapshot(StoredSnapshot::of_active))
    };
    if !known_current::is_current(&tviews, &known, its_snapshot) {
        keep_bound(query, maximum, &tviews, &known);
    }
}

/// The TVIEWs that are read, and those that feed them.
pub fn with_feeders(read: &[Oid], known: &KnownTviews) -> Vec<Oid> {
    feeds::sources_first(read, |tview| known.get(&tview).map(|known| &known.sources[..]))
}

fn keep_bound(query: &mut Query, maximum: Duration, tviews: &[Oid], known: &Rc<KnownTviews>) {
    let (bound, mut found) = query.under_its_snapshot(|| {
        let bound = Bound::begin(maximum);
        let found = look(tviews, known, &bound);
        (bound, found)
    });
    if let Some(stale) = found.stale.take() {
        query.check_permissions();
        let no_wait = no_wait(query);
        if query.under_its_snapshot(|| is_settled(&stale, &bound, no_wait)) {
            return;
        }
        until_kept(stale, &bound, || {
            let mut stale = None;
            query.read_newest_if(|| {
                found = look(tviews, known, &bound);
                stale = found.stale.take();
                stale.is_none()
            });
            stale
        });
    }
    if !found.with_dead_keys.is_empty() {
        report_dead_keys(&found.with_dead_keys);
    }
}

/// Checks under the active snapshot, and keeps what is known now.
pub fn look(tviews: &[Oid], known: &Rc<KnownTviews>, bound: &Bound) -> staleness::Found {
    let found = staleness::of(tviews, bound);
    if found.is_current {
        known_current::keep(tviews, known);
    }
    found
}

/// Whether another snapshot would differ from that of a statement which calls a function with this query.
/// Commands such as EXECUTE keep the snapshot, too, and read nothing with it.
fn shares_snapshot(query: &Query) -> bool {
    !query.owns_snapshot() && query.shares_snapshot()
}

/// Why the query cannot be given a newer snapshot.
fn no_wait(query: &Query) -> Option<NoWait> {
    if transaction::in_recovery() {
        Some(NoWait::InRecovery)
    } else if !transaction::is_read_committed() {
        Some(NoWait::KeepsSnapshot)
    } else if shares_snapshot(query) {
        Some(NoWait::SharesSnapshot)
    } else if query.reads_fresh_view() {
        Some(NoWait::ReadsFreshView)
    } else {
        None
    }
}
