//! What the changes of each source led to, as the audit row of the refresh has it.

use serde_json::{json, Value};

use super::affected_keys::Affected;
use super::plan::Plan;
use crate::queue::read::Pending;

/// An array for each source with changes: its OID, the number of changes, the number of keys that they led to (null: all
/// rows are compared because of them), the microseconds that finding the keys took, and of the largest row in the queue the
/// transaction and its number of changes. An array, because every refresh stores it.
pub fn costs(plan: &Plan, pending: &[Pending], affected: &Affected) -> Option<Value> {
    let tview = plan.definition.tview;
    let read: Vec<&Pending> = pending.iter().filter(|pending| pending.concerns(tview)).collect();
    let is_full = |pending: &Pending| {
        pending.all_keys || (!pending.requested && matches!(plan.sources.get(&pending.source), Some(None)))
    };
    // Without a source that is followed in full, the keys of all sources together were too many.
    let some_full = read.iter().any(|pending| is_full(pending));
    let costs: Vec<Value> = read
        .iter()
        .map(|pending| {
            let found = match affected {
                Affected::Keys(keys) => keys.found.iter().find(|found| found.source == pending.source),
                Affected::Everything => None,
            };
            let compares = matches!(affected, Affected::Everything) && (is_full(pending) || !some_full);
            let keys = (!compares).then(|| found.map_or(0, |found| found.keys));
            let took = found.map_or(0, |found| found.took.as_micros() as u64);
            let largest = pending.largest;
            json!([
                pending.source.to_u32(),
                pending.changes,
                keys,
                took,
                largest.map(|largest| largest.xid),
                largest.map(|largest| largest.changes),
            ])
        })
        .collect();
    (!costs.is_empty()).then_some(Value::Array(costs))
}
