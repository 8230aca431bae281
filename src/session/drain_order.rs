//! Which TVIEWs a drain refreshes, and in which order.

use std::collections::HashMap;

use pgrx::pg_sys::Oid;

use crate::catalog::definition::{self, Definition};
use crate::catalog::{feeds, groups};
use crate::postgres::permit;
use crate::postgres::run_as::run_internal;
use crate::postgres::transaction::{self, Driver};

/// What a drain refreshes.
pub struct Order {
    /// Sources first.
    pub tviews: Vec<Oid>,
    /// Those of them that are refreshed together.
    pub units: Vec<Vec<Oid>>,
    /// How many are left to other owners.
    pub left: usize,
}

/// All TVIEWs that may be refreshed and whose owner's rights the caller has; if there is an `only` one, that one with
/// those that it is refreshed with, and those of them that these read.
pub fn drain_order(driver: Driver, only: Option<&Definition>) -> Order {
    let loaded = driver.transaction(|| {
        let all = transaction::with_snapshot(|| run_internal(definition::load_all));
        let refreshing = all
            .into_iter()
            .filter(|definition| definition.state.may_refresh());
        let rights = |definition: &Definition| permit::has_rights(definition.owner);
        refreshing.partition::<Vec<_>, _>(rights)
    });
    let (own, left) = loaded.unwrap_or_default();
    let units = groups::of(&own);
    let sources: HashMap<Oid, Vec<Oid>> = own
        .into_iter()
        .map(|definition| (definition.tview, definition.sources))
        .collect();
    let mut tviews: Vec<Oid> = match only {
        Some(only) => {
            let unit = units.iter().find(|unit| unit.contains(&only.tview));
            unit.cloned().unwrap_or_else(|| vec![only.tview])
        }
        None => sources.keys().copied().collect(),
    };
    tviews.sort_by_key(|tview| tview.to_u32());
    Order {
        tviews: feeds::sources_first(&tviews, |tview| sources.get(&tview).map(Vec::as_slice)),
        units,
        left: if only.is_some() { 0 } else { left.len() },
    }
}
