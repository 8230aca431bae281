//! The conditions of a way, as its key query has them.

use std::collections::BTreeSet;

use super::graph::{Edge, Guard, Node};
use super::shorten::{beside, Way};
use super::unfold::{Rows, Unfolded};
use crate::postgres::inheritance;
use crate::postgres::query_tree::Expr;

/// The conditions that a way follows; and where a key column is read from something equal, that this is not
/// NULL.
pub fn followed(flat: &Unfolded, way: &Way) -> Vec<Expr> {
    let edges: BTreeSet<usize> = way
        .path
        .edges()
        .flat_map(|edge| beside(flat, &way.path, edge))
        .collect();
    let followed = edges.into_iter().filter_map(|index| flat.conditions[index]);
    let may_be_null = |value: Expr| {
        let column = value.as_column();
        let table = column.map(|column| (column, &flat.occurrences[column.range].rows));
        !matches!(table, Some((column, Rows::Table { oid, with_children }))
            if inheritance::column_not_null(*oid, column.attno, *with_children))
    };
    let equal = way
        .outputs
        .iter()
        .filter(|output| output.equal && may_be_null(output.value));
    followed
        .chain(equal.map(|output| output.value.is_not_null()))
        .collect()
}

/// Conditions that no step follows, on occurrences that are unchanged where this way is needed: all but its
/// start. They keep rows that are in no row of the view from leading to keys.
///
/// Only conditions that cannot fail, and whose value changes only with a row. IS TRUE, which no index serves,
/// keeps the planner from searching rows by them instead of by what changed.
pub fn filters(flat: &Unfolded, way: &Way) -> Vec<Expr> {
    let edges = flat.graph.edges();
    let start = way.path.steps[0].node;
    let unchanged: BTreeSet<Node> = way.path.leans_on().collect();
    let known: BTreeSet<Guard> = way
        .path
        .edges()
        .flat_map(|edge| edges[edge].guards.iter().copied())
        .collect();
    let followed: BTreeSet<usize> = way
        .path
        .edges()
        .flat_map(|edge| beside(flat, &way.path, edge))
        .collect();
    let holds = |edge: &Edge| {
        edge.case.is_none()
            && edge.nodes.is_subset(&unchanged)
            && edge.guards.is_subset(&known)
            && flat.graph.is_about(edge, start, &BTreeSet::new())
    };
    edges
        .iter()
        .enumerate()
        .filter(|(index, edge)| !followed.contains(index) && holds(edge))
        .filter_map(|(index, _)| flat.conditions[index])
        .filter(Expr::is_harmless)
        .map(|condition| condition.is_true())
        .collect()
}
