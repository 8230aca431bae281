//! One attempt at a refresh: what it knows from one transaction to the next, and what every transaction begins with.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use pgrx::pg_sys::Oid;

use super::audit::{self, Entry};
use super::failing::isolate::Isolate;
use super::failing::sandbox::Care;
use super::keys::Batches;
use super::locks;
use super::outcome::Status;
use super::plan::Plan;
use crate::catalog::definition;
use crate::error::Caught;
use crate::postgres::transaction::lock::{self, Attempt, ObjectLock, TableLock};
use crate::postgres::transaction::Driver;
use crate::queue::position::Position;
use crate::settings;

/// So many times a TVIEW is tried again because another one is behind, in longer and longer intervals: some ten seconds.
const LONGEST_AWAITED: u32 = 16;

/// Makes the plan of a TVIEW, in a transaction of its own, and registers the TVIEW anew if its view has changed. Called where no
/// plan is kept that fits the catalogs.
pub type Prepare = fn(Driver, Oid) -> Result<Result<Rc<Plan>, Status>, Caught>;

/// The workers of a database, for the one that has a backlog to share.
pub trait Team {
    /// How many there are, this one included; others may join if they can be of use.
    fn size(&self) -> usize;
    /// Whoever has nothing more urgent to do may take parts from now on, numbered below `parts`.
    fn offer(&self, parts: u32);
    /// A part that nobody has taken.
    fn take(&self) -> Option<u32>;
    /// Whether others still work on parts that they took.
    fn others_at_work(&self) -> bool;
    /// Nothing is to be taken any more.
    fn withdraw(&self);
}

/// A backlog whose parts are stored.
pub struct Shared {
    pub parts: usize,
    pub entry: Entry,
    pub before: Option<Position>,
}

/// What a transaction of the refresh found out.
pub enum Step {
    Done(Status),
    /// Everything was compared, for the first time or after a redefinition.
    Populated,
    /// The plan no longer fits the catalogs.
    Stale,
    /// Keys left after the first batch, and the position they lead to.
    More(Box<Backlog>),
    /// The same with all keys stored for several workers.
    Shared(Box<Shared>),
}

impl Step {
    /// Of a later transaction than the first. Somebody else took over, or the definition changed: the position has not
    /// moved, so nothing is lost.
    pub fn status(self) -> Status {
        match self {
            Step::Done(status) => status,
            Step::Stale | Step::Populated | Step::More(_) | Step::Shared(_) => Status::Busy,
        }
    }
}

/// What the first transaction has led to: with it, changes read and keys found.
pub struct First {
    pub step: Step,
    pub changes: u64,
    pub keys: u64,
}

impl First {
    pub fn new(step: Step, changes: u64, keys: u64) -> First {
        First { step, changes, keys }
    }

    pub fn done(status: Status) -> First {
        First::new(Step::Done(status), 0, 0)
    }

    pub fn stale() -> First {
        First::new(Step::Stale, 0, 0)
    }
}

/// Keys that are left after the first batch.
pub struct Backlog {
    pub batches: Batches,
    pub entry: Entry,
    pub before: Option<Position>,
}

/// One attempt.
pub struct Run<'a> {
    pub driver: Driver,
    pub tview: Oid,
    pub prepare: Prepare,
    /// Who a large backlog can be shared with.
    pub team: Option<&'a dyn Team>,
    /// How long a step may take before it is given up for now.
    pub limit: Option<Duration>,
    /// All partitions are to be locked before the snapshot: all rows are compared.
    pub all_partitions: Cell<bool>,
    /// They are not; what was known of changes of relations when they would have been.
    pub spared_partitions: Cell<Option<u64>>,
    /// The keys that are skipped instead of failing the refresh: none at first.
    pub isolate: Isolate,
    /// Also skips keys that fail by an error of the server (out of memory, disk full).
    pub gives_up: bool,
    /// Skipping keys that violate a foreign key has not been tried yet.
    pub may_await: bool,
    /// Tables and views are locked: a lock that is still waited for is one on rows.
    pub at_rows: bool,
    /// Some keys were skipped because another session holds their rows: the position stays where it is.
    pub held: Cell<bool>,
    /// A comparison of all rows is under way; whether it is a population.
    pub comparing: Cell<Option<bool>>,
    /// Code of the owner must not run in this process.
    pub refused: Cell<bool>,
    pub retry_at: Cell<Option<i64>>,
    pub changes: u64,
    pub keys: u64,
    pub duration: Duration,
    /// Of the names of schemas that the attempt began with.
    pub schemas: u64,
    pub started_at: pgrx::datum::TimestampWithTimeZone,
}

impl<'a> Run<'a> {
    pub fn new(
        driver: Driver,
        prepare: Prepare,
        tview: Oid,
        team: Option<&'a dyn Team>,
        failures: u32,
    ) -> Run<'a> {
        Run {
            driver,
            prepare,
            tview,
            team,
            limit: None,
            all_partitions: Cell::new(false),
            spared_partitions: Cell::new(None),
            isolate: Isolate::default(),
            gives_up: failures >= settings::retry_limit(),
            may_await: failures < LONGEST_AWAITED,
            at_rows: false,
            held: Cell::new(false),
            comparing: Cell::new(None),
            refused: Cell::new(false),
            retry_at: Cell::new(None),
            changes: 0,
            keys: 0,
            duration: Duration::ZERO,
            schemas: 0,
            started_at: audit::now(),
        }
    }

    /// Raises if code of the owner must not run in this process.
    pub fn check_permit(&self, plan: &Plan) {
        if let Err(refusal) = plan.permit() {
            self.refused.set(true);
            refusal.raise(plan);
        }
    }

    pub fn as_owner<R>(&self, plan: &Plan, step: impl FnOnce() -> R) -> R {
        self.check_permit(plan);
        self.care().as_owner(plan, step)
    }

    pub fn care(&self) -> Care {
        Care {
            driver: self.driver,
            gives_up: self.gives_up,
            limit: self.limit,
        }
    }

    /// Locks before the snapshot: the extension's tables (DROP EXTENSION takes those first, too), the TVIEW, then
    /// what it reads. Waits for none of them: whoever holds one may do so for long, and other TVIEWs need this process.
    pub fn lock(&self, plan: &Plan, tview: ObjectLock) -> Option<Step> {
        if let Err(status) = locks::own_tables() {
            return Some(Step::Done(status));
        }
        let Some(class) = definition::table() else {
            return Some(Step::Done(Status::NotReady));
        };
        if !lock::try_object(class, self.tview, tview) {
            return Some(Step::Done(Status::Busy));
        }
        locks::limit_waits(settings::lock_timeout());
        let reads = self.tables_to_lock(plan).into_iter().chain(plan.view_oids());
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
}
