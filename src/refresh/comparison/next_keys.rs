//! The keys of the next batch of a comparison.

use pgrx::pg_sys;

use super::key_order::KeyOrder;
use super::state::Comparison;
use crate::postgres::spi::{self, Access, Value};
use crate::refresh::plan::key::{key_of, Key};
use crate::refresh::plan::Plan;
use crate::refresh::planner_settings::few_rows;

/// The next keys.
pub struct NextKeys {
    /// All of these keys in descending order; or the last one.
    pub keys: Vec<Key>,
    /// Further keys may follow.
    pub more: bool,
    /// The table has rows with some of these keys.
    pub in_table: bool,
}

/// The keys of the next batch; None if the order of keys does not lead to a further key. As the owner of the
/// TVIEW.
pub fn next_keys(plan: &Plan, comparison: &Comparison, all: bool) -> Option<NextKeys> {
    few_rows(false);
    let order = KeyOrder::of(plan)?;
    let after = comparison.compared_to.as_ref();
    let next = keys_after(plan, &order, after, comparison.keys_at_once, all);
    let is_stuck = next.more && next.keys.first() == comparison.compared_to.as_ref();
    (!is_stuck).then_some(next)
}

/// About `number` keys after a key. `all`: all of them, not the last only.
pub fn keys_after(plan: &Plan, order: &KeyOrder, after: Option<&Key>, number: usize, all: bool) -> NextKeys {
    let mut args = vec![(pg_sys::INT8OID, Value::of(number as i64))];
    args.extend(after.into_iter().flat_map(|key| parameters(plan, key)));
    let rows = spi::run(
        &plan.shape.next_keys(order, after.is_some(), all),
        Access::Snapshot,
        &args,
    );
    let [more, in_table] =
        [0, 1].map(|n| !rows.is_empty() && rows.get(0, plan.shape.key.len() + n) == Some(true));
    NextKeys {
        keys: (0..rows.len())
            .filter_map(|row| key_of(&plan.shape, &rows, row))
            .collect(),
        more,
        in_table,
    }
}

/// A key as parameters of a statement.
pub fn parameters(plan: &Plan, key: &Key) -> Vec<(pg_sys::Oid, Value)> {
    let columns = plan.shape.key.iter().zip(key);
    columns.map(|(k, text)| k.values.single(text)).collect()
}
