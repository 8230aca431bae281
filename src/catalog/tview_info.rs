//! The part of a definition that a worker needs to schedule refreshes.

use std::time::Duration;

use pgrx::pg_sys::Oid;

use super::definition::Definition;
use super::groups::Membership;
use super::state::State;
use super::{definition, groups, rights};
use crate::settings;

/// A TVIEW as the schedule of a worker knows it.
#[derive(Debug, Clone)]
pub struct TviewInfo {
    pub tview: Oid,
    /// As messages name the TVIEW.
    pub name: String,
    pub max_latency: Duration,
    /// Writers of the sources are delayed while the TVIEW is later than this.
    pub throttle_lag: Option<Duration>,
    /// The sources whose writers it may delay.
    pub throttled: Vec<Oid>,
    pub state: State,
    pub sources: Vec<Oid>,
    pub membership: Option<Membership>,
    /// The unit of those that it is refreshed with; None: it is refreshed alone.
    pub unit: Option<usize>,
}

/// All TVIEWs of this database.
pub fn infos() -> Vec<TviewInfo> {
    let definitions = definition::load_all();
    let units = groups::of(&definitions);
    let memberships = groups::memberships(&definitions);
    let unit_of = |tview: Oid| units.iter().position(|unit| unit.contains(&tview));
    definitions
        .into_iter()
        .zip(memberships)
        .map(|(definition, membership)| TviewInfo {
            membership,
            unit: unit_of(definition.tview),
            tview: definition.tview,
            name: definition.display(),
            max_latency: definition.max_latency.unwrap_or_else(settings::max_latency),
            throttle_lag: definition.throttle_lag,
            throttled: throttled(&definition),
            state: definition.state,
            sources: definition.sources,
        })
        .collect()
}

/// The owner may have made the TVIEW without the privilege TRIGGER, or lost it since.
fn throttled(definition: &Definition) -> Vec<Oid> {
    if definition.throttle_lag.is_none() {
        return Vec::new();
    }
    let sources = definition.sources.iter().copied();
    sources
        .filter(|source| rights::may_slow_writers(definition.owner, *source))
        .collect()
}
