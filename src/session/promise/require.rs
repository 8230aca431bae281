//! `pg_tviews_require`: the bound of the next statements, for connections that cannot SET.

use std::time::Duration;

use super::bound::Bound;
use super::no_wait::NoWait;
use super::query::{look, with_feeders};
use super::wait::{is_settled, until_kept};
use crate::catalog::{definition, tview_cache};
use crate::error::{OrRaise, Problem};
use crate::postgres::transaction::{self, with_latest_snapshot, with_snapshot};
use crate::session::dead_keys::report_dead_keys;
use crate::session::kept_snapshot::keeps_its_snapshot;
use crate::session::rights::check_reader;

/// Waits until a TVIEW is no later than `maximum`, as `pg_tviews.on_stale` says.
pub fn require(name: &str, maximum: Duration) {
    let named = definition::find(name).or_raise();
    check_reader(&named).or_raise();
    let known = tview_cache::all().map_err(Problem::from).or_raise();
    let tviews = with_feeders(&[named.tview], &known);
    let keeps_snapshot = keeps_its_snapshot();
    let under_snapshot = |check: &mut dyn FnMut()| {
        if keeps_snapshot {
            with_snapshot(check);
        } else {
            with_latest_snapshot(check);
        }
    };
    let mut first = None;
    under_snapshot(&mut || {
        let bound = Bound::begin(maximum);
        let found = look(&tviews, &known, &bound);
        first = Some((bound, found));
    });
    let Some((bound, mut found)) = first else { return };
    if let Some(stale) = found.stale.take() {
        let no_wait = no_wait(keeps_snapshot);
        let mut settled = false;
        under_snapshot(&mut || settled = is_settled(&stale, &bound, no_wait));
        if settled {
            return;
        }
        until_kept(stale, &bound, || {
            let mut stale = None;
            under_snapshot(&mut || {
                found = look(&tviews, &known, &bound);
                stale = found.stale.take();
            });
            stale
        });
    }
    if !found.with_dead_keys.is_empty() {
        report_dead_keys(&found.with_dead_keys);
    }
}

/// Why waiting is in vain.
fn no_wait(keeps_snapshot: bool) -> Option<NoWait> {
    if transaction::in_recovery() {
        return Some(NoWait::InRecovery);
    }
    keeps_snapshot.then_some(NoWait::KeepsSnapshot)
}
