//! Whether all rows are compared in batches, and how.

use pgrx::datum::JsonString;
use pgrx::pg_sys;

use super::key_order::KeyOrder;
use super::next_keys::{keys_after, parameters};
use crate::postgres::spi::{self, Access, Value};
use crate::refresh::cost::{self, expected, Expected, CHEAP_VIEW};
use crate::refresh::plan::key::Key;
use crate::refresh::plan::sql::Reach;
use crate::refresh::plan::Plan;
use crate::refresh::planner_settings::few_rows;
use crate::settings;

/// Finding the keys of a batch, or computing their rows, may cost so many times its share of the cost of all
/// rows.
const EXPENSIVE: f64 = 8.0;
/// But no more than this fraction of the cost of all rows.
const NEARLY_ALL: f64 = 0.6;
/// The cost of each key, in addition.
const EACH_KEY: f64 = 0.5;

/// How all rows are to be compared.
pub struct Method {
    /// By ranges of keys, not key by key.
    pub by_range: bool,
    /// The number of rows, as the planner estimates it.
    pub rows: i64,
}

/// How to compare all rows in batches. None if the rows fit one batch, or if a batch costs much more than its
/// share of all rows. As the owner of the TVIEW, inside an SPI session.
pub fn in_batches(plan: &Plan) -> Option<Method> {
    in_batches_of(plan, settings::batch_size())
}

/// The same for batches of so many keys.
pub fn in_batches_of(plan: &Plan, maximum: usize) -> Option<Method> {
    few_rows(false);
    let all = expected(&plan.shape.explain(Reach::Everything), &[]);
    let is_small = all.rows * 10.0 < maximum as f64 && all.cost < CHEAP_VIEW;
    if is_small {
        return None;
    }
    let order = KeyOrder::of(plan)?;
    let args = [(pg_sys::INT8OID, Value::of(maximum as i64))];
    let find = format!(
        "EXPLAIN (FORMAT JSON) {}",
        plan.shape.next_keys(&order, false, false)
    );
    let share = EXPENSIVE * maximum as f64 / all.rows.max(1.0);
    let allowed = all.cost * share.min(NEARLY_ALL) + EACH_KEY * maximum as f64;
    if expected(&find, &args).cost > allowed {
        return None;
    }
    let next = keys_after(plan, &order, None, maximum, false);
    let end = next.keys.first().filter(|_| next.more)?;
    if is_filtered(plan, &order, end) {
        return None;
    }
    let by_range = is_share(plan, &order, end, &all);
    (by_range || cost::is_by_key(plan)).then_some(Method {
        by_range,
        rows: all.rows as i64,
    })
}

/// Whether no index is searched by a range of keys of several columns. Each batch would then compute, and
/// discard, the rows before it as well; the planner cannot estimate how many.
fn is_filtered(plan: &Plan, order: &KeyOrder, end: &Key) -> bool {
    if plan.shape.key.len() == 1 {
        return false;
    }
    let range = plan.shape.range(order, true, true);
    let ends = [end, end].into_iter();
    let parameters: Vec<_> = ends.flat_map(|key| parameters(plan, key)).collect();
    let rows = spi::run(&plan.shape.explain_range(&range), Access::Current, &parameters);
    let text = rows.one::<JsonString>().map(|json| json.0);
    let filters = |line: &str| line.contains("Filter\":") && line.contains("ROW(");
    text.is_none_or(|text| text.lines().any(filters))
}

/// Whether computing the rows of a range of keys costs about their share of what computing all rows costs.
fn is_share(plan: &Plan, order: &KeyOrder, end: &Key, all: &Expected) -> bool {
    let first = keys_after(plan, order, None, 1, false);
    let Some(first) = first.keys.first() else {
        return false;
    };
    let range = plan.shape.range(order, true, true);
    let ends = [first, end].into_iter();
    let parameters: Vec<_> = ends.flat_map(|key| parameters(plan, key)).collect();
    let range = expected(&plan.shape.explain_range(&range), &parameters);
    let share = EXPENSIVE * range.rows / all.rows.max(1.0);
    range.cost <= all.cost * share.min(NEARLY_ALL) + EACH_KEY * range.rows
}
