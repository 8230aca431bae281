//! Locks that sessions which have nothing to do with TVIEWs would queue behind: waited for a moment at a time.
//!
//! ```text
//! attempt: each lock within a moment -> the work -> the locks stay to the end of the transaction
//!    | one is not to be had
//!    v
//! everything of the attempt is undone -> a pause, in which the queue drains -> next attempt, that lock first
//! ```

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use pgrx::pg_sys::{self, Oid};
use pgrx::PgSqlErrorCode;

use crate::error::{Caught, Problem};
use crate::postgres::process::latch;
use crate::postgres::relation;
use crate::postgres::run_as::{self, run_internal};
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::transaction;
use crate::postgres::transaction::lock::{self, Attempt, TableLock};
use crate::statement;

/// Longest time that others queue behind a lock that is waited for here.
const MOMENT: Duration = Duration::from_millis(100);
/// Pauses between attempts double from the one to the other.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A lock on a table or view.
pub type Wanted = (Oid, TableLock);

thread_local! {
    /// Whether [`patiently`] is at work.
    static PATIENT: Cell<bool> = const { Cell::new(false) };
    /// What is being waited for.
    static WAITED_FOR: Cell<Option<Wanted>> = const { Cell::new(None) };
}

/// Takes locks, together within a moment; an ERROR (55P03) if one of them is not to be had. Locks on what is gone are left
/// out. They stay to the end of the (sub)transaction.
pub fn lock_all(wanted: &[Wanted]) {
    let mut order = wanted.to_vec();
    order.sort_by_key(|(relation, _)| relation.to_u32());
    order.dedup();
    let until = Instant::now() + MOMENT;
    for wanted in order {
        WAITED_FOR.set(Some(wanted));
        let (relation, lock) = wanted;
        match until.saturating_duration_since(Instant::now()).as_millis() {
            0 => {
                if lock::try_table(relation, lock) == Attempt::Held {
                    not_available().raise();
                }
            }
            left => {
                run_as::with_setting("lock_timeout", &format!("{left}ms"), || {
                    lock::table(relation, lock)
                });
            }
        }
        WAITED_FOR.set(None);
    }
}

/// Whether an ERROR inside [`patiently`] is to end the attempt: what was caught belongs to nothing smaller.
pub fn ends_attempt(error: &Caught) -> bool {
    PATIENT.get() && is_in_the_way(error)
}

/// Whether a lock was not to be had. Also where PostgreSQL has found a deadlock while one was waited for: with the attempt go the
/// locks it took, and [`refuse_deadlock`] finds a deadlock that is still there.
fn is_in_the_way(error: &Caught) -> bool {
    match error.code {
        PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE => true,
        PgSqlErrorCode::ERRCODE_T_R_DEADLOCK_DETECTED => WAITED_FOR.get().is_some(),
        _ => false,
    }
}

/// Does something that needs locks, all of it or nothing, as often as it takes to get them. `first` may wait for as long as
/// the session does: nobody who writes queues behind what it locks. Says what is waited for; ends with a cancel, with
/// `statement_timeout`, and after the `lock_timeout` of the session.
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
            run_as::with_setting("lock_timeout", &format!("{}ms", MOMENT.as_millis()), || {
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

/// A wait that goes on from attempt to attempt.
struct Wait {
    begin: Instant,
    /// `lock_timeout` of the session.
    limit: Option<Duration>,
    pause: Duration,
    /// What attempts have waited for in vain: the next one begins with these.
    in_the_way: RefCell<Vec<Wanted>>,
}

impl Wait {
    fn new() -> Wait {
        Wait {
            begin: Instant::now(),
            limit: Some(lock::timeout())
                .filter(|limit| *limit > 0)
                .map(Duration::from_millis),
            pause: FIRST_PAUSE,
            in_the_way: RefCell::default(),
        }
    }

    fn is_over(&self) -> bool {
        self.limit.is_some_and(|limit| self.begin.elapsed() >= limit)
    }

    /// After an attempt that failed, with nothing locked by it any more.
    fn pause(&mut self, wanted: Option<Wanted>) {
        if let Some(wanted) = wanted {
            let holders = holders(wanted);
            let mut in_the_way = self.in_the_way.borrow_mut();
            if !in_the_way.contains(&wanted) {
                in_the_way.push(wanted);
                say(wanted, &holders);
            }
            if self.begin.elapsed().as_millis() as u64 > lock::deadlock_timeout() {
                refuse_deadlock(wanted, &holders);
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

fn say((table, _): Wanted, holders: &[i32]) {
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
        .detail("Nothing is locked meanwhile; the lock is tried again and again.")
        .notice();
}

/// The processes that hold a lock in the way of this one; 0 stands for a prepared transaction.
fn holders((table, lock): Wanted) -> Vec<i32> {
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

/// PostgreSQL looks for deadlocks where locks are waited for without end, which is nowhere here.
fn refuse_deadlock((table, _): Wanted, holders: &[i32]) {
    let args = [(pg_sys::INT4ARRAYOID, Value::of(holders.to_vec()))];
    let waits = run_internal(|| {
        spi::session(|| spi::run(&statement!("lock_waiters"), Access::Current, &args).one::<bool>())
    });
    if waits == Some(true) {
        Problem::new(PgSqlErrorCode::ERRCODE_T_R_DEADLOCK_DETECTED, "deadlock detected")
            .detail(format!(
                "Who holds a lock on {} waits for a lock that this transaction took before.",
                relation::display(table)
            ))
            .hint("Call it in a transaction of its own.")
            .raise();
    }
}
