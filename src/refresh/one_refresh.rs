//! One refresh: its options, and what it knows from one transaction to the next.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_sys::Oid;

use super::audit;
use super::failing::sandbox::Sandbox;
use super::failing::skip::Skip;
use super::outcome::Status;
use super::plan::staged::Staged;
use super::plan::Plan;
use super::team::Team;
use super::together::Together;
use crate::catalog::groups::Membership;
use crate::error::Caught;
use crate::postgres::hooks::function_calls;
use crate::postgres::transaction::Driver;
use crate::settings;

/// Maximum number of attempts that leave rows for later because another TVIEW is behind. The pauses between
/// these attempts add up to some ten seconds.
const MAXIMUM_AWAITED: u32 = 16;

/// Makes the plan of a TVIEW, in a transaction of its own, and registers the TVIEW again if its view has
/// changed. Called if no plan is kept that fits the catalogs.
pub type Prepare = fn(Driver, Oid) -> Result<Result<Rc<Plan>, Status>, Caught>;

/// A refresh of one TVIEW.
pub struct Refresh<'a> {
    pub driver: Driver,
    pub tview: Oid,
    pub prepare: Prepare,
    /// The workers that a large backlog can be shared with.
    pub team: Option<&'a dyn Team>,
    /// The group that a worker knows; None: nothing is known, and whatever group it has is right.
    pub known_group: Option<Option<Membership>>,
    /// The transaction refreshes other TVIEWs, too.
    pub together: Option<Rc<Together>>,
    /// How long a step may take. A refresh with a longer step ends as [`Status::TooLong`].
    pub limit: Option<Duration>,
    /// All partitions are to be locked before the snapshot, because all rows are compared.
    pub all_partitions: Cell<bool>,
    /// Some partitions were not locked before the snapshot; the stamp of relation changes at that time.
    pub spared_partitions: Cell<Option<u64>>,
    /// Keys that are skipped instead of failing the refresh: none at first.
    pub skip: Skip,
    /// Keys that fail by a server error (out of memory, disk full) are skipped, too.
    pub skips_server_errors: bool,
    /// Skipping keys that violate a foreign key has not been tried yet.
    pub may_await: bool,
    /// Tables and views are locked: a lock timeout from now on is one on rows.
    pub at_rows: bool,
    /// Some keys were skipped because another session holds their rows: the position stays where it is.
    pub held: Cell<bool>,
    /// A comparison of all rows is in progress; whether it is a population.
    pub comparing: Cell<Option<bool>>,
    /// After a redefinition all rows may be compared in one transaction. An error of an earlier attempt says
    /// that it has to be done in batches.
    pub may_be_at_once: bool,
    /// This attempt compares all rows after a redefinition in one transaction.
    pub redefines: Cell<bool>,
    /// All rows are to be compared: a look-up in parts has found that the changes lead to too many keys.
    pub everything: Cell<bool>,
    /// The keys of all changes are to be looked up together: a look-up in parts has met a request.
    pub whole: Cell<bool>,
    /// The statements of this attempt, if a comparison in progress writes a stage.
    pub staged: RefCell<Option<Rc<Staged>>>,
    /// The stage of the comparison in progress cannot be used any more.
    pub stage_lost: Cell<bool>,
    /// The rows of the table are being replaced by those of a stage.
    pub replacing: Cell<bool>,
    /// An error of an earlier attempt says that this cannot be done in one transaction.
    pub may_replace: bool,
    /// Code of the owner must not run in this process.
    pub refused: Cell<bool>,
    /// When the first of the dead keys is to be retried, in microseconds since 2000.
    pub retry_at: Cell<Option<i64>>,
    /// How many commits of the sources its snapshot sees at least, for metrics.
    pub commits: Cell<Option<u64>>,
    pub changes: u64,
    pub keys: u64,
    pub duration: Duration,
    /// The number of changes of schema names that this process knew when the attempt began.
    pub schemas: u64,
    pub started_at: TimestampWithTimeZone,
}

impl<'a> Refresh<'a> {
    pub fn new(
        driver: Driver,
        prepare: Prepare,
        tview: Oid,
        team: Option<&'a dyn Team>,
        failures: u32,
    ) -> Refresh<'a> {
        function_calls::forget();
        Refresh {
            driver,
            prepare,
            tview,
            team,
            known_group: None,
            together: None,
            limit: None,
            all_partitions: Cell::new(false),
            spared_partitions: Cell::new(None),
            skip: Skip::default(),
            skips_server_errors: failures >= settings::retry_limit(),
            may_await: failures < MAXIMUM_AWAITED,
            at_rows: false,
            held: Cell::new(false),
            comparing: Cell::new(None),
            may_be_at_once: true,
            redefines: Cell::new(false),
            everything: Cell::new(false),
            whole: Cell::new(false),
            staged: RefCell::default(),
            stage_lost: Cell::new(false),
            replacing: Cell::new(false),
            may_replace: true,
            refused: Cell::new(false),
            retry_at: Cell::new(None),
            commits: Cell::new(None),
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

    /// Runs a step with the rights of the owner of the TVIEW, for a limited time.
    pub fn as_owner<R>(&self, plan: &Plan, step: impl FnOnce() -> R) -> R {
        self.check_permit(plan);
        self.sandbox().as_owner(plan, step)
    }

    pub fn sandbox(&self) -> Sandbox {
        Sandbox {
            driver: self.driver,
            skips_server_errors: self.skips_server_errors,
            limit: self.limit,
        }
    }
}
