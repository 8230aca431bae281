//! The part of a definition that a worker needs to schedule refreshes.

use std::time::Duration;

use pgrx::pg_sys::Oid;

use super::definition;
use super::state::State;
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
    pub state: State,
    pub sources: Vec<Oid>,
}

/// All TVIEWs of this database.
pub fn infos() -> Vec<TviewInfo> {
    definition::load_all()
        .into_iter()
        .map(|definition| TviewInfo {
            tview: definition.tview,
            name: definition.display(),
            max_latency: definition.max_latency.unwrap_or_else(settings::max_latency),
            throttle_lag: definition.throttle_lag,
            state: definition.state,
            sources: definition.sources,
        })
        .collect()
}
