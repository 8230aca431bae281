//! Computes rows of the view and writes those that differ to the table.

use std::collections::HashSet;

use pgrx::pg_sys;

use super::audit::{Entry, Written};
use super::batch::Batch;
use super::cost;
use super::deleted_revisions;
use super::feed::Changed;
use super::left_out::problems;
use super::plan::key::Key;
use super::plan::sql::KeyRange;
use super::plan::{self, Plan};
use super::planner_settings::few_rows;
use super::progress::counting_rows;
use super::pushdown::{push_down, push_down_with};
use super::running::noted::{self, Noted};
use crate::error::Problem;
use crate::postgres::hooks::planner::reshaping;
use crate::postgres::spi::{self, Access, Rows, Value};
use crate::postgres::transaction;

/// So many keys are computed with stored groups where computing all keys together would cost less without
/// them.
const FEW_GROUPS: usize = 20;

/// The column of a recompute statement from which on it returns what was written.
const FIRST_CHANGED: usize = 7;

/// What was written, and which rows have no place in the table.
#[must_use]
#[derive(Default)]
pub struct Result {
    pub written: Written,
    pub problem: Option<Problem>,
    pub changed: Changed,
    /// The rows were written to a stage.
    pub staged: bool,
}

impl Result {
    /// Whether the view has returned rows.
    pub fn has_computed(&self) -> bool {
        let written = self.written;
        written.inserted + written.updated + written.unchanged > 0 || self.problem.is_some()
    }

    /// Notes the result in the audit row.
    pub fn note(self, entry: &mut Entry) {
        if self.staged {
            entry.add_staged(self.written);
            return entry.add_left_out(self.problem);
        }
        entry.add_result(self.written, self.problem, self.changed);
    }
}

impl std::ops::AddAssign for Result {
    fn add_assign(&mut self, other: Result) {
        self.written += other.written;
        self.problem = self.problem.take().or(other.problem);
        self.changed += other.changed;
        self.staged |= other.staged;
    }
}

/// Recomputes the rows of these keys. As the owner of the TVIEW, inside an SPI session.
pub fn keys(plan: &Plan, batch: &Batch) -> Result {
    constraints_immediate(plan);
    keys_inside(plan, batch, plan.spares_partitions())
}

/// The same, reading stored groups. Returns the groups that were read, too.
pub fn keys_running(plan: &Plan, batch: &Batch) -> (Result, Noted) {
    let running = plan::running::running(
        plan.definition.tview,
        plan.definition.owner,
        Some(plan.running.clone()),
    );
    let Some(running) = running.filter(|_| reads_groups(plan, batch)) else {
        return (keys(plan, batch), Noted::default());
    };
    constraints_immediate(plan);
    few_rows(true);
    let change = move |query| push_down_with(query, Some(&running));
    let run = || {
        noted::collecting(|| {
            let rows = inserting(plan, |first| {
                let parameters: Vec<Value> = batch.parameters(plan).into_iter().chain(first).collect();
                reshaping(plan.each_key_running.sql(), change, || {
                    plan.each_key_running.run(Access::Current, &parameters, 0)
                })
            });
            result_of_keys(plan, &rows)
        })
    };
    let (result, noted) = if plan.stored.is_planned.get() {
        run()
    } else {
        match transaction::attempt(run) {
            Ok(done) => done,
            // An error of the view is raised here.
            Err(caught) => {
                let result = keys(plan, batch);
                if caught.sqlstate().starts_with("XX") {
                    let (tview, error) = (plan.definition.display(), &caught.message);
                    pgrx::log!("pg_tviews: stored groups of {tview} are not read: {error}");
                    plan.stored.is_refused.set(true);
                }
                return (result, Noted::default());
            }
        }
    };
    plan.stored.is_planned.set(true);
    plan.stored.count(&noted);
    (result, noted)
}

/// Whether the rows of these keys are computed with stored groups. Each key then costs the more, the fewer of
/// its groups are stored.
fn reads_groups(plan: &Plan, batch: &Batch) -> bool {
    !plan.spares_partitions()
        && !plan.stored.is_refused.get()
        && (!cost::is_planned_anew(plan, batch.len())
            || batch.len() <= FEW_GROUPS && plan.stored.often_help())
}

/// The same inside the transaction of a user, which decides itself whether constraints are deferred. With
/// `planned_anew` the planner knows the keys, and does not lock partitions that have none of them.
pub fn keys_inside(plan: &Plan, batch: &Batch, planned_anew: bool) -> Result {
    let rows = if !planned_anew && !cost::is_planned_anew(plan, batch.len()) {
        few_rows(true);
        inserting(plan, |first| {
            let parameters: Vec<Value> = batch.parameters(plan).into_iter().chain(first).collect();
            reshaping(plan.each_key.sql(), push_down, || {
                plan.each_key.run(Access::Current, &parameters, 0)
            })
        })
    } else {
        few_rows(false);
        let mut typed = batch.typed(plan);
        if plan.shape.takes_bounds() {
            typed.extend(batch.bounds().map(|bound| (pg_sys::INT8OID, Value::of(bound))));
        }
        inserting_once(plan, &plan.all_keys, &typed)
    };
    result_of_keys(plan, &rows)
}

/// Locks the rows of a batch. Returns the keys whose rows are locked now, and those whose rows another
/// session holds. As the owner of the TVIEW, inside an SPI session.
pub fn lock_free_rows(plan: &Plan, batch: Batch) -> (Batch, Vec<Key>) {
    few_rows(false);
    let rows = spi::run(&plan.shape.held_rows(), Access::Current, &batch.typed(plan));
    let held: HashSet<usize> = (0..rows.len())
        .filter_map(|row| usize::try_from(rows.get::<i64>(row, 0)? - 1).ok())
        .collect();
    if held.is_empty() {
        return (batch, Vec::new());
    }
    let keys = batch.rows().into_iter().enumerate();
    let held_keys = keys.filter(|(position, _)| held.contains(position));
    let held_keys = held_keys.map(|(_, key)| key).collect();
    (batch.without(&held), held_keys)
}

/// Compares the whole view with the whole table and writes the differences.
pub fn everything(plan: &Plan) -> Result {
    constraints_immediate(plan);
    few_rows(false);
    if let Some(filled) = fill(plan) {
        return Result {
            problem: problems::null_keys(plan),
            ..filled
        };
    }
    let rows = counting_rows(|| run_everything(plan));
    let mut result = result(plan, &rows);
    if result.problem.is_none() && rows.get::<bool>(0, 5) == Some(true) {
        result.problem = Some(problems::null_key(plan));
    }
    result
}

/// The same inside the transaction of a user.
pub fn everything_inside(plan: &Plan) -> Result {
    few_rows(false);
    result(plan, &run_everything(plan))
}

fn run_everything(plan: &Plan) -> Rows {
    inserting(plan, |first| {
        let parameters: Vec<Value> = first.into_iter().collect();
        plan.everything.run(Access::Current, &parameters, 0)
    })
}

/// Runs a statement that may insert rows. `run` gets its last parameter if the table has a column `revision`: what new
/// rows begin with under the snapshot of the statement.
fn inserting<R>(plan: &Plan, run: impl FnOnce(Option<Value>) -> R) -> R {
    if plan.shape.revision.is_none() {
        return run(None);
    }
    spi::under_one_snapshot(|| run(Some(Value::of(deleted_revisions::first(plan.definition.tview)))))
}

/// The same for a statement that is run once, with its other parameters.
fn inserting_once(plan: &Plan, sql: &str, parameters: &[(pg_sys::Oid, Value)]) -> Rows {
    inserting(plan, |first| {
        let first = first.map(|first| (pg_sys::INT8OID, first));
        let parameters: Vec<_> = parameters.iter().copied().chain(first).collect();
        spi::run(sql, Access::Current, &parameters)
    })
}

/// Compares the rows of a range of keys. `ends`: the parameters that bound the range; `is_empty`: the table
/// has no row in the range. As the owner of the TVIEW, inside an SPI session.
pub fn range(plan: &Plan, range: &KeyRange, ends: &[(pg_sys::Oid, Value)], is_empty: bool) -> Result {
    constraints_immediate(plan);
    few_rows(false);
    let fill = || filled(plan, &inserting_once(plan, &plan.shape.fill_range(range), ends));
    if let Some(filled) = is_empty.then(|| unless_it_fails(fill)).flatten() {
        return filled;
    }
    result(
        plan,
        &inserting_once(plan, &plan.shape.recompute_range(range), ends),
    )
}

/// Makes deferred triggers and foreign keys of the table run now, as the owner of the table. At commit they
/// would run outside the sandbox, before PostgreSQL 18 also as the role of the worker. PostgreSQL refuses to
/// defer any in a security-restricted operation.
fn constraints_immediate(plan: &Plan) {
    if plan.fires_triggers {
        spi::run("SET CONSTRAINTS ALL IMMEDIATE", Access::Current, &[]);
    }
}

/// Fills an empty table without comparing. None: the table has rows, or filling failed.
fn fill(plan: &Plan) -> Option<Result> {
    let some = [(pg_sys::INT8OID, Value::of(1_i64))];
    if !spi::run(&plan.shape.some_keys(), Access::Current, &some).is_empty() {
        return None;
    }
    let insert = || inserting_once(plan, &plan.shape.fill(), &[]);
    unless_it_fails(|| filled(plan, &counting_rows(insert)))
}

/// None: filling failed. The comparison that follows reports why.
fn unless_it_fails(fill: impl FnOnce() -> Result) -> Option<Result> {
    transaction::attempt(fill).ok()
}

/// What a statement has inserted that compares nothing.
fn filled(plan: &Plan, rows: &Rows) -> Result {
    if plan.shape.returns_keys {
        return result(plan, rows);
    }
    let written = Written {
        inserted: rows.len() as i64,
        ..Written::default()
    };
    keep_revisions(plan, &written, None);
    Result {
        written,
        staged: plan.stage.is_some(),
        ..Result::default()
    }
}

/// Reads what a statement returns that recomputes some keys.
fn result_of_keys(plan: &Plan, rows: &Rows) -> Result {
    if plan.shape.returns_arrays() {
        counted(plan, rows, Changed::read_arrays(plan, rows, FIRST_CHANGED))
    } else {
        result(plan, rows)
    }
}

/// The same of a statement that may write any row.
fn result(plan: &Plan, rows: &Rows) -> Result {
    counted(plan, rows, Changed::read(plan, rows, FIRST_CHANGED))
}

/// Reads the counts, which are in the first row.
fn counted(plan: &Plan, rows: &Rows, changed: Changed) -> Result {
    let count = |column| rows.get::<i64>(0, column).unwrap_or(0);
    let written = Written {
        inserted: count(0),
        updated: count(1),
        deleted: count(2),
        unchanged: count(3),
    };
    keep_revisions(plan, &written, rows.get(0, 6));
    Result {
        written,
        problem: rows
            .get::<String>(0, 4)
            .map(|keys| problems::repeated_key(plan, &keys)),
        changed,
        staged: plan.stage.is_some(),
    }
}

/// Revisions must not go back: a deleted one is kept, and a crash takes none back that a reader has seen.
fn keep_revisions(plan: &Plan, written: &Written, deleted: Option<i64>) {
    if plan.shape.revision.is_none() || !written.any() {
        return;
    }
    transaction::commit_durably();
    if let Some(revision) = deleted {
        deleted_revisions::keep(plan.definition.tview, revision);
    }
}
