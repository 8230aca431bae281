//! One refresh, from lock to commit.

use std::rc::Rc;
use std::time::{Duration, Instant};

use pgrx::pg_sys::Oid;
use pgrx::PgSqlErrorCode;

use super::audit::{self, Entry};
use super::keys::{self, Batch, Wanted};
use super::plan::{self, Plan};
use super::recompute;
use crate::catalog::definition::{self, State};
use crate::catalog::session_cache::SessionStatement;
use crate::catalog::{change_state, reregister};
use crate::error::Problem;
use crate::postgres::identity::{self, run_as, run_internal, Trust};
use crate::postgres::lock::{self, Attempt, TableLock};
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::transaction::{Caught, Driver};
use crate::queue::log;
use crate::queue::position::Position;
use crate::{settings, statement};

/// How long a refresh waits for rows of the tv table that someone else has locked, or to keep writers out for new
/// triggers, before it lets go and comes back: writers may be queueing behind it, other TVIEWs behind this worker.
const LOCK_TIMEOUT: &str = "200ms";

/// How a refresh ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Everything visible when it started is applied.
    UpToDate,
    /// Another session is at this TVIEW, or DDL at what it reads: it is tried again soon.
    Busy,
    /// Paused, suspended, dropped, or without its view.
    NotReady,
    Failed,
}

/// What a refresh did.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    pub changes: u64,
    pub keys: u64,
    /// What applying changes took: neither making the plan nor the first population, which come once.
    pub duration: Duration,
    pub status: Status,
}

/// Refreshes one TVIEW in a background worker, outside any transaction. Catches every ERROR.
pub fn run(tview: Oid) -> Outcome {
    refresh(Driver::Worker, tview).0
}

/// Refreshes one TVIEW in a procedure that may commit; the error, if any, is handed back.
pub fn drain(tview: Oid) -> (Outcome, Option<Caught>) {
    refresh(Driver::Procedure, tview)
}

fn refresh(driver: Driver, tview: Oid) -> (Outcome, Option<Caught>) {
    let mut run = Run {
        driver,
        tview,
        changes: 0,
        keys: 0,
        duration: Duration::ZERO,
        started_at: audit::now(),
    };
    let (status, error) = match run.go() {
        Ok(status) => (status, None),
        Err(error) if in_the_way(error.code) => (Status::Busy, None),
        // Whoever asked for a drain does not want it any more: that says nothing about the TVIEW.
        Err(error) if driver == Driver::Procedure && error.is_cancel() => (Status::Failed, Some(error)),
        Err(error) => {
            run.record(&error);
            (Status::Failed, Some(error))
        }
    };
    (
        Outcome {
            changes: run.changes,
            keys: run.keys,
            duration: run.duration,
            status,
        },
        error,
    )
}

/// Others were at the same rows or tables: nothing is wrong, it is simply done again.
fn in_the_way(code: PgSqlErrorCode) -> bool {
    matches!(
        code,
        PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE
            | PgSqlErrorCode::ERRCODE_T_R_SERIALIZATION_FAILURE
            | PgSqlErrorCode::ERRCODE_T_R_DEADLOCK_DETECTED
    )
}

/// What a transaction of the refresh found out.
enum Step {
    Done(Status),
    /// Everything was compared, for the first time or after a redefinition.
    Populated,
    /// The plan no longer fits the catalogs.
    Stale,
    /// Keys left after the first batch, and the position they lead to.
    More(Box<Backlog>),
}

struct Backlog {
    batches: Vec<Batch>,
    entry: Entry,
    before: Option<Position>,
}

struct Run {
    driver: Driver,
    tview: Oid,
    changes: u64,
    keys: u64,
    duration: Duration,
    started_at: pgrx::datum::TimestampWithTimeZone,
}

thread_local! {
    static STATE: SessionStatement = const { SessionStatement::new() };
}

impl Run {
    fn go(&mut self) -> Result<Status, Caught> {
        // A plan made stale by DDL in between is made again; DDL in a loop must not keep us here.
        for _ in 0..5 {
            let plan = match plan::kept(self.tview) {
                Some(plan) => plan,
                None => match self.prepare()? {
                    Some(plan) => plan,
                    None => return Ok(Status::NotReady),
                },
            };
            let started = Instant::now();
            match self.first(&plan)? {
                Step::Populated => return Ok(Status::UpToDate),
                Step::Done(status) => {
                    self.duration = started.elapsed();
                    return Ok(status);
                }
                Step::Stale => continue,
                Step::More(backlog) => {
                    let status = self.work_off(&plan, backlog);
                    self.duration = started.elapsed();
                    return status;
                }
            }
        }
        Ok(Status::Busy)
    }

    /// Makes the plan, in a transaction of its own; registers the TVIEW anew if its view has changed.
    fn prepare(&self) -> Result<Option<Rc<Plan>>, Caught> {
        let tview = self.tview;
        self.driver.transaction(|| {
            identity::set_local("lock_timeout", LOCK_TIMEOUT);
            crate::postgres::transaction::with_snapshot(|| {
                run_internal(|| {
                    let definition = definition::load(tview)?;
                    definition.view()?;
                    let plan = plan::prepare(definition).unwrap_or_else(|problem: Problem| problem.raise());
                    if plan.hash != plan.definition.hash && plan.definition.state.refreshes() {
                        reregister(&plan);
                        return plan::prepare(definition::load(tview)?).ok();
                    }
                    Some(plan)
                })
            })
        })
    }

    /// Locks before the snapshot: the TVIEW, then what it reads. Waits for none of them: whoever holds one may
    /// do so for long, and other TVIEWs need this process.
    fn lock(&self, plan: &Plan) -> Option<Step> {
        let Some(class) = definition::table() else {
            return Some(Step::Done(Status::NotReady));
        };
        if !lock::try_object(class, self.tview) {
            return Some(Step::Done(Status::Busy));
        }
        identity::set_local("lock_timeout", LOCK_TIMEOUT);
        let reads = plan.tables().into_iter().chain(plan.view_oids());
        for relation in reads {
            match lock::try_table(relation, TableLock::AccessShare) {
                Attempt::Locked => {}
                Attempt::Held => return Some(Step::Done(Status::Busy)),
                Attempt::Gone => return Some(Step::Stale),
            }
        }
        match lock::try_table(self.tview, TableLock::RowExclusive) {
            Attempt::Locked => {}
            Attempt::Held => return Some(Step::Done(Status::Busy)),
            Attempt::Gone => return Some(Step::Done(Status::NotReady)),
        }
        (!plan.is_current()).then_some(Step::Stale)
    }

    /// The first transaction: reads the log, recomputes the first batch of keys or everything.
    fn first(&mut self, plan: &Rc<Plan>) -> Result<Step, Caught> {
        let driver = self.driver;
        let this: &Run = self;
        let result = driver.repeatable_read(
            || this.lock(plan).map(|step| (step, 0, 0)),
            || spi::session(|| this.under_snapshot(plan)),
        );
        let (step, changes, keys) = result?;
        self.changes += changes;
        self.keys += keys;
        Ok(step)
    }

    fn under_snapshot(&self, plan: &Plan) -> (Step, u64, u64) {
        let done = |status| (Step::Done(status), 0, 0);
        let Some(now) = self.state(plan) else {
            return done(Status::NotReady);
        };
        if !now.state.refreshes() {
            return done(Status::NotReady);
        }
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
        let populate = now.state == State::Populating || now.position.is_none();
        let mut pending = Vec::new();
        if !populate {
            let position = now.position.clone().unwrap_or_else(|| now.snapshot.clone());
            let mut sources = plan.source_oids();
            sources.push(self.tview);
            pending = run_internal(|| log::since(&position, &sources));
            if pending.is_empty() {
                return done(Status::UpToDate);
            }
        }
        if populate || pending.iter().any(|changes| changes.all_keys) {
            if !run_internal(|| log::is_announced(&plan.source_oids())) {
                return done(Status::Busy);
            }
            if !plan.is_current() {
                return (Step::Stale, 0, 0);
            }
        }
        let wanted = if populate {
            entry.operation = "populate";
            Wanted::Everything
        } else {
            entry.changes_read = Some(pending.iter().map(|p| p.changes).sum());
            entry.oldest_change_at = pending.iter().filter_map(|p| p.oldest).min();
            self.as_owner(plan, || keys::wanted(plan, &pending))
        };
        let changes = entry.changes_read.unwrap_or(0) as u64;
        entry.position = Some(now.snapshot);
        match wanted {
            Wanted::Everything => {
                let result = self.as_owner(plan, || recompute::everything(plan));
                let written = result.written;
                let keys = written.inserted + written.updated + written.deleted + written.unchanged;
                complete(&mut entry, result, keys);
                if now.state == State::Populating {
                    change_state(self.tview, State::Active);
                }
                audit::add(entry);
                let step = match populate {
                    true => Step::Populated,
                    false => Step::Done(Status::UpToDate),
                };
                (step, changes, keys as u64)
            }
            Wanted::Keys(keys) => {
                let null_key = keys.null_key;
                let total = keys.len();
                entry.keys_refreshed = Some(total as i64);
                let mut batches = keys.batches(settings::batch_size());
                let mut result = match batches.is_empty() {
                    true => recompute::Result::default(),
                    false => {
                        let first = batches.remove(0);
                        self.as_owner(plan, || recompute::keys(plan, &first))
                    }
                };
                if null_key && result.problem.is_none() {
                    result.problem = self.as_owner(plan, || recompute::null_keys(plan));
                }
                complete(&mut entry, result, total as i64);
                if batches.is_empty() {
                    audit::add(entry);
                    return (Step::Done(Status::UpToDate), changes, total as u64);
                }
                batches.reverse();
                (
                    Step::More(Box::new(Backlog {
                        batches,
                        entry,
                        before: now.position,
                    })),
                    changes,
                    total as u64,
                )
            }
        }
    }

    /// The rest of a backlog: one batch per transaction, each under its own snapshot; the position moves with
    /// the last, to where the first one read the log. Whatever changes meanwhile is still ahead of it.
    fn work_off(&self, plan: &Rc<Plan>, mut backlog: Box<Backlog>) -> Result<Status, Caught> {
        while let Some(batch) = backlog.batches.pop() {
            let last = backlog.batches.is_empty();
            let entry = &mut backlog.entry;
            let before = &backlog.before;
            let step = self.driver.repeatable_read(
                || self.lock(plan),
                || {
                    spi::session(|| {
                        let unmoved = self.state(plan).is_some_and(|now| {
                            now.state == State::Active && now.position == *before && now.hash == plan.hash
                        });
                        if !unmoved {
                            return Step::Stale;
                        }
                        let result = self.as_owner(plan, || recompute::keys(plan, &batch));
                        complete(entry, result, entry.keys_refreshed.unwrap_or(0));
                        if last {
                            audit::add(entry.clone());
                        }
                        Step::Done(Status::UpToDate)
                    })
                },
            )?;
            match step {
                Step::Done(Status::UpToDate) => {}
                Step::Done(other) => return Ok(other),
                // Somebody else took over, or the definition changed: the position has not moved, so
                // nothing is lost.
                Step::Stale | Step::Populated | Step::More(_) => return Ok(Status::Busy),
            }
        }
        Ok(Status::UpToDate)
    }

    fn as_owner<R>(&self, plan: &Plan, work: impl FnOnce() -> R) -> R {
        run_as(
            plan.definition.owner,
            Trust::Restricted,
            &plan.definition.pinned,
            work,
        )
    }

    fn state(&self, plan: &Plan) -> Option<Now> {
        let args = [Value::of(plan.definition.tview)];
        run_internal(|| {
            let read = STATE.with(|s| s.get(|| statement!("refresh_state"), &[pgrx::pg_sys::OIDOID]));
            let rows = read.run(Access::Snapshot, &args, 1);
            if rows.is_empty() {
                return None;
            }
            Some(Now {
                state: State::from_name(&rows.get::<String>(0, 0)?)?,
                hash: rows.get(0, 1)?,
                snapshot: rows.get::<String>(0, 2)?.parse().ok()?,
                position: rows.get::<String>(0, 3).and_then(|text| text.parse().ok()),
            })
        })
    }

    /// Writes down a failure, after the rollback, in a transaction of its own.
    fn record(&self, error: &Caught) {
        let recorded = self.driver.transaction(|| {
            crate::postgres::transaction::with_snapshot(|| {
                let Some(definition) = run_internal(|| definition::load(self.tview)) else {
                    return;
                };
                let mut entry = Entry::new(&definition.entity_name, self.tview, "refresh", self.started_at);
                entry.status = audit::Status::Error;
                entry.sqlstate = Some(error.sqlstate());
                entry.message = Some(error.message.clone());
                entry.details = Some(serde_json::json!({ "detail": error.detail, "hint": error.hint }));
                audit::add(entry);
            })
        });
        if let Err(also) = recorded {
            pgrx::log!(
                "pg_tviews: could not record a failed refresh: {} ({})",
                also.message,
                error.message
            );
        }
    }
}

struct Now {
    state: State,
    hash: String,
    snapshot: Position,
    position: Option<Position>,
}

fn complete(entry: &mut Entry, result: recompute::Result, keys: i64) {
    let mut written = entry.written.unwrap_or_default();
    written += result.written;
    entry.written = Some(written);
    entry.keys_refreshed = Some(keys);
    if let Some(problem) = result.problem {
        entry.status = audit::Status::Partial;
        entry.sqlstate = Some(sqlstate(&problem));
        entry.message = Some(problem.message.clone());
        entry.details = Some(serde_json::json!({ "detail": problem.detail, "hint": problem.hint }));
    }
}

fn sqlstate(problem: &Problem) -> String {
    crate::postgres::transaction::sqlstate(problem.code)
}
