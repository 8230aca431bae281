//! The values that the key of a row can be.

use std::collections::BTreeSet;

use super::unfold::Unfolded;
use crate::postgres::query_tree::{Expr, Select};

/// The maximum number of alternatives that are followed.
const MAX_ALTERNATIVES: usize = 64;

/// Every combination of expressions that the key columns can come from. None: one of them hides the row it
/// comes from.
pub fn alternatives(query: Select, flat: &Unfolded, key: &[String]) -> Option<Vec<Vec<Expr>>> {
    let names = names(query);
    let mut combinations: Vec<Vec<Expr>> = vec![Vec::new()];
    for column in key {
        let at = names.iter().position(|name| name == column)?;
        let values = values(flat, (*flat.outputs.get(at)?)?)?;
        combinations = combinations
            .iter()
            .flat_map(|chosen| {
                values.iter().map(move |value| {
                    let mut chosen = chosen.clone();
                    chosen.push(*value);
                    chosen
                })
            })
            .collect();
        if combinations.len() > MAX_ALTERNATIVES {
            return None;
        }
    }
    Some(combinations)
}

/// Key columns that may be NULL because an outer join found no match. Key queries do not find these rows.
pub fn unmatched(query: Select, flat: &Unfolded, key: &[String]) -> Vec<String> {
    let names = names(query);
    let value = |column: &String| {
        let at = names.iter().position(|name| name == column)?;
        *flat.outputs.get(at)?
    };
    let is_unmatched = |column: &&String| {
        value(column).is_some_and(|value| value.ranges().iter().any(|node| flat.graph.is_optional(*node)))
    };
    key.iter().filter(is_unmatched).cloned().collect()
}

fn names(query: Select) -> Vec<String> {
    query
        .targets()
        .into_iter()
        .filter(|target| !target.hidden)
        .map(|target| target.name)
        .collect()
}

/// The expressions that a value can be (COALESCE, CASE), if each shows the row it comes from.
fn values(flat: &Unfolded, expr: Expr) -> Option<Vec<Expr>> {
    if expr.ranges().len() < 2 && follows_its_rows(flat, expr) {
        return Some(vec![expr]);
    }
    let mut values = expr.alternatives(MAX_ALTERNATIVES)?;
    // Rows whose key is NULL are not in the table.
    values.retain(|value| !value.is_null_constant());
    values
        .iter()
        .all(|value| follows_its_rows(flat, *value))
        .then_some(values)
}

/// A key value made from the optional side of an outer join must be NULL where nothing matched.
fn follows_its_rows(flat: &Unfolded, expr: Expr) -> bool {
    let strict: BTreeSet<usize> = expr.is_not_null().ranges_not_null();
    expr.ranges()
        .iter()
        .all(|node| !flat.graph.is_optional(*node) || strict.contains(node))
}
