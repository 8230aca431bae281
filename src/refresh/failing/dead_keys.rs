//! The dead keys of a refresh: retried when they change and when a retry is due, apart from the other keys.

use std::collections::HashSet;

use super::dead_letter::{self, DeadKeys, Failed};
use super::isolate;
use super::sandbox::Sandbox;
use super::skip::Skip;
use crate::error::Problem;
use crate::refresh::audit::Entry;
use crate::refresh::batch::Batch;
use crate::refresh::current::Now;
use crate::refresh::keys::Keys;
use crate::refresh::one_refresh::Refresh;
use crate::refresh::plan::key::Key;
use crate::refresh::plan::Plan;
use crate::refresh::tally;
use crate::wake::counters::Stage;

const LISTED: &str = "Run SELECT * FROM pg_tview_dead_letter; to list such keys. \
                      They are tried again when they change, and from time to time.";

impl Refresh<'_> {
    /// The dead keys of the TVIEW.
    pub fn read_dead_keys(&self, plan: &Plan, now: &Now) -> DeadKeys {
        let mut dead = DeadKeys::default();
        if now.has_dead_keys {
            self.check_permit(plan);
            dead = dead_letter::read(plan);
        }
        self.retry_at.set(dead.next_retry_at);
        dead
    }

    /// Recomputes dead keys that have changed or are due, and leaves the other keys in `keys`. Returns how
    /// many keys there are in all.
    pub fn retry_dead_keys(&self, plan: &Plan, keys: &mut Keys, dead: &DeadKeys, entry: &mut Entry) -> u64 {
        let dead = self.as_owner(plan, || keys.split_off_dead(plan, dead));
        let total = keys.len() + dead.len();
        entry.keys_refreshed = Some(total as i64);
        self.retry_each(plan, dead, entry);
        total as u64
    }

    /// Retries dead keys, each in a subtransaction of its own.
    fn retry_each(&self, plan: &Plan, keys: Keys, entry: &mut Entry) {
        if keys.is_empty() {
            return;
        }
        let all = keys.into_rows();
        let batches = all.iter().map(|key| Batch::from(std::slice::from_ref(key)));
        // A server error may have made these keys dead: it must not end the refresh now.
        let sandbox = Sandbox {
            skips_server_errors: true,
            ..self.sandbox()
        };
        let skip = Skip {
            failing: true,
            ..self.skip
        };
        let outcome = isolate::each(plan, batches.collect(), sandbox, skip);
        tally::ended(Stage::Recompute);
        outcome.result.note(entry);
        let lasting: HashSet<&Key> = outcome
            .failed
            .iter()
            .map(|failed| &failed.key)
            .chain(&outcome.held)
            .collect();
        let recomputed = all.into_iter().filter(|key| !lasting.contains(key));
        dead_letter::remove(plan, recomputed.collect());
        self.note_failed(plan, outcome.failed, entry);
        self.retry_at.set(dead_letter::next_retry_at(self.tview));
    }

    /// Makes keys dead that failed alone, and reports them in the audit row and as a WARNING.
    pub fn note_failed(&self, plan: &Plan, failed: Vec<Failed>, entry: &mut Entry) {
        let Some(first) = failed.first() else { return };
        let problem = Problem::new(first.error.code, first.error.message.clone())
            .detail(counted(failed.len(), "could not be recomputed."))
            .hint(match &first.error.hint {
                Some(hint) => format!("{hint} {LISTED}"),
                None => LISTED.to_string(),
            });
        dead_letter::add(plan, &failed);
        self.retry_at.set(dead_letter::next_retry_at(self.tview));
        let (table, why) = (plan.definition.display(), &first.error.message);
        let message = counted(
            failed.len(),
            &format!("of {table} could not be recomputed: {why}"),
        );
        Problem::new(first.error.code, message).warn();
        entry.add_problem(Some(problem));
    }
}

fn counted(keys: usize, rest: &str) -> String {
    match keys {
        1 => format!("one key {rest}"),
        more => format!("{more} keys {rest}"),
    }
}
