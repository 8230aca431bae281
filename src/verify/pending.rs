//! The keys whose rows may differ for a good reason in the snapshot of a slice: changes and requests that the
//! position does not cover, and dead keys.

use crate::postgres::run_as::run_internal;
use crate::queue::is_announced::is_announced;
use crate::queue::read;
use crate::refresh::affected_keys::{self, Affected};
use crate::refresh::current::Now;
use crate::refresh::failing::dead_letter;
use crate::refresh::one_refresh::Refresh;
use crate::refresh::plan::key::Key;
use crate::refresh::plan::Plan;
use crate::session::pending::is_unfilled;

/// Maximum number of pending keys. With more, the TVIEW is verified later.
const MAXIMUM: usize = 10_000;

/// These keys, some of them perhaps twice. None: any row may be behind, or that is not known.
pub fn keys(refresh: &Refresh, plan: &Plan, now: &Now) -> Option<Vec<Key>> {
    let position = now.position.as_ref()?;
    if is_unfilled(plan, now) {
        return None;
    }
    let followed: Vec<_> = plan
        .source_oids()
        .into_iter()
        .chain([plan.definition.tview])
        .collect();
    // Committed DDL that this process may not know of yet.
    if !run_internal(|| is_announced(Some(position), &followed, false)) || !plan.is_current() {
        return None;
    }
    let pending = run_internal(|| read::since(position, &followed, plan.definition.tview));
    let affected = refresh.as_owner(plan, || affected_keys::at_most(plan, &pending, MAXIMUM));
    let Affected::Keys(keys) = affected else {
        return None;
    };
    let mut keys = keys.into_rows();
    if now.has_dead_keys {
        keys.extend(dead_letter::read(plan).all);
    }
    Some(keys)
}
