//! A round of `CALL pg_tviews_drain()`: TVIEWs of a unit are refreshed in one transaction.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use pgrx::pg_sys::Oid;

use crate::define::in_step;
use crate::error::Caught;
use crate::postgres::process::latch;
use crate::refresh::together::{self, Verdict};

/// How long a unit waits for one of its TVIEWs that another session holds. Then each is refreshed alone.
const PATIENCE: Duration = Duration::from_secs(2);
const BUSY_PAUSE: Duration = Duration::from_millis(5);

/// What a round has done so far.
#[derive(Default)]
pub struct Together {
    tried: HashSet<Oid>,
    refreshed: HashSet<Oid>,
    pub changed: bool,
}

impl Together {
    /// Refreshes the unit of a TVIEW, if it has one that was not tried in this round. `failed` are left out. Those that
    /// are not refreshed afterwards are to be refreshed alone. Returns the error that ends the drain.
    pub fn refresh(&mut self, units: &[Vec<Oid>], tview: Oid, failed: &HashSet<Oid>) -> Option<Caught> {
        let unit = units.iter().find(|unit| unit.contains(&tview))?;
        let members: Vec<Oid> = unit
            .iter()
            .copied()
            .filter(|tview| !failed.contains(tview))
            .collect();
        if members.len() < 2 || !self.tried.insert(unit[0]) {
            return None;
        }
        let begin = Instant::now();
        loop {
            let (outcomes, error) = together::drain(in_step::prepare, &members);
            if error.is_some() {
                return error;
            }
            for member in &outcomes {
                if member.verdict == Verdict::UpToDate {
                    self.changed |= member.changes > 0;
                    self.refreshed.insert(member.tview);
                }
            }
            let is_busy = outcomes.iter().any(|member| member.verdict == Verdict::Busy);
            if !is_busy || begin.elapsed() > PATIENCE {
                return None;
            }
            latch::pause_or_raise(BUSY_PAUSE);
        }
    }

    /// Whether the TVIEW is up to date.
    pub fn has_refreshed(&self, tview: Oid) -> bool {
        self.refreshed.contains(&tview)
    }
}
