//! Locks that sessions without any TVIEW may queue behind: each is waited for only a moment at a time.
//!
//! ```text
//! attempt: each lock within a moment -> the work -> the locks stay to the end of the transaction
//!    | one is not available
//!    v
//! the attempt is rolled back -> a pause, in which the queue drains -> next attempt, that lock first
//! ```

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::time::{Duration, Instant};

use pgrx::pg_sys::{self, Oid};
use pgrx::PgSqlErrorCode;

use crate::error::{Caught, Problem};
use crate::postgres::process::latch;
use crate::postgres::relation;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::transaction;
use crate::postgres::transaction::lock::{self, Attempt, ObjectLock, TableLock};
use crate::postgres::transaction::lock_timeout;
use crate::statement;

/// Pauses between attempts double from the first to the longest. Where writers come one after the other, many short
/// attempts are needed until one of them meets a gap.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(150);
/// The pause of a worker, which has other work meanwhile, at one table.
const PAUSE_OF_WORKERS: Duration = Duration::from_millis(500);

/// A lock on a table or view.
pub type LockRequest = (Oid, TableLock);

thread_local! {
    /// Whether [`patiently`] is running.
    static PATIENT: Cell<bool> = const { Cell::new(false) };
    /// The lock that is being waited for.
    static WAITED_FOR: Cell<Option<LockRequest>> = const { Cell::new(None) };
    /// Tables that this process has queued at in vain: since when.
    static QUEUED: RefCell<HashMap<Oid, Instant>> = RefCell::default();
}

/// Takes locks, together within a moment; an ERROR (55P03) if one of them is not available. Relations that do
/// not exist are skipped. The locks are held to the end of the (sub)transaction.
pub fn lock_all(requests: &[LockRequest]) {
    let mut order = requests.to_vec();
    order.sort_by_key(|(relation, _)| relation.to_u32());
    order.dedup();
    let until = Instant::now() + lock_timeout::DEFINITION;
    for request in order {
        WAITED_FOR.set(Some(request));
        let (relation, lock) = request;
        if lock::try_table(relation, lock) == Attempt::Held {
            queue_up(request, until);
        }
        WAITED_FOR.set(None);
    }
}

/// Waits for a lock, and others queue behind. One session at a time does so at each table, and pauses between
/// two attempts: others would queue behind all of them in turn.
fn queue_up((relation, lock): LockRequest, until: Instant) {
    let left = until.saturating_duration_since(Instant::now());
    let may_queue = left >= Duration::from_millis(1)
        && !pauses(relation)
        && lock::try_object(pg_sys::RelationRelationId, relation, ObjectLock::Exclusive);
    if !may_queue {
        not_available().raise();
    }
    let begin = Instant::now();
    QUEUED.with_borrow_mut(|queued| {
        queued.retain(|_, begin| begin.elapsed() < PAUSE_OF_WORKERS);
        queued.insert(relation, begin);
    });
    lock_timeout::limited(left, || lock::table(relation, lock));
    QUEUED.with_borrow_mut(|queued| queued.remove(&relation));
}

/// Whether this process has queued in vain a short time ago. [`patiently`] pauses by itself.
fn pauses(relation: Oid) -> bool {
    let queued = QUEUED.with_borrow(|queued| queued.get(&relation).copied());
    !PATIENT.get() && queued.is_some_and(|begin| begin.elapsed() < PAUSE_OF_WORKERS)
}

/// Whether an ERROR inside [`patiently`] ends the attempt: code that catches errors must raise it again.
pub fn ends_attempt(error: &Caught) -> bool {
    PATIENT.get() && is_in_the_way(error)
}

/// Whether a lock was not available, or PostgreSQL has detected a deadlock while one was waited for. The end
/// of the attempt releases its locks; [`refuse_deadlock`] finds a deadlock that remains.
fn is_in_the_way(error: &Caught) -> bool {
    match error.code {
        PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE => true,
        PgSqlErrorCode::ERRCODE_T_R_DEADLOCK_DETECTED => WAITED_FOR.get().is_some(),
        _ => false,
    }
}

/// Runs work that needs locks, all of it or nothing, and repeats it until the locks are available. `first`
/// may wait for as long as the session does: no writer queues behind its locks. A NOTICE reports what is
/// waited for. The wait ends with a cancel, with `statement_timeout`, and after the `lock_timeout` of the
/// session.
pub fn patiently<R, S>(first: impl Fn() -> S, work: impl Fn(S) -> R) -> R {
    if PATIENT.get() {
        return work(first());
    }
    let mut wait = Wait::new();
    loop {
        let in_the_way = wait.in_the_way.borrow().clone();
        WAITED_FOR.set(None);
        let result = transaction::attempt(|| {
            let found = first();
            let _patient = Patient::new();
            lock_timeout::limited(lock_timeout::DEFINITION, || {
                lock_all(&in_the_way);
                work(found)
            })
        });
        match result {
            Ok(result) => return result,
            Err(error) if is_in_the_way(&error) && !wait.is_over() => {
                wait.pause(WAITED_FOR.take());
            }
            Err(error) => Problem::from(error).raise(),
        }
    }
}

struct Patient;

impl Patient {
    fn new() -> Patient {
        WAITED_FOR.set(None);
        PATIENT.set(true);
        Patient
    }
}

impl Drop for Patient {
    fn drop(&mut self) {
        PATIENT.set(false);
    }
}

/// The wait, over all attempts.
struct Wait {
    begin: Instant,
    /// `lock_timeout` of the session.
    limit: Option<Duration>,
    pause: Duration,
    /// Locks that were not available: the next attempt begins with these.
    in_the_way: RefCell<Vec<LockRequest>>,
}

impl Wait {
    fn new() -> Wait {
        Wait {
            begin: Instant::now(),
            limit: lock_timeout::of_session(),
            pause: FIRST_PAUSE,
            in_the_way: RefCell::default(),
        }
    }

    fn is_over(&self) -> bool {
        self.limit.is_some_and(|limit| self.begin.elapsed() >= limit)
    }

    /// After an attempt that failed and holds no lock any more.
    fn pause(&mut self, request: Option<LockRequest>) {
        if let Some(request) = request {
            let holders = holders(request);
            let mut in_the_way = self.in_the_way.borrow_mut();
            if !in_the_way.contains(&request) {
                in_the_way.push(request);
                report(request, &holders);
            }
            if self.begin.elapsed() > lock_timeout::until_deadlock_check() {
                refuse_deadlock(request, &holders);
            }
        }
        let until = Instant::now() + self.pause;
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            latch::pause_or_raise(left);
        }
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}

fn not_available() -> Problem {
    Problem::new(
        PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE,
        "canceling statement due to lock timeout",
    )
}

fn report((table, _): LockRequest, holders: &[i32]) {
    let who: Vec<String> = holders
        .iter()
        .map(|holder| match holder {
            0 => "a prepared transaction".to_string(),
            pid => format!("process {pid}"),
        })
        .collect();
    let table = relation::display(table);
    let message = match &who[..] {
        [] => format!("waiting for a lock on {table}"),
        who => format!("waiting for a lock on {table}: in use by {}", who.join(", ")),
    };
    Problem::for_notice(message)
        .detail("No lock is held meanwhile; the lock is requested again and again.")
        .notice();
}

/// The processes that hold a conflicting lock; 0 stands for a prepared transaction.
fn holders((table, lock): LockRequest) -> Vec<i32> {
    let modes: Vec<String> = lock.conflicts().into_iter().map(str::to_string).collect();
    let args = [
        (pg_sys::OIDOID, Value::of(table)),
        (pg_sys::TEXTARRAYOID, Value::of(modes)),
    ];
    run_internal(|| {
        spi::session(|| {
            let holders = spi::run(&statement!("lock_holders"), Access::Current, &args);
            holders.one::<Vec<i32>>().unwrap_or_default()
        })
    })
}

/// PostgreSQL detects deadlocks only during waits longer than deadlock_timeout. Waits here are shorter.
fn refuse_deadlock((table, _): LockRequest, holders: &[i32]) {
    let args = [(pg_sys::INT4ARRAYOID, Value::of(holders.to_vec()))];
    let waits = run_internal(|| {
        spi::session(|| spi::run(&statement!("lock_waiters"), Access::Current, &args).one::<bool>())
    });
    if waits == Some(true) {
        Problem::new(PgSqlErrorCode::ERRCODE_T_R_DEADLOCK_DETECTED, "deadlock detected")
            .detail(format!(
                "A transaction that holds a lock on {} waits for a lock that this transaction has taken before.",
                relation::display(table)
            ))
            .hint("Call the function in a transaction of its own.")
            .raise();
    }
}
