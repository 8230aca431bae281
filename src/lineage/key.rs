//! Which values the key of a row can be.

use std::collections::BTreeSet;

use super::unfold::Unfolded;
use crate::postgres::query_tree::{Expr, Select};

/// More alternatives than this are not gone through.
const MOST: usize = 64;

/// Every combination of expressions the key columns can come from; None when one of them hides its row.
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
        if combinations.len() > MOST {
            return None;
        }
    }
    Some(combinations)
}

/// Key columns that may be NULL because an outer join found no match: key queries do not lead to these rows.
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

/// What an expression takes turns in being, where that tells the row.
fn values(flat: &Unfolded, expr: Expr) -> Option<Vec<Expr>> {
    if expr.ranges().len() < 2 && follows_its_rows(flat, expr) {
        return Some(vec![expr]);
    }
    let mut values = expr.alternatives(MOST)?;
    // A row without a key has no place in the table.
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
