//! What differs for a TVIEW that is refreshed in one transaction with others.

use super::Together;
use crate::catalog::state::State;
use crate::queue::position::Position;
use crate::refresh::audit::{self, Entry};
use crate::refresh::comparison::method;
use crate::refresh::current::Now;
use crate::refresh::keys::Keys;
use crate::refresh::one_refresh::Refresh;
use crate::refresh::plan::Plan;
use crate::refresh::step::Step;
use crate::settings;

/// Whether a TVIEW can be refreshed with others: it is filled, and follows changes.
pub fn takes(now: &Now) -> bool {
    now.state == State::Active && now.position.is_some() && now.comparing.is_none()
}

impl Refresh<'_> {
    /// What the transaction writes is as old as the oldest change that it applies.
    pub fn pass_age_on(&self, entry: &Entry) {
        match &self.together {
            Some(together) => together.pass_age_on(entry),
            None => entry.pass_age_on(),
        }
    }

    /// Whether all rows are to be compared, and are so many that it takes several transactions.
    pub fn is_to_be_compared_alone(&self, plan: &Plan) -> bool {
        self.together.is_some() && self.as_owner(plan, || method::in_batches(plan)).is_some()
    }

    /// Recomputes all keys in this transaction.
    pub fn all_keys(
        &self,
        plan: &Plan,
        keys: Keys,
        mut entry: Entry,
        stored: Option<&Position>,
        together: &Together,
    ) -> Result<Entry, Step> {
        if !together.take_keys(keys.len()) {
            return Err(Step::Alone);
        }
        for batch in keys.batches(settings::batch_size()) {
            self.apply_batch(plan, batch, stored, &mut entry);
        }
        Ok(entry)
    }

    /// Adds the audit row: now, or at the end of a transaction that refreshes other TVIEWs, too.
    pub fn add_audit_row(&self, plan: &Plan, entry: Entry) {
        match &self.together {
            Some(together) => together.applied(self.tview, plan.source_oids(), entry),
            None => audit::add(entry),
        }
    }
}
