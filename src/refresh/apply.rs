//! The first transaction of a refresh, under its snapshot: reads the queue, maps changes to keys, recomputes,
//! and adds the audit row that moves the position.

use pgrx::pg_sys::Oid;

use super::affected_keys::{self, Affected};
use super::audit::{self, Entry};
use super::by_source;
use super::comparison::at_once::AtOnce;
use super::comparison::{batch_size, state};
use super::cost;
use super::current::{self, Now};
use super::existing_keys;
use super::failing::dead_letter::DeadKeys;
use super::keys::Keys;
use super::left_out::kept_problem::KeptProblem;
use super::left_out::{report, unmatched};
use super::news::News;
use super::one_refresh::Refresh;
use super::outcome::Status;
use super::plan::{self, Plan};
use super::progress;
use super::running::forget;
use super::step::{Backlog, First, Shared, Step};
use super::tally;
use super::together;
use crate::catalog::state::{needs_population, State};
use crate::postgres::run_as::run_internal;
use crate::queue::append;
use crate::queue::is_announced::is_announced;
use crate::queue::position::Position;
use crate::queue::read::{self, Pending};
use crate::settings;
use crate::wake::counters::Stage;
use crate::wake::operations::{self, Kind, Phase};

/// What a refresh has read about what it is to do.
pub struct Read<'r> {
    /// All rows are to be computed, whatever is pending.
    pub populates: bool,
    pub pending: &'r [Pending],
    pub dead: &'r DeadKeys,
}

impl Refresh<'_> {
    /// Runs the first transaction.
    pub fn apply_first(&self, plan: &Plan) -> First {
        let Some(mut now) = current::now(self.tview).filter(|now| now.state.may_refresh()) else {
            return First::done(Status::NotReady);
        };
        let known = self.known_group.as_ref();
        if known.is_some_and(|known| *known != now.membership) {
            return First::done(Status::Regrouped);
        }
        if self.together.is_some() && !together::takes(&now) {
            return First::done(Status::NotReady);
        }
        if now.hash != plan.hash {
            plan::forget(self.tview);
            return First::stale();
        }
        let staged = self.note_stage(plan, &mut now);
        let plan = staged.as_ref().map_or(plan, |staged| &staged.rows);
        self.comparing.set(now.comparing);
        // The time is taken after the snapshot: every change that is read was made before.
        let entry = Entry::new(&plan.definition.entity_name, self.tview, "refresh", audit::now());
        let populates = self.populates(&now);
        progress::begin(kind(&now, populates), &plan.definition);
        operations::phase(Phase::ReadingQueue);
        let dead = self.read_dead_keys(plan, &now);
        let pending = if populates {
            Vec::new()
        } else {
            self.pending(plan, &now)
        };
        tally::ended(Stage::ReadLog);
        if !populates
            && pending.is_empty()
            && dead.due.is_empty()
            && (now.state == self.state_after() || staged.is_some())
        {
            return First::done(Status::UpToDate);
        }
        if populates
            || pending
                .iter()
                .any(|pending| pending.all_keys || pending.requested)
        {
            if !self.is_announced(plan, &now) {
                return First::done(Status::Busy);
            }
            if !plan.is_current() {
                return First::stale();
            }
        }
        if let Some(together) = &self.together {
            now.snapshot = together.position(&now.snapshot);
        }
        let read = Read {
            populates,
            pending: &pending,
            dead: &dead,
        };
        self.apply_pending(plan, now, &read, entry)
    }

    /// Whether this refresh is a population: all rows are computed, for the first time or again.
    fn populates(&self, now: &Now) -> bool {
        let waits_for_population = || match now.state {
            State::Populating => true,
            State::Suspended => needs_population(self.tview),
            State::Active | State::Paused => false,
        };
        now.comparing != Some(true) && (now.position.is_none() || waits_for_population())
    }

    /// Changes of the sources, and requests, that the TVIEW has not absorbed.
    fn pending(&self, plan: &Plan, now: &Now) -> Vec<Pending> {
        let position = now.position.as_ref().unwrap_or(&now.snapshot);
        run_internal(|| read::since(position, &self.logged_for(plan), self.tview))
    }

    /// Whether the transactions that logged all rows, or a check of the definition, have announced their DDL.
    fn is_announced(&self, plan: &Plan, now: &Now) -> bool {
        let own = self.together.is_some();
        run_internal(|| is_announced(now.position.as_ref(), &self.logged_for(plan), own))
    }

    /// The sources whose queue rows this TVIEW reads, and the TVIEW itself for requests.
    pub fn logged_for(&self, plan: &Plan) -> Vec<Oid> {
        plan.source_oids().into_iter().chain([self.tview]).collect()
    }

    fn apply_pending(&self, plan: &Plan, now: Now, read: &Read, mut entry: Entry) -> First {
        let pending = read.pending;
        let mut affected = Affected::Everything;
        if read.populates {
            entry.operation = "populate";
        } else {
            let concerning = || pending.iter().filter(|pending| pending.concerns(self.tview));
            entry.changes_read = Some(concerning().map(|pending| pending.changes).sum());
            entry.oldest_change_at = concerning().filter_map(|pending| pending.oldest).min();
            entry.origins = pending.iter().find_map(|pending| pending.origins.clone());
            append::note_applied(Some(entry.origins.clone().unwrap_or_default()));
            progress::begin(Kind::Refresh, &plan.definition);
            if !self.everything.take() {
                if let Some(step) = self.begin_look_up(plan, &now, pending, &entry) {
                    return First::new(step, 0, 0);
                }
                operations::phase(Phase::FindingKeys);
                affected = self.as_owner(plan, || affected_keys::of(plan, pending));
            }
            tally::ended(Stage::FindKeys);
            entry.sources = by_source::costs(plan, pending, &affected);
        }
        self.pass_age_on(&entry);
        self.apply_affected(plan, affected, now, read, entry)
    }

    /// Recomputes what changes affect: all of it, or the first batch.
    pub fn apply_affected(
        &self,
        plan: &Plan,
        affected: Affected,
        now: Now,
        read: &Read,
        mut entry: Entry,
    ) -> First {
        if plan.stage.is_some() {
            // Readers see these changes with all others at the end.
            entry.oldest_change_at = None;
        }
        match affected {
            Affected::Everything if self.spares_partitions() => {
                self.all_partitions.set(true);
                First::stale()
            }
            Affected::Everything => self.apply_to_all(plan, now, read, entry),
            Affected::Keys(keys) => {
                // A request means that rows are to be computed, whatever is stored.
                let mut concerning = read.pending.iter().filter(|pending| pending.concerns(self.tview));
                let requested = concerning.any(|pending| pending.requested);
                let stored = self.move_on(plan, &now).filter(|_| !requested);
                entry.position = Some(now.snapshot.clone());
                self.apply_to(plan, keys, now, read, stored.as_ref(), entry)
            }
        }
    }

    /// Compares all rows, or begins to do so in batches.
    fn apply_to_all(&self, plan: &Plan, mut now: Now, read: &Read, mut entry: Entry) -> First {
        let changes = entry.changes_read.unwrap_or(0) as u64;
        if read.populates || !plan.running.is_empty() {
            forget::throw_away(self.tview);
        }
        entry.position = Some(now.snapshot.clone());
        if self.is_to_be_compared_alone(plan) {
            return First::new(Step::Alone, changes, 0);
        }
        progress::begin(Kind::of_all_rows(read.populates), &plan.definition);
        operations::phase(Phase::Preparing);
        let done = if self.redefines(&now, read.populates) {
            self.redefine_at_once(plan, now.has_dead_keys, &mut entry)
        } else {
            AtOnce::Undone
        };
        if self.stage_lost.get() && !matches!(done, AtOnce::GaveWay) {
            state::remove(self.tview);
        }
        let to_stage = self.redefines.get() && matches!(done, AtOnce::Undone);
        let total = match done {
            AtOnce::Complete(rows) => rows,
            AtOnce::GaveWay => return First::new(Step::Done(Status::Busy), changes, 0),
            _ if self.compare_in_batches(plan, read.populates, read.pending, to_stage) => {
                // What other sessions hold, the comparison leaves for later.
                self.held.set(false);
                self.redefines.set(false);
                self.enter_state_after(plan, now.state);
                entry.operation = "compare";
                entry.oldest_change_at = None;
                audit::add(entry);
                return First::new(Step::Done(Status::UpToDate), changes, 0);
            }
            AtOnce::Rest => {
                self.held.set(true);
                0
            }
            AtOnce::Undone => match self.all_by_key(plan) {
                Some(keys) => {
                    // The rows that earlier refreshes left out are found again.
                    now.left_out = None;
                    return self.apply_to(plan, keys, now, read, None, entry);
                }
                None => self.apply_everything(plan, now.has_dead_keys, &mut entry),
            },
        };
        self.end(plan, now.state, read.populates, entry, total)
    }

    /// The keys of all rows, if some are to be skipped and there are not too many.
    fn all_by_key(&self, plan: &Plan) -> Option<Keys> {
        if !self.skip.failing && !self.skip.held {
            return None;
        }
        match self.as_owner(plan, || existing_keys::of_view_and_table(plan)) {
            Affected::Keys(keys) => Some(keys),
            Affected::Everything => None,
        }
    }

    /// Recomputes keys: all of them, or the first batch.
    fn apply_to(
        &self,
        plan: &Plan,
        mut keys: Keys,
        now: Now,
        read: &Read,
        stored: Option<&Position>,
        mut entry: Entry,
    ) -> First {
        let changes = entry.changes_read.unwrap_or(0) as u64;
        operations::keys(keys.len());
        operations::phase(Phase::Recomputing);
        let total = self.retry_dead_keys(plan, &mut keys, read.dead, &mut entry);
        self.report_left_out(plan, &keys, read.pending, now.left_out, &mut entry);
        match self.first_keys(plan, keys, entry, now.position, stored) {
            Ok(applied) => self.end(plan, now.state, read.populates, applied, total),
            Err(step) => First::new(step, changes, total),
        }
    }

    /// Ends the refresh, unless other sessions hold rows. `before`: the state so far.
    fn end(&self, plan: &Plan, before: State, populates: bool, mut entry: Entry, total: u64) -> First {
        let changes = entry.changes_read.unwrap_or(0) as u64;
        if self.held.get() {
            audit::write_feed(&mut entry);
            return First::new(Step::Done(Status::Busy), changes, total);
        }
        self.enter_state_after(plan, before);
        self.add_audit_row(plan, entry);
        let step = if populates {
            Step::Populated
        } else {
            Step::Done(Status::UpToDate)
        };
        First::new(step, changes, total)
    }

    /// Recomputes the first batch of keys. The entry, if there are no more keys; else the step that follows.
    fn first_keys(
        &self,
        plan: &Plan,
        keys: Keys,
        mut entry: Entry,
        before: Option<Position>,
        stored: Option<&Position>,
    ) -> Result<Entry, Step> {
        if let Some(size) = self.size_of_parts(plan, &keys) {
            audit::write_feed(&mut entry);
            return Err(Step::Shared(Box::new(Shared {
                batches: keys.batches(size),
                parts: 0,
                news: News::after(entry.position.as_ref()),
                entry,
                before,
            })));
        }
        if let Some(together) = &self.together {
            return self.all_keys(plan, keys, entry, stored, together);
        }
        let in_small_batches =
            keys.len() > settings::batch_size() && self.as_owner(plan, || cost::is_by_key(plan));
        let mut batches = keys.batches(if in_small_batches {
            batch_size::first()
        } else {
            settings::batch_size()
        });
        if let Some(first) = batches.next() {
            self.apply_batch(plan, first, stored, &mut entry);
        }
        if batches.is_empty() {
            return Ok(entry);
        }
        audit::write_feed(&mut entry);
        Err(Step::More(Box::new(Backlog {
            batches,
            news: News::after(entry.position.as_ref()),
            entry,
            before,
            in_small_batches,
        })))
    }

    /// Reports rows of the view that have no place in the table: rows that these changes made, and earlier
    /// ones.
    fn report_left_out(
        &self,
        plan: &Plan,
        keys: &Keys,
        pending: &[Pending],
        earlier: Option<KeptProblem>,
        entry: &mut Entry,
    ) {
        self.as_owner(plan, || {
            entry.add_left_out(if keys.null_key {
                report::null_keys(plan)
            } else {
                unmatched::problem(plan, pending)
            });
            report::report_earlier(plan, earlier, entry);
        });
    }
}

/// What is shown of a refresh, once it is known what it has to do first.
fn kind(now: &Now, populates: bool) -> Kind {
    match now.comparing {
        Some(populates) => Kind::of_all_rows(populates),
        None if populates => Kind::Populate,
        None => Kind::Refresh,
    }
}
