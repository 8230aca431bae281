//! What a refresh does under its snapshot: reads the log, maps changes to keys, recomputes, adds the audit row.

use std::collections::HashSet;

use super::attempt::Shared;
use super::attempt::{Backlog, Run, Step};
use super::audit::{self, Entry};
use super::current;
use super::failing::dead_letter::{self, DeadKeys};
use super::failing::isolate::{self, Isolate};
use super::failing::sandbox::Care;
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
use crate::queue::read;
use crate::queue::read::Pending;
use crate::refresh::batch::Batch;
use crate::refresh::failing::dead_letter::Failed;
use crate::refresh::keys::{self, Batches, Keys, Wanted};
use crate::refresh::plan::key::Key;
use crate::settings;

impl Run<'_> {
    /// What the first transaction does; with it, changes read and keys found.
    pub fn under_snapshot(&self, plan: &Plan) -> (Step, u64, u64) {
        let done = |status| (Step::Done(status), 0, 0);
        let Some(now) = current::now(self.tview).filter(|now| now.state.may_refresh()) else {
            return done(Status::NotReady);
        };
        if now.hash != plan.hash {
            plan::forget(self.tview);
            return (Step::Stale, 0, 0);
        }
        let mut entry = Entry::new(
            &plan.definition.entity_name,
            self.tview,
            "refresh",
            // After the snapshot: every change it reads was logged before.
            audit::now(),
        );
        self.comparing.set(now.comparing);
        let populate = now.comparing != Some(true)
            && (now.state == State::Populating
                || now.position.is_none()
                || (now.state == State::Suspended && needs_population(self.tview)));
        let dead = match now.has_dead_keys {
            true => {
                self.check_permit(plan);
                dead_letter::read(plan)
            }
            false => DeadKeys::default(),
        };
        self.retry_at.set(dead.next_retry_at);
        let mut pending = Vec::new();
        if !populate {
            let position = now.position.clone().unwrap_or_else(|| now.snapshot.clone());
            let mut sources = plan.source_oids();
            sources.push(self.tview);
            pending = run_internal(|| read::since(&position, &sources));
            if pending.is_empty() && dead.due.is_empty() && now.state == self.settled() {
                return done(Status::UpToDate);
            }
        }
        if populate
            || pending
                .iter()
                .any(|changes| changes.all_keys || changes.requested)
        {
            let mut logged = plan.source_oids();
            logged.push(self.tview);
            if !run_internal(|| read::is_announced(&logged)) {
                return done(Status::Busy);
            }
            if !plan.is_current() {
                return (Step::Stale, 0, 0);
            }
        }
        let mut wanted = if populate {
            entry.operation = "populate";
            Wanted::Everything
        } else {
            entry.changes_read = Some(pending.iter().map(|p| p.changes).sum());
            entry.oldest_change_at = pending.iter().filter_map(|p| p.oldest).min();
            self.as_owner(plan, || keys::wanted(plan, &pending))
        };
        if matches!(wanted, Wanted::Everything) && self.spares_partitions() {
            self.all_partitions.set(true);
            return (Step::Stale, 0, 0);
        }
        let changes = entry.changes_read.unwrap_or(0) as u64;
        let before = now.position.clone();
        entry.position = Some(now.snapshot);
        if matches!(wanted, Wanted::Everything) && self.compare_in_batches(plan, populate, &pending) {
            self.works(plan, now.state);
            entry.operation = "compare";
            entry.oldest_change_at = None;
            audit::add(entry);
            return (Step::Done(Status::UpToDate), changes, 0);
        }
        // All keys are recomputed: what was left out before is found again.
        let earlier = now.left_out.filter(|_| !matches!(wanted, Wanted::Everything));
        if let (Wanted::Everything, true) = (&wanted, self.careful || self.yields) {
            wanted = self.as_owner(plan, || keys::every(plan));
        }
        let total = match wanted {
            Wanted::Everything => self.everything(plan, now.has_dead_keys, &mut entry),
            Wanted::Keys(mut keys) => {
                let total = self.dead_keys(plan, &mut keys, &dead, &mut entry);
                self.left_out(plan, &keys, &pending, earlier, &mut entry);
                if let Some(size) = self.size_of_parts(plan, &keys) {
                    let shared = Shared {
                        parts: parts::store(self.tview, keys.batches(size), before.as_ref()),
                        entry,
                        before,
                    };
                    return (Step::Shared(Box::new(shared)), changes, total);
                }
                let batches = self.first_batch(plan, keys, &mut entry);
                if !batches.is_empty() {
                    let backlog = Backlog {
                        batches,
                        entry,
                        before,
                    };
                    return (Step::More(Box::new(backlog)), changes, total);
                }
                total
            }
        };
        if self.held.get() {
            return (Step::Done(Status::Busy), changes, total);
        }
        self.works(plan, now.state);
        audit::add(entry);
        let step = match populate {
            true => Step::Populated,
            false => Step::Done(Status::UpToDate),
        };
        (step, changes, total)
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
        earlier: Option<Problem>,
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

    /// Recomputes the first batch of keys; returns those left.
    fn first_batch(&self, plan: &Plan, keys: Keys, entry: &mut Entry) -> Batches {
        let mut batches = keys.batches(settings::batch_size());
        if let Some(first) = batches.next() {
            self.batch(plan, first, entry);
        }
        batches
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
        if self.yields {
            (batch, held) = self.as_owner(plan, || recompute::not_held(plan, batch));
        }
        if batch.is_empty() {
            return (Vec::new(), held);
        }
        if !self.careful && !self.yields && !self.awaits {
            complete(entry, self.as_owner(plan, || recompute::keys(plan, &batch)));
            return (Vec::new(), held);
        }
        let outcome = isolate::each(plan, vec![batch], self.care(), self.isolate());
        complete(entry, outcome.result);
        held.extend(outcome.held);
        (outcome.failed, held)
    }

    fn isolate(&self) -> Isolate {
        Isolate {
            failing: self.careful,
            held: self.yields,
            ahead: self.awaits,
        }
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
            ..self.isolate()
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
