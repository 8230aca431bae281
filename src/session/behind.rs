//! Which rows of a TVIEW are behind, for its fresh view: those that the caller's snapshot shows otherwise in
//! the backing view, or may show otherwise. Too many is never wrong, too few is.
//!
//! ```text
//! nothing pending                        -> no row is behind
//! some keys asked for, changes pending   -> those keys are behind: computing their rows costs less than the
//!                                           list of all keys
//! more keys asked for, or all rows       -> the list: key queries for the pending changes
//! no list, or too long a list            -> all rows are behind
//! ```
//!
//! The parts of a fresh view ask independently, and in any order. All of them ask the same [`Behind`] as long
//! as the snapshot is the same, and an answer once given stays.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::rc::{Rc, Weak};

use pgrx::pg_sys::Oid;
use pgrx::PgSqlErrorCode;

use crate::catalog::definition;
use crate::define::fresh_name;
use crate::error::{Caught, Problem};
use crate::postgres::fresh_view::Answers;
use crate::postgres::hooks::transaction_events::{Handlers, SubtransactionEvent, TransactionEvent};
use crate::postgres::run_as::{has_settings, run_internal};
use crate::postgres::spi::{self, Value};
use crate::postgres::transaction::query_snapshot::{self, Seen};
use crate::postgres::{privileges, relation, role, transaction};
use crate::refresh::plan::key::Key;
use crate::refresh::plan::{self, Plan};

use super::pending_keys::{self, PendingKeys};

/// So many keys are behind without a look at the list of pending keys.
const ASKED_FIRST: usize = 16;
/// The number of snapshots whose answers are kept, should the next statement have the same one.
const KEPT: usize = 4;

/// Forgets all answers at the end of the transaction.
pub const HANDLERS: Handlers = Handlers {
    transaction: on_transaction,
    subtransaction: |_: SubtransactionEvent| {},
};

/// What is known of the rows.
enum State {
    NotAsked,
    /// A look is being taken; code of the owner that reads the fresh view meanwhile gets all rows from the
    /// view.
    Looking,
    Nothing,
    /// Changes are pending. These keys were asked for, and are behind.
    Asked(HashSet<Key>),
    /// The keys of all rows that are behind.
    Listed(HashSet<Key>),
    All,
}

/// The answers for one TVIEW and snapshot.
pub struct Behind {
    /// None: all rows are behind.
    plan: Option<Rc<Plan>>,
    state: RefCell<State>,
}

struct Known {
    tview: Oid,
    /// The role whose rights count; invalid for the extension itself.
    reader: Oid,
    seen: Seen,
    /// Whether the settings were those that rows are computed with.
    has_settings: bool,
    behind: Weak<Behind>,
}

thread_local! {
    static KNOWN: RefCell<Vec<Known>> = const { RefCell::new(Vec::new()) };
    static LATEST: RefCell<Vec<Rc<Behind>>> = const { RefCell::new(Vec::new()) };
    static NEXT: Cell<usize> = const { Cell::new(0) };
    /// Whether all of it belongs to an earlier transaction.
    static IS_OVER: Cell<bool> = const { Cell::new(false) };
}

/// Only the lists are freed here: freeing a plan takes more than a callback after commit may do.
fn on_transaction(event: TransactionEvent) {
    if event == TransactionEvent::BeforeEnd {
        return;
    }
    IS_OVER.set(true);
    LATEST.with(|latest| {
        for behind in latest.try_borrow().iter().flat_map(|latest| latest.iter()) {
            if let Ok(mut state) = behind.state.try_borrow_mut() {
                *state = State::All;
            }
        }
    });
}

fn forget_earlier_transaction() {
    if IS_OVER.replace(false) {
        KNOWN.take();
        LATEST.take();
    }
}

/// The answers for the active snapshot. A caller who may not read the TVIEW learns nothing of its keys.
pub fn answers(tview: Oid) -> Rc<dyn Answers> {
    refuse_row_security(tview);
    let reader = role::current_role();
    of(tview, reader, || may_read(tview, reader))
}

/// The rows of the backing view have no policies.
fn refuse_row_security(tview: Oid) {
    if relation::has_row_security(tview) {
        let table = relation::display(tview);
        Problem::new(
            PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            format!("{table} has row security, which its fresh view does not apply"),
        )
        .hint("Drop the fresh view.")
        .raise();
    }
}

/// Whether any row of a TVIEW may be behind in the active snapshot.
pub fn any(tview: Oid) -> bool {
    of(tview, Oid::INVALID, || true).any()
}

fn of(tview: Oid, reader: Oid, may_read: impl FnOnce() -> bool) -> Rc<Behind> {
    let Some(seen) = query_snapshot::seen() else {
        return Rc::new(Behind::unknown());
    };
    forget_earlier_transaction();
    if let Some(known) = known(tview, reader, &seen) {
        return known;
    }
    let plan = may_read().then(|| plan_of(tview)).flatten();
    let behind = Rc::new(plan.map_or_else(Behind::unknown, |plan| Behind {
        plan: Some(plan),
        state: RefCell::new(State::NotAsked),
    }));
    let known = Known {
        tview,
        reader,
        seen,
        has_settings: behind.has_settings(),
        behind: Rc::downgrade(&behind),
    };
    KNOWN.with_borrow_mut(|all| all.push(known));
    keep(behind.clone());
    behind
}

/// The answers that were given before for the same snapshot and settings.
fn known(tview: Oid, reader: Oid, seen: &Seen) -> Option<Rc<Behind>> {
    KNOWN.with_borrow_mut(|known| {
        known.retain(|known| known.behind.strong_count() > 0);
        let mut same = known
            .iter()
            .filter(|known| (known.tview, known.reader) == (tview, reader) && known.seen == *seen);
        same.find_map(|known| {
            let behind = known.behind.upgrade()?;
            (behind.has_settings() == known.has_settings).then_some(behind)
        })
    })
}

fn keep(behind: Rc<Behind>) {
    let replaced = LATEST.with_borrow_mut(|latest| {
        if latest.len() < KEPT {
            latest.push(behind);
            return None;
        }
        let place = NEXT.get() % KEPT;
        NEXT.set(place + 1);
        Some(std::mem::replace(&mut latest[place], behind))
    });
    drop(replaced);
}

/// Whether a role may read the table of a TVIEW or its fresh view.
fn may_read(tview: Oid, reader: Oid) -> bool {
    if privileges::may_select(reader, tview) {
        return true;
    }
    let fresh = run_internal(|| definition::load(tview).and_then(|of| fresh_name::find(&of)));
    fresh.is_some_and(|view| privileges::may_select(reader, view))
}

/// The plan of a TVIEW; None where its keys cannot be computed here.
fn plan_of(tview: Oid) -> Option<Rc<Plan>> {
    // Key queries run in subtransactions, which parallel plans do not allow.
    if transaction::in_parallel_mode() {
        return None;
    }
    if let Some(plan) = plan::kept(tview) {
        return Some(plan);
    }
    unless_cancelled(transaction::attempt(|| {
        run_internal(|| plan::prepare(definition::load(tview)?).ok())
    }))
    .flatten()
}

/// None for an error, unless it is to end the query.
fn unless_cancelled<R>(result: Result<R, Caught>) -> Option<R> {
    match result {
        Ok(result) => Some(result),
        Err(error) if error.is_cancel() => Problem::from(error).raise(),
        Err(_) => None,
    }
}

impl Behind {
    /// All rows are behind.
    fn unknown() -> Behind {
        Behind {
            plan: None,
            state: RefCell::new(State::All),
        }
    }

    /// Takes the first look, unless it was taken.
    fn look(&self) {
        let is_new = matches!(*self.state.borrow(), State::NotAsked);
        let Some(plan) = self.plan.as_ref().filter(|_| is_new) else {
            return;
        };
        self.state.replace(State::Looking);
        let found = unless_cancelled(transaction::attempt(|| {
            spi::session(|| pending_keys::look(plan, any))
        }));
        self.state.replace(match found {
            Some(PendingKeys::None) => State::Nothing,
            Some(PendingKeys::Some) => State::Asked(HashSet::new()),
            Some(PendingKeys::All) | None => State::All,
        });
    }

    /// Lists the keys of all rows that are behind, unless that was done or cannot be done.
    fn list(&self) {
        self.look();
        if !matches!(*self.state.borrow(), State::Asked(_)) {
            return;
        }
        let State::Asked(mut keys) = self.state.replace(State::Looking) else {
            return;
        };
        let listed = self.plan.as_ref().and_then(|plan| {
            unless_cancelled(transaction::attempt(|| spi::session(|| pending_keys::list(plan)))).flatten()
        });
        self.state.replace(match listed {
            Some(listed) => {
                keys.extend(listed);
                State::Listed(keys)
            }
            None => State::All,
        });
    }

    fn has_settings(&self) -> bool {
        let mut plan = self.plan.iter();
        plan.all(|plan| has_settings(&plan.definition.pinned))
    }

    /// The answer that needs no key.
    fn for_any_key(&self) -> Option<bool> {
        match *self.state.borrow() {
            State::NotAsked | State::Looking | State::All => Some(true),
            State::Nothing => Some(false),
            State::Asked(_) | State::Listed(_) => None,
        }
    }

    /// The answer for a key as far as it needs no list; adds the key to those that are behind.
    fn without_list(&self, key: &Key) -> Option<bool> {
        match &mut *self.state.borrow_mut() {
            State::Listed(keys) => Some(keys.contains(key)),
            State::Asked(keys) if keys.contains(key) => Some(true),
            State::Asked(keys) => (keys.len() < ASKED_FIRST).then(|| keys.insert(key.clone())),
            _ => None,
        }
    }

    /// The text of a key; None if a part of it is NULL.
    fn key(&self, values: &[Value]) -> Option<Key> {
        let columns = self.plan.iter().flat_map(|plan| &plan.shape.key);
        let texts = columns
            .zip(values)
            .map(|(column, value)| column.values.text(value));
        texts.collect()
    }
}

impl Answers for Behind {
    fn key_types(&self) -> Vec<Oid> {
        let key = self.plan.iter().flat_map(|plan| &plan.shape.key);
        key.map(|column| column.values.base()).collect()
    }

    fn is_behind(&self, key: &[Value]) -> bool {
        self.look();
        if let Some(answer) = self.for_any_key() {
            return answer;
        }
        // Outside of any borrow: the type of a key may have code that reads the fresh view.
        let Some(key) = self.key(key) else {
            return self.any();
        };
        if let Some(answer) = self.without_list(&key) {
            return answer;
        }
        self.list();
        self.for_any_key()
            .or_else(|| self.without_list(&key))
            .unwrap_or(true)
    }

    fn any(&self) -> bool {
        self.look();
        !matches!(*self.state.borrow(), State::Nothing)
    }

    fn are_listed(&self) -> bool {
        self.list();
        matches!(&*self.state.borrow(), State::Listed(keys) if !keys.is_empty())
    }

    fn are_unlisted(&self) -> bool {
        self.list();
        !matches!(*self.state.borrow(), State::Listed(_) | State::Nothing)
    }

    fn keys(&self, place: usize) -> Value {
        self.list();
        let Some(plan) = &self.plan else {
            return Value::NULL;
        };
        let Some(column) = plan.shape.key.get(place) else {
            return Value::NULL;
        };
        let texts: Vec<String> = match &*self.state.borrow() {
            State::Listed(keys) => keys.iter().map(|key| key[place].clone()).collect(),
            _ => Vec::new(),
        };
        plan.on_keys(|| column.values.parameter(&texts))
    }

    fn array_type(&self, place: usize) -> Option<Oid> {
        let plan = self.plan.as_ref()?;
        Some(plan.shape.key.get(place)?.values.parameter_type())
    }
}
