//! One attempt: all TVIEWs that have not left are refreshed in one transaction.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use pgrx::pg_sys::Oid;
use pgrx::PgSqlErrorCode;

use super::outcome::{Member, Verdict};
use super::transaction::Together;
use crate::catalog::groups::Membership;
use crate::error::{Caught, Problem};
use crate::postgres::hooks::function_calls;
use crate::postgres::spi;
use crate::postgres::transaction::lock::ObjectLock;
use crate::postgres::transaction::{next_command, with_snapshot, Driver};
use crate::refresh::failing::classes;
use crate::refresh::one_refresh::{Prepare, Refresh};
use crate::refresh::outcome::Status;
use crate::refresh::plan::{self, Plan};
use crate::refresh::step::Step;
use crate::refresh::tally;
use crate::wake::counters::Stage;

/// How an attempt ended.
pub enum End {
    Committed,
    /// A plan no longer fits the catalogs.
    Stale,
    /// The TVIEW at this index cannot be refreshed with the others.
    Leaves(usize),
    /// It is not known which of them made the transaction fail.
    Failed,
    /// The one at this index ended the attempt for all.
    Stopped(usize, Verdict),
    /// The session that called pg_tviews_drain has cancelled it.
    Cancelled(Caught),
}

/// For each TVIEW that was refreshed, by index, how many changes it has read and how many keys were recomputed.
type Counts = Vec<(usize, u64, u64)>;

/// TVIEWs to be refreshed in one transaction.
pub struct Attempt {
    driver: Driver,
    prepare: Prepare,
    members: Vec<(Refresh<'static>, Member)>,
}

/// Why a transaction is rolled back that has not failed.
#[derive(Clone, Copy)]
enum Undo {
    Stale,
    Alone,
    Busy,
    Regrouped,
}

/// How far a transaction has come.
#[derive(Default)]
struct Course {
    /// The TVIEW that is being refreshed.
    at: Cell<Option<usize>>,
    undo: Cell<Option<Undo>>,
}

impl Attempt {
    pub fn new(driver: Driver, prepare: Prepare, tviews: &[Oid], limit: Option<Duration>) -> Attempt {
        let member = |tview: &Oid| {
            let mut refresh = Refresh::new(driver, prepare, *tview, None, 0);
            refresh.limit = limit;
            (refresh, Member::new(*tview))
        };
        Attempt {
            driver,
            prepare,
            members: tviews.iter().map(member).collect(),
        }
    }

    /// Only with these groups, one for each TVIEW, are they to be refreshed together.
    pub fn know_groups(&mut self, groups: impl Iterator<Item = Option<Membership>>) {
        for ((refresh, _), group) in self.members.iter_mut().zip(groups) {
            refresh.known_group = Some(group);
        }
    }

    /// The one at this index is refreshed alone.
    pub fn leave(&mut self, index: usize) {
        self.members[index].1.verdict = Verdict::Alone;
    }

    pub fn stop(&mut self, index: usize, verdict: Verdict) {
        self.members[index].1.verdict = verdict;
    }

    /// Whether all have left.
    pub fn is_empty(&self) -> bool {
        self.taking_part().next().is_none()
    }

    /// What became of all, once the attempts are over. `rest`: of those that have not left.
    pub fn members(&self, rest: Verdict, duration: Duration) -> Vec<Member> {
        let members = self.members.iter().map(|(refresh, member)| {
            let mut member = *member;
            if member.verdict == Verdict::Waits {
                member.verdict = rest;
            }
            if member.verdict == Verdict::UpToDate {
                (member.changes, member.keys) = (refresh.changes, refresh.keys);
            }
            member.retry_at = refresh.retry_at.get();
            member.duration = duration;
            member
        });
        members.collect()
    }

    fn taking_part(&self) -> impl Iterator<Item = usize> + '_ {
        let takes_part = |index: &usize| self.members[*index].1.verdict == Verdict::Waits;
        (0..self.members.len()).filter(takes_part)
    }

    pub fn run(&mut self) -> End {
        let mut plans = Vec::new();
        for index in self.taking_part() {
            match self.plan(index) {
                Ok(plan) => plans.push((index, plan)),
                Err(end) => return end,
            }
        }
        let together = Rc::new(Together::default());
        for (index, _) in &plans {
            let refresh = &mut self.members[*index].0;
            refresh.together = Some(together.clone());
            refresh.at_rows = true;
        }
        let course = Course::default();
        let result = tally::counting_together(|| {
            self.driver
                .repeatable_read(|| self.lock(&plans), || self.apply(&plans, &together, &course))
        });
        match result {
            Ok(Ok(counts)) => {
                self.note_committed(&plans, &counts);
                End::Committed
            }
            Ok(Err(end)) => end,
            Err(error) => self.after_error(&course, error),
        }
    }

    /// Those that were refreshed are up to date. The others were not ready.
    fn note_committed(&mut self, plans: &[(usize, Rc<Plan>)], counts: &Counts) {
        for (index, _) in plans {
            let (refresh, member) = &mut self.members[*index];
            match counts.iter().find(|(refreshed, ..)| refreshed == index) {
                Some((_, changes, keys)) => {
                    (refresh.changes, refresh.keys) = (*changes, *keys);
                    refresh.note_absorbed(true);
                }
                None => member.verdict = Verdict::Alone,
            }
        }
    }

    fn plan(&self, index: usize) -> Result<Rc<Plan>, End> {
        let refresh = &self.members[index].0;
        if let Some(plan) = plan::kept(refresh.tview).filter(|plan| plan.in_step.get()) {
            return Ok(plan);
        }
        match (self.prepare)(self.driver, refresh.tview) {
            Ok(Ok(plan)) => Ok(plan),
            Err(error) if classes::is_cancelled_drain(self.driver, &error) => Err(End::Cancelled(error)),
            // Alone it is tried again, and an error is recorded.
            Ok(Err(_)) | Err(_) => Err(End::Leaves(index)),
        }
    }

    /// All locks before the snapshot, TVIEWs in the order of their OIDs. None of them is waited for.
    fn lock(&self, plans: &[(usize, Rc<Plan>)]) -> Option<Result<Counts, End>> {
        let mut order: Vec<&(usize, Rc<Plan>)> = plans.iter().collect();
        order.sort_by_key(|(index, _)| self.members[*index].1.tview.to_u32());
        order.into_iter().find_map(|(index, plan)| {
            tally::of_member(self.members[*index].1.tview);
            self.members[*index].0.note_commits(plan);
            let step = self.members[*index].0.lock(plan, ObjectLock::Exclusive)?;
            Some(Err(match step {
                Step::Stale => End::Stale,
                Step::Done(Status::Busy) => End::Stopped(*index, Verdict::Busy),
                _ => End::Leaves(*index),
            }))
        })
    }

    /// Refreshes all, each under the snapshot with what the ones before have written.
    fn apply(
        &self,
        plans: &[(usize, Rc<Plan>)],
        together: &Together,
        course: &Course,
    ) -> Result<Counts, End> {
        let mut counts = Vec::new();
        for (index, plan) in plans {
            course.at.set(Some(*index));
            let refresh = &self.members[*index].0;
            tally::ended(Stage::Lock);
            tally::of_member(refresh.tview);
            next_command();
            let first =
                with_snapshot(|| spi::session(|| refresh.checked(plan, || refresh.apply_first(plan))));
            match first.step {
                Step::Done(Status::UpToDate) => counts.push((*index, first.changes, first.keys)),
                // It has written nothing.
                Step::Done(Status::NotReady) => {}
                Step::Stale => undo(course, Undo::Stale),
                Step::Done(Status::Busy) => undo(course, Undo::Busy),
                Step::Done(Status::Regrouped) => undo(course, Undo::Regrouped),
                _ => undo(course, Undo::Alone),
            }
            if !together.write_changes() {
                undo(course, Undo::Alone);
            }
            tally::ended(Stage::Record);
        }
        course.at.set(None);
        next_command();
        with_snapshot(|| together.complete());
        Ok(counts)
    }

    /// As for a TVIEW that is refreshed alone, but without a second attempt that skips keys: that is left to the refresh
    /// alone.
    fn after_error(&self, course: &Course, error: Caught) -> End {
        let Some(index) = course.at.get() else {
            if classes::is_cancelled_drain(self.driver, &error) {
                return End::Cancelled(error);
            }
            return End::Failed;
        };
        match course.undo.get() {
            Some(Undo::Stale) => return End::Stale,
            Some(Undo::Busy) => return End::Stopped(index, Verdict::Busy),
            Some(Undo::Regrouped) => return End::Stopped(index, Verdict::Regrouped),
            Some(Undo::Alone) => return End::Leaves(index),
            None => {}
        }
        let refresh = &self.members[index].0;
        if refresh.refused.get() || function_calls::was_refused() {
            return End::Stopped(index, Verdict::Refused);
        }
        if error.is_cancel() && refresh.limit.is_some() {
            return End::Stopped(index, Verdict::TooLong);
        }
        tally::failed(refresh.tview, tally::class(&error));
        if classes::is_cancelled_drain(self.driver, &error) {
            return End::Cancelled(error);
        }
        // A session that keeps rows locked may do so for long, and the refresh has waited for it.
        let is_lock = error.code == PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE;
        if classes::is_in_the_way(&error) && !is_lock {
            return End::Stopped(index, Verdict::Busy);
        }
        End::Leaves(index)
    }
}

/// Rolls the transaction back.
fn undo(course: &Course, why: Undo) -> ! {
    course.undo.set(Some(why));
    Problem::new(
        PgSqlErrorCode::ERRCODE_TRANSACTION_ROLLBACK,
        "TVIEWs are not refreshed together",
    )
    .raise()
}
