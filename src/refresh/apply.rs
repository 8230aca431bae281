//! What a refresh does under its snapshot: reads the log, maps changes to keys, recomputes, adds the audit row.

use std::collections::HashSet;

use pgrx::pg_sys::Oid;

use super::attempt::{Backlog, First, Run, Shared, Step};
use super::audit::{self, Entry};
use super::current::{self, Now};
use super::failing::dead_letter::{self, DeadKeys};
use super::failing::isolate::{self, Isolate};
use super::failing::sandbox::Care;
use super::kept_problem::KeptProblem;
use super::left_out;
use super::outcome::Status;
use super::plan::{self, Plan};
use super::recompute;
use super::shared_backlog::parts;
use super::unmatched;
use crate::catalog::definition::State;
use crate::catalog::state::{change_state, needs_population};
use crate::error::Problem;
use crate::postgres::run_as::run_internal;
use crate::queue::position::Position;
use crate::queue::read::{self, Pending};
use crate::refresh::batch::Batch;
use crate::refresh::failing::dead_letter::Failed;
use crate::refresh::keys::{self, Keys, Wanted};
use crate::refresh::plan::key::Key;
use crate::settings;

impl Run<'_> {
    /// What the first transaction does.
    pub fn under_snapshot(&self, plan: &Plan) -> First {
        let Some(now) = current::now(self.tview).filter(|now| now.state.may_refresh()) else {
            return First::done(Status::NotReady);
        };
        if now.hash != plan.hash {
            plan::forget(self.tview);
            return First::stale();
        }
        self.comparing.set(now.comparing);
        // After the snapshot: every change that is read was logged before.
        let entry = Entry::new(&plan.definition.entity_name, self.tview, "refresh", audit::now());
        let populates = self.populates(&now);
        let dead = self.dead_keys_now(plan, &now);
        let pending = if populates {
            Vec::new()
        } else {
            self.pending(plan, &now)
        };
        if !populates && pending.is_empty() && dead.due.is_empty() && now.state == self.settled() {
            return First::done(Status::UpToDate);
        }
        if populates
            || pending
                .iter()
                .any(|pending| pending.all_keys || pending.requested)
        {
            if !self.is_announced(plan) {
                return First::done(Status::Busy);
            }
            if !plan.is_current() {
                return First::stale();
            }
        }
        self.apply_pending(plan, now, populates, &dead, &pending, entry)
    }

    /// Whether all rows are computed for the first time, or as if for the first time.
    fn populates(&self, now: &Now) -> bool {
        let waits_for_population = || match now.state {
            State::Populating => true,
            State::Suspended => needs_population(self.tview),
            State::Active | State::Paused => false,
        };
        now.comparing != Some(true) && (now.position.is_none() || waits_for_population())
    }

    fn dead_keys_now(&self, plan: &Plan, now: &Now) -> DeadKeys {
        let mut dead = DeadKeys::default();
        if now.has_dead_keys {
            self.check_permit(plan);
            dead = dead_letter::read(plan);
        }
        self.retry_at.set(dead.next_retry_at);
        dead
    }

    /// Changes of the sources, and requests, that the TVIEW has not absorbed.
    fn pending(&self, plan: &Plan, now: &Now) -> Vec<Pending> {
        let position = now.position.as_ref().unwrap_or(&now.snapshot);
        run_internal(|| read::since(position, &self.logged_for(plan)))
    }

    /// Whether the transactions that logged "every row", or a look at the definition, have announced their DDL by now.
    fn is_announced(&self, plan: &Plan) -> bool {
        run_internal(|| read::is_announced(&self.logged_for(plan)))
    }

    /// What rows of the queue are about that matter here: the sources, and the TVIEW itself for requests.
    fn logged_for(&self, plan: &Plan) -> Vec<Oid> {
        plan.source_oids().into_iter().chain([self.tview]).collect()
    }

    fn apply_pending(
        &self,
        plan: &Plan,
        now: Now,
        populates: bool,
        dead: &DeadKeys,
        pending: &[Pending],
        mut entry: Entry,
    ) -> First {
        let mut wanted = Wanted::Everything;
        if populates {
            entry.operation = "populate";
        } else {
            entry.changes_read = Some(pending.iter().map(|pending| pending.changes).sum());
            entry.oldest_change_at = pending.iter().filter_map(|pending| pending.oldest).min();
            wanted = self.as_owner(plan, || keys::wanted(plan, pending));
        }
        if matches!(wanted, Wanted::Everything) && self.spares_partitions() {
            self.all_partitions.set(true);
            return First::stale();
        }
        let changes = entry.changes_read.unwrap_or(0) as u64;
        entry.position = Some(now.snapshot);
        if matches!(wanted, Wanted::Everything) && self.compare_in_batches(plan, populates, pending) {
            self.works(plan, now.state);
            entry.operation = "compare";
            entry.oldest_change_at = None;
            audit::add(entry);
            return First::new(Step::Done(Status::UpToDate), changes, 0);
        }
        // Where all keys are recomputed, what was left out before is found again.
        let earlier = now.left_out.filter(|_| !matches!(wanted, Wanted::Everything));
        if matches!(wanted, Wanted::Everything) && (self.isolate.failing || self.isolate.held) {
            wanted = self.as_owner(plan, || keys::every(plan));
        }
        let total = match wanted {
            Wanted::Everything => self.everything(plan, now.has_dead_keys, &mut entry),
            Wanted::Keys(mut keys) => {
                let total = self.dead_keys(plan, &mut keys, dead, &mut entry);
                self.left_out(plan, &keys, pending, earlier, &mut entry);
                match self.first_keys(plan, keys, entry, now.position) {
                    Ok(applied) => entry = applied,
                    Err(step) => return First::new(step, changes, total),
                }
                total
            }
        };
        if self.held.get() {
            return First::new(Step::Done(Status::Busy), changes, total);
        }
        self.works(plan, now.state);
        audit::add(entry);
        let step = if populates {
            Step::Populated
        } else {
            Step::Done(Status::UpToDate)
        };
        First::new(step, changes, total)
    }

    /// Recomputes keys: all of them if they are one batch, else the first batch. The entry, or what is left to be done.
    fn first_keys(
        &self,
        plan: &Plan,
        keys: Keys,
        mut entry: Entry,
        before: Option<Position>,
    ) -> Result<Entry, Step> {
        if let Some(size) = self.size_of_parts(plan, &keys) {
            return Err(Step::Shared(Box::new(Shared {
                parts: parts::store(self.tview, keys.batches(size), before.as_ref()),
                entry,
                before,
            })));
        }
        let mut batches = keys.batches(settings::batch_size());
        if let Some(first) = batches.next() {
            self.batch(plan, first, &mut entry);
        }
        if batches.is_empty() {
            return Ok(entry);
        }
        Err(Step::More(Box::new(Backlog {
            batches,
            entry,
            before,
        })))
    }

    /// Compares the whole view with the table; returns how many rows there are.
    pub fn everything(&self, plan: &Plan, has_dead_keys: bool, entry: &mut Entry) -> u64 {
        let result = self.as_owner(plan, || recompute::everything(plan));
        let written = result.written;
        let rows = written.inserted + written.updated + written.deleted + written.unchanged;
        entry.keys_refreshed = Some(rows);
        complete(entry, result);
        if has_dead_keys {
            dead_letter::clear(self.tview);
            self.retry_at.set(None);
        }
        rows as u64
    }

    /// Recomputes dead keys, and leaves the others in `keys`; returns how many there are in all.
    fn dead_keys(&self, plan: &Plan, keys: &mut Keys, dead: &DeadKeys, entry: &mut Entry) -> u64 {
        let risky = self.as_owner(plan, || keys.split_off(plan, dead));
        let total = keys.len() + risky.len();
        entry.keys_refreshed = Some(total as i64);
        self.again(plan, risky, entry);
        total as u64
    }

    /// Reports rows of the view that have no place in the table: those that come with these changes, and those that were there before.
    fn left_out(
        &self,
        plan: &Plan,
        keys: &Keys,
        pending: &[Pending],
        earlier: Option<KeptProblem>,
        entry: &mut Entry,
    ) {
        self.as_owner(plan, || {
            entry.add_left_out(match keys.null_key {
                true => left_out::null_keys(plan),
                false => unmatched::problem(plan, pending),
            });
            left_out::keep(plan, earlier, entry);
        });
    }

    /// Recomputes a batch of keys.
    pub fn batch(&self, plan: &Plan, batch: Batch, entry: &mut Entry) {
        let (failed, held) = self.isolated(plan, batch, entry);
        self.held.set(self.held.get() || !held.is_empty());
        self.note_failed(plan, failed, entry);
    }

    /// Recomputes a batch of keys but those that fail and those that another session holds: these it returns, where it is asked
    /// to isolate them.
    pub fn isolated(
        &self,
        plan: &Plan,
        mut batch: Batch,
        entry: &mut Entry,
    ) -> (Vec<Failed>, Vec<Box<[String]>>) {
        let mut held = Vec::new();
        if self.isolate.held {
            (batch, held) = self.as_owner(plan, || recompute::not_held(plan, batch));
        }
        if batch.is_empty() {
            return (Vec::new(), held);
        }
        if self.isolate.is_nothing() {
            complete(entry, self.as_owner(plan, || recompute::keys(plan, &batch)));
            return (Vec::new(), held);
        }
        let outcome = isolate::each(plan, vec![batch], self.care(), self.isolate);
        complete(entry, outcome.result);
        held.extend(outcome.held);
        (outcome.failed, held)
    }

    /// Tries dead keys again, each by itself.
    fn again(&self, plan: &Plan, keys: Keys, entry: &mut Entry) {
        if keys.is_empty() {
            return;
        }
        let all = keys.into_rows();
        let batches = all.iter().map(|key| Batch::from(std::slice::from_ref(key)));
        // Whatever they fail by this time: trouble of the server included, which took them here perhaps.
        let care = Care {
            gives_up: true,
            ..self.care()
        };
        let isolate = Isolate {
            failing: true,
            ..self.isolate
        };
        let outcome = isolate::each(plan, batches.collect(), care, isolate);
        complete(entry, outcome.result);
        let lasting: HashSet<&Key> = outcome
            .failed
            .iter()
            .map(|failed| &failed.key)
            .chain(&outcome.held)
            .collect();
        let healed = all.into_iter().filter(|key| !lasting.contains(key));
        dead_letter::remove(plan, healed.collect());
        self.note_failed(plan, outcome.failed, entry);
        self.retry_at.set(dead_letter::next_retry_at(self.tview));
    }

    /// Puts keys that failed alone where they are tried again, and says so in the audit row.
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

    /// The state of a TVIEW that has applied everything: active, unless its first population is under way.
    fn settled(&self) -> State {
        match self.comparing.get() {
            Some(true) => State::Populating,
            Some(false) | None => State::Active,
        }
    }

    /// A TVIEW that was not active is, once everything is applied.
    pub fn works(&self, plan: &Plan, state: State) {
        if state != self.settled() {
            change_state(self.tview, self.settled());
        }
        if state == State::Suspended {
            let definition = &plan.definition;
            let mut entry = Entry::new(&definition.entity_name, self.tview, "resume", audit::now());
            entry.details = Some(serde_json::json!({ "reason": "the view works again" }));
            audit::add(entry);
        }
    }
}

const LISTED: &str =
    "SELECT * FROM pg_tview_dead_letter; lists them. They are tried again when they change, and from time to time.";

fn counted(keys: usize, rest: &str) -> String {
    match keys {
        1 => format!("one key {rest}"),
        more => format!("{more} keys {rest}"),
    }
}

pub fn complete(entry: &mut Entry, result: recompute::Result) {
    entry.add_written(result.written);
    entry.add_left_out(result.problem);
}
