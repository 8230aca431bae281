//! Which TVIEWs a drain refreshes, and in which order.

use std::collections::HashMap;

use pgrx::pg_sys::Oid;

use crate::catalog::definition::{self, Definition};
use crate::catalog::feeds;
use crate::postgres::permit;
use crate::postgres::run_as::run_internal;
use crate::postgres::transaction::{self, Driver};

/// The TVIEWs to refresh, sources first: all that may be refreshed and whose owner's rights the caller has;
/// if there is an `only` one, that one and those of them that it reads. Also returns how many are left to
/// other owners.
pub fn drain_order(driver: Driver, only: Option<&Definition>) -> (Vec<Oid>, usize) {
    let loaded = driver.transaction(|| {
        let all = transaction::with_snapshot(|| run_internal(definition::load_all));
        let refreshing = all
            .into_iter()
            .filter(|definition| definition.state.may_refresh());
        let rights = |definition: &Definition| permit::has_rights(definition.owner);
        refreshing.partition::<Vec<_>, _>(rights)
    });
    let (own, left) = loaded.unwrap_or_default();
    let sources: HashMap<Oid, Vec<Oid>> = own
        .into_iter()
        .map(|definition| (definition.tview, definition.sources))
        .collect();
    let mut tviews: Vec<Oid> = match only {
        Some(only) => vec![only.tview],
        None => sources.keys().copied().collect(),
    };
    tviews.sort_by_key(|tview| tview.to_u32());
    let order = feeds::sources_first(&tviews, |tview| sources.get(&tview).map(Vec::as_slice));
    (order, if only.is_some() { 0 } else { left.len() })
}
