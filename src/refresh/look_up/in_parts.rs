//! The transactions of a look-up in parts.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use pgrx::pg_sys;

use super::changes::{Changes, Part};
use super::part_size::{PartSize, FIRST};
use super::under_way::LookUp;
use crate::error::Caught;
use crate::postgres::process::latch;
use crate::postgres::run_as::run_internal;
use crate::postgres::transaction::lock::ObjectLock;
use crate::queue::append;
use crate::queue::read::{self, Pending};
use crate::refresh::affected_keys::{self, Affected};
use crate::refresh::apply::Read;
use crate::refresh::audit::Entry;
use crate::refresh::by_source;
use crate::refresh::cost::expected;
use crate::refresh::current::{self, Now};
use crate::refresh::equal_keys;
use crate::refresh::keys::Keys;
use crate::refresh::news::News;
use crate::refresh::one_refresh::Refresh;
use crate::refresh::outcome::Status;
use crate::refresh::plan::Plan;
use crate::refresh::planner_settings::few_rows;
use crate::refresh::step::{First, Step};
use crate::refresh::tally;
use crate::wake::counters::Stage;
use crate::wake::operations::{self, Phase};

/// With more changes their keys are looked up in parts.
const MANY_CHANGES: i64 = 10_000;
/// A worker that has to be free soon leaves more changes to another one.
const TOO_MANY_CHANGES: i64 = 50_000;
/// Once so many times as many changes are read as at first, the rest is looked up in one part: further changes could come
/// for ever.
const TIMES_AS_MANY: i64 = 4;
/// How often a part that another session keeps from its locks is tried again, and the pause before.
const ATTEMPTS: u32 = 25;
const PAUSE: Duration = Duration::from_millis(20);

impl Refresh<'_> {
    /// Begins to look up the keys of these changes in parts; None if they are to be looked up together.
    pub fn begin_look_up(&self, plan: &Plan, now: &Now, pending: &[Pending], entry: &Entry) -> Option<Step> {
        let concerning = pending.iter().filter(|pending| pending.concerns(self.tview));
        let number: i64 = concerning.map(|pending| pending.changes).sum();
        if self.whole.take()
            || number <= MANY_CHANGES
            || self.together.is_some()
            || !self.skip.is_nothing()
            || pending
                .iter()
                .any(|pending| affected_keys::affects_all(plan, pending))
        {
            return None;
        }
        if self.limit.is_some() && number > TOO_MANY_CHANGES {
            return Some(Step::Done(Status::TooLong));
        }
        let mut changes = Changes::default();
        changes.add(self.tview, pending);
        Some(Step::LookUp(Box::new(LookUp {
            maximum_changes: changes.number() * TIMES_AS_MANY,
            changes,
            seen: now.snapshot.clone(),
            keys: Keys::of_many_queries(),
            maximum_keys: self.as_owner(plan, || affected_keys::maximum(plan)),
            sizes: HashMap::new(),
            entry: entry.clone(),
            before: now.position.clone(),
            news: News::since(now.position.as_ref()),
        })))
    }

    /// Looks up the keys part by part, with small changes in between, and recomputes the first batch of them. Returns what
    /// that leads to.
    pub fn look_up(&self, plan: &Rc<Plan>, mut look_up: Box<LookUp>) -> Result<First, Caught> {
        let (begin, mut attempts) = (Instant::now(), 0);
        loop {
            if self.limit.is_some_and(|limit| begin.elapsed() > limit) {
                return Ok(First::done(Status::TooLong));
            }
            let LookUp {
                news, entry, before, ..
            } = &mut *look_up;
            self.apply_news(plan, news, entry, before.as_ref(), ObjectLock::Exclusive)?;
            let lock = || {
                self.lock(plan, ObjectLock::Exclusive)
                    .map(|step| Some(First::new(step, 0, 0)))
            };
            let first = self.transaction(lock, || self.look_up_part(plan, &mut look_up))?;
            match first {
                None => attempts = 0,
                Some(First {
                    step: Step::Done(Status::Busy),
                    changes: 0,
                    ..
                }) if attempts < ATTEMPTS => {
                    attempts += 1;
                    latch::pause_or_raise(PAUSE);
                }
                Some(first) => return Ok(first),
            }
        }
    }

    /// Looks up one part. None: more of them follow.
    fn look_up_part(&self, plan: &Plan, look_up: &mut LookUp) -> Option<First> {
        let Some(now) = current::unmoved(plan, look_up.before.as_ref()) else {
            return Some(First::stale());
        };
        operations::phase(Phase::ReadingQueue);
        let later = run_internal(|| read::since(&look_up.seen, &self.logged_for(plan), self.tview));
        let is_request = |pending: &Pending| pending.requested && pending.concerns(self.tview);
        if later
            .iter()
            .any(|pending| is_request(pending) || affected_keys::affects_all(plan, pending))
        {
            // The first transaction knows what has to be checked then.
            self.whole.set(true);
            return Some(First::stale());
        }
        look_up.changes.add(self.tview, &later);
        look_up.seen = now.snapshot.clone();
        tally::ended(Stage::ReadLog);
        operations::phase(Phase::FindingKeys);
        loop {
            if !self.checked(plan, || self.as_owner(plan, || add_part(plan, look_up))) {
                self.everything.set(true);
                return Some(First::stale());
            }
            if look_up.changes.is_empty() {
                break;
            }
            if look_up.changes.number() <= look_up.maximum_changes {
                tally::ended(Stage::FindKeys);
                return None;
            }
        }
        Some(self.apply_looked_up(plan, now, look_up))
    }

    /// All keys are known that changes up to the snapshot of this transaction lead to.
    fn apply_looked_up(&self, plan: &Plan, now: Now, look_up: &mut LookUp) -> First {
        let mut keys = std::mem::take(&mut look_up.keys);
        self.as_owner(plan, || keys.merge_equal(|keys| equal_keys::merge(plan, keys)));
        // The parts have not looked for them.
        keys.null_key |= plan.unmatched.is_some();
        tally::ended(Stage::FindKeys);
        let mut entry = look_up.entry.clone();
        let read = &look_up.changes.read;
        entry.changes_read = Some(look_up.changes.number());
        entry.oldest_change_at = read.iter().filter_map(|read| read.oldest).min();
        entry.origins = look_up.changes.origins();
        append::note_applied(Some(entry.origins.clone().unwrap_or_default()));
        let affected = Affected::Keys(keys);
        entry.sources = by_source::costs(plan, read, &affected);
        entry.pass_age_on();
        let dead = self.read_dead_keys(plan, &now);
        let read = Read {
            populates: false,
            pending: read,
            dead: &dead,
        };
        self.checked(plan, || self.apply_affected(plan, affected, now, &read, entry))
    }
}

/// Adds the keys of the next part. False: all rows are to be compared.
fn add_part(plan: &Plan, look_up: &mut LookUp) -> bool {
    let sizes = &mut look_up.sizes;
    let size_of = |source| sizes.get(&source).map_or(FIRST, PartSize::get);
    let Some(part) = look_up.changes.next(size_of) else {
        return true;
    };
    let begin = Instant::now();
    let size = sizes
        .entry(part.source)
        .or_insert_with(|| expected_size(plan, &part));
    let number = part.changes;
    let requested = part.source == plan.definition.tview;
    let pending = part.pending(requested);
    let are_few = affected_keys::add_some(plan, &pending, &mut look_up.keys, look_up.maximum_keys);
    size.took(number, begin.elapsed());
    are_few
}

/// The size of the parts of a source, as the planner expects what they cost.
fn expected_size(plan: &Plan, part: &Part) -> PartSize {
    let Some(Some(source)) = plan.sources.get(&part.source) else {
        return PartSize::expecting((0, 0.0), (0, 0.0));
    };
    few_rows(false);
    let explain = format!("EXPLAIN (FORMAT JSON) {}", source.many.sql());
    let cost = |keys| expected(&explain, &[(pg_sys::JSONBARRAYOID, keys)]).cost;
    let (few, keys) = part.first_portion();
    PartSize::expecting((few, cost(keys)), (part.changes, cost(part.keys())))
}
