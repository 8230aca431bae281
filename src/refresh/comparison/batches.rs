//! All rows of a large TVIEW compared with its view: for the first time, after a redefinition, or because any of them may have
//! changed. Batches of keys, in order, each in a transaction of its own; changes are applied in between.
//!
//! ```text
//! snapshot P -> position P, a row in pg_tview_comparison -> keys 1 to n -> changes since P -> keys n + 1 to 2n -> ... -> done
//! ```
//!
//! A batch is computed in a later snapshot than P, and so is right as of that snapshot; what changes afterwards is still ahead
//! of the position, or follows from a change that is. So it makes no difference which comes first, a batch or the changes.

use std::time::{Duration, Instant};

use pgrx::{pg_sys, PgSqlErrorCode};

use super::key_order::KeyOrder;
use super::state::{self, Cause, Comparison};
use crate::error::Caught;
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::transaction::lock::ObjectLock;
use crate::queue::read::Pending;
use crate::refresh::audit::{self, Entry};
use crate::refresh::batch::Batch;
use crate::refresh::current;
use crate::refresh::failing::dead_letter;
use crate::refresh::failing::dead_letter::Failed;
use crate::refresh::left_out;
use crate::refresh::plan::key::{key_of, Key};
use crate::refresh::planner_settings::few_rows;

use crate::refresh::attempt::{Run, Step};
use crate::refresh::outcome::Status;
use crate::refresh::plan::recompute_sql::Reach;
use crate::refresh::plan::{self, Plan};
use crate::refresh::recompute::{self, expected, Expected};
use crate::refresh::{apply, equal_keys};
use crate::settings;

/// How long a batch should take: changes wait for it.
const BATCH_TIME: Duration = Duration::from_millis(100);
/// The first batch, before it is known how long one takes.
const FIRST_BATCH: usize = 1_000;
const LEAST_BATCH: usize = 200;
/// Finding a batch of keys, or computing their rows, may cost so many times their share of what computing all rows costs.
const DEAR: f64 = 8.0;
/// But not more than this part of it.
const NEARLY_ALL: f64 = 0.6;
/// Apart from what handling one key costs.
const EACH_KEY: f64 = 0.5;

/// Keys that follow one another.
struct Next {
    /// All of them in descending order; or the last one.
    keys: Vec<Key>,
    /// There may be others after them.
    more: bool,
    /// The table has rows with some of them.
    in_table: bool,
}

/// How all rows are to be compared.
struct Way {
    by_range: bool,
    /// How many there are, as far as the planner knows.
    rows: i64,
}

impl Run<'_> {
    /// Begins a comparison of all rows in batches, or has the one that is under way followed by another. False: there are few
    /// rows, or computing a batch of them takes as long as computing all.
    pub fn compare_in_batches(&self, plan: &Plan, populates: bool, pending: &[Pending]) -> bool {
        let cause = Cause::of(pending);
        if self.comparing.get().is_some() && !populates {
            state::again(self.tview, &cause);
            return true;
        }
        let Some(way) = self.as_owner(plan, || way_in_batches(plan)) else {
            if self.comparing.take().is_some() {
                state::remove(self.tview);
            }
            return false;
        };
        let size = FIRST_BATCH.min(settings::batch_size());
        state::begin(self.tview, populates, way.by_range, size, &cause, way.rows);
        self.comparing.set(Some(populates));
        true
    }

    /// Compares the next batch.
    pub fn compare_batch(&mut self) -> Result<Status, Caught> {
        let Some(plan) = plan::kept(self.tview) else {
            return Ok(Status::Comparing);
        };
        self.all_partitions.set(true);
        let this: &Run = self;
        let step = this.driver.repeatable_read(
            || this.lock(&plan, ObjectLock::Exclusive),
            || spi::session(|| this.next_batch(&plan)),
        )?;
        match step {
            Step::Stale => Ok(Status::Comparing),
            step => Ok(step.status()),
        }
    }

    fn next_batch(&self, plan: &Plan) -> Step {
        let begin = Instant::now();
        let now = current::now(self.tview).filter(|now| now.state.may_refresh());
        let Some(now) = now else {
            return Step::Done(Status::NotReady);
        };
        if now.hash != plan.hash {
            plan::forget(self.tview);
            return Step::Stale;
        }
        let Some(mut comparison) = state::read(self.tview) else {
            return Step::Done(Status::UpToDate);
        };
        let mut entry = Entry::new(&plan.definition.entity_name, self.tview, "refresh", audit::now());
        // Keys that fail, or that other sessions hold, can only be told apart one by one.
        let by_range = comparison.by_range && self.isolate.is_nothing() && !now.has_dead_keys;
        let next = self.as_owner(plan, || next_keys(plan, &comparison, !by_range));
        let complete = match next {
            Some(next) => {
                let after = comparison.compared_to.take();
                comparison.compared_to = next.keys.first().cloned().or(after.clone());
                let last = !next.more;
                if by_range {
                    self.compare_range(plan, after, &comparison, &next, &mut entry);
                } else if now.has_dead_keys {
                    self.revive(plan, &next.keys);
                }
                let keys = if by_range { Vec::new() } else { next.keys };
                self.compare(plan, keys, last, &mut comparison, &mut entry);
                comparison.keys_at_once = next_size(comparison.keys_at_once, begin.elapsed());
                last
            }
            None => {
                self.everything(plan, now.has_dead_keys, &mut entry);
                true
            }
        };
        if !complete || !comparison.held.is_empty() {
            comparison.advance(self.tview, &entry);
            return Step::Done(match complete {
                true => Status::Busy,
                false => Status::Comparing,
            });
        }
        self.complete(plan, now, comparison, entry)
    }

    /// Compares the rows after one key up to another, or to the end.
    fn compare_range(
        &self,
        plan: &Plan,
        after: Option<Key>,
        comparison: &Comparison,
        next: &Next,
        entry: &mut Entry,
    ) {
        let upto = comparison.compared_to.as_ref().filter(|_| next.more);
        let result = self.as_owner(plan, || {
            let order = KeyOrder::of(plan)?;
            let range = plan.shape.within(&order, after.is_some(), upto.is_some());
            let ends = after.iter().chain(upto);
            let parameters: Vec<_> = ends.flat_map(|key| parameters(plan, key)).collect();
            Some(recompute::range(plan, &range, &parameters, !next.in_table))
        });
        if let Some(result) = result {
            apply::complete(entry, result);
        }
    }

    /// Recomputes the rows of these keys; with the last of them those that were left out so far.
    fn compare(
        &self,
        plan: &Plan,
        mut keys: Vec<Key>,
        last: bool,
        comparison: &mut Comparison,
        entry: &mut Entry,
    ) {
        if last {
            keys.append(&mut comparison.held);
        }
        if keys.is_empty() {
            return;
        }
        let (failed, held) = self.isolated(plan, Batch::from(&keys[..]), entry);
        comparison.held.extend(held);
        let (for_later, failed): (Vec<Failed>, Vec<Failed>) =
            failed.into_iter().partition(|failed| !last && may_follow(failed));
        comparison
            .held
            .extend(for_later.into_iter().map(|failed| failed.key));
        self.note_failed(plan, failed, entry);
    }

    /// Those that are dead and fail once more are added again.
    fn revive(&self, plan: &Plan, keys: &[Key]) {
        let dead = dead_letter::read(plan).all;
        let pairs = self.as_owner(plan, || equal_keys::pairs(plan, keys, &dead));
        let dead = pairs.into_iter().map(|(_, place)| dead[place].clone());
        dead_letter::remove(plan, dead.collect());
    }

    fn complete(&self, plan: &Plan, now: current::Now, comparison: Comparison, mut entry: Entry) -> Step {
        entry.add_left_out(self.as_owner(plan, || recompute::null_keys(plan)));
        let again = comparison.again;
        let mut entry = comparison.entry(plan, entry);
        // Found by a refresh in between, of keys that were compared before.
        self.as_owner(plan, || left_out::keep(plan, now.left_out, &mut entry));
        // Where the log was read up to; it says when the rows became visible.
        entry.position = now.position;
        match again {
            true => state::restart(self.tview),
            false => state::remove(self.tview),
        }
        self.comparing.set(again.then_some(false));
        self.works(plan, now.state);
        audit::add(entry);
        Step::Done(match again {
            true => Status::Comparing,
            false => Status::UpToDate,
        })
    }
}

/// The keys of the next batch; None where the order of keys does not lead on. As the TVIEW's owner.
fn next_keys(plan: &Plan, comparison: &Comparison, all: bool) -> Option<Next> {
    few_rows(false);
    let order = KeyOrder::of(plan)?;
    let after = comparison.compared_to.as_ref();
    let next = keys_after(plan, &order, after, comparison.keys_at_once, all);
    let stands = next.more && next.keys.first() == comparison.compared_to.as_ref();
    (!stands).then_some(next)
}

fn keys_after(plan: &Plan, order: &KeyOrder, after: Option<&Key>, most: usize, all: bool) -> Next {
    let mut args = vec![(pg_sys::INT8OID, Value::of(most as i64))];
    args.extend(after.into_iter().flat_map(|key| parameters(plan, key)));
    let rows = spi::run(
        &plan.shape.next_keys(order, after.is_some(), all),
        Access::Snapshot,
        &args,
    );
    let [more, in_table] =
        [0, 1].map(|n| !rows.is_empty() && rows.get(0, plan.shape.key.len() + n) == Some(true));
    Next {
        keys: (0..rows.len())
            .filter_map(|row| key_of(&plan.shape, &rows, row))
            .collect(),
        more,
        in_table,
    }
}

/// A key as parameters.
fn parameters(plan: &Plan, key: &Key) -> Vec<(pg_sys::Oid, Value)> {
    let columns = plan.shape.key.iter().zip(key);
    columns.map(|(k, text)| k.values.single(text)).collect()
}

/// How to compare all rows in batches, if there are more than fit one, and if one of them costs about its share. As the
/// TVIEW's owner, inside an SPI session.
fn way_in_batches(plan: &Plan) -> Option<Way> {
    let most = settings::batch_size();
    few_rows(false);
    let all = expected(&plan.shape.explain(Reach::Everything), &[]);
    let is_small = all.rows * 10.0 < most as f64 && all.cost < recompute::CHEAP_VIEW;
    if is_small {
        return None;
    }
    let order = KeyOrder::of(plan)?;
    let args = [(pg_sys::INT8OID, Value::of(most as i64))];
    let find = format!(
        "EXPLAIN (FORMAT JSON) {}",
        plan.shape.next_keys(&order, false, false)
    );
    let share = DEAR * most as f64 / all.rows.max(1.0);
    let allowed = all.cost * share.min(NEARLY_ALL) + EACH_KEY * most as f64;
    if expected(&find, &args).cost > allowed {
        return None;
    }
    let next = keys_after(plan, &order, None, most, false);
    let end = next.keys.first().filter(|_| next.more)?;
    if is_skipped(plan, &order, end) {
        return None;
    }
    let by_range = is_share(plan, &order, end, &all);
    (by_range || recompute::is_by_key(plan)).then_some(Way {
        by_range,
        rows: all.rows as i64,
    })
}

/// Whether a range of keys of several columns is no condition of an index: each batch would then compute the rows before it as well,
/// only to leave them out, and the planner does not know how many those are.
fn is_skipped(plan: &Plan, order: &KeyOrder, end: &Key) -> bool {
    if plan.shape.key.len() == 1 {
        return false;
    }
    let range = plan.shape.within(order, true, true);
    let ends = [end, end].into_iter();
    let parameters: Vec<_> = ends.flat_map(|key| parameters(plan, key)).collect();
    let rows = spi::run(&plan.shape.explain_within(&range), Access::Current, &parameters);
    let text = rows.one::<pgrx::datum::JsonString>().map(|json| json.0);
    let filters = |line: &str| line.contains("Filter\":") && line.contains("ROW(");
    text.is_none_or(|text| text.lines().any(filters))
}

/// Whether computing the rows of a range of keys costs about their share of what computing all rows costs.
fn is_share(plan: &Plan, order: &KeyOrder, end: &Key, all: &Expected) -> bool {
    let first = keys_after(plan, order, None, 1, false);
    let Some(first) = first.keys.first() else {
        return false;
    };
    let range = plan.shape.within(order, true, true);
    let ends = [first, end].into_iter();
    let parameters: Vec<_> = ends.flat_map(|key| parameters(plan, key)).collect();
    let range = expected(&plan.shape.explain_within(&range), &parameters);
    let share = DEAR * range.rows / all.rows.max(1.0);
    range.cost <= all.cost * share.min(NEARLY_ALL) + EACH_KEY * range.rows
}

/// How many keys the next batch should have, if one of `size` took that long.
fn next_size(size: usize, taken: Duration) -> usize {
    let fitting = size as f64 * BATCH_TIME.as_secs_f64() / taken.as_secs_f64().max(0.001);
    let most = settings::batch_size();
    (fitting as usize)
        .clamp(size / 2, (size * 2).max(LEAST_BATCH))
        .clamp(LEAST_BATCH.min(most), most)
}

/// Whether it may succeed once other rows are written: a unique value may be on its way to another row, a row of another table that
/// this one refers to may not be there yet.
fn may_follow(failed: &Failed) -> bool {
    matches!(
        failed.error.code,
        PgSqlErrorCode::ERRCODE_UNIQUE_VIOLATION | PgSqlErrorCode::ERRCODE_FOREIGN_KEY_VIOLATION
    )
}
