//! The conditions of a way, as its key query has them.

use std::collections::BTreeSet;

use super::graph::{Edge, Guard, Node};
use super::search::{Path, Step};
use super::shorten::{beside, Way};
use super::unfold::{Rows, Unfolded};
use crate::postgres::inheritance;
use crate::postgres::query_tree::Expr;

/// The conditions that a way follows; and where a key column is read from something equal, that this is not
/// NULL.
pub fn followed(flat: &Unfolded, way: &Way) -> Vec<Expr> {
    let mut edges = by_steps(flat, &way.path);
    edges.extend(&way.narrowing);
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
    let start = way.path.start();
    let unchanged: BTreeSet<Node> = way.path.leans_on().collect();
    let followed = by_steps(flat, &way.path);
    let known = known(flat, &way.path);
    edges
        .iter()
        .enumerate()
        .filter(|(index, edge)| !followed.contains(index) && edge.nodes.is_subset(&unchanged))
        .filter(|(_, edge)| holds(flat, edge, start, &known))
        .filter_map(|(index, _)| flat.conditions[index])
        .filter(Expr::is_harmless)
        .map(|condition| condition.is_true())
        .collect()
}

/// Equalities of columns of the changed row with others of the way, besides those that its steps follow. They are
/// of use where a step leads to several rows.
pub fn narrowing(flat: &Unfolded, path: &Path) -> BTreeSet<usize> {
    let leads_to_one = |step: &Step| {
        let tie = step.edge.and_then(|edge| flat.ties.get(edge));
        tie.is_some_and(|tie| tie.single.contains(&step.node))
    };
    if path.steps.iter().skip(1).all(leads_to_one) {
        return BTreeSet::new();
    }
    let start = path.start();
    let nodes: BTreeSet<Node> = path.nodes().collect();
    let followed = by_steps(flat, path);
    let known = known(flat, path);
    let is_equality = |index: &usize| {
        flat.conditions[*index]
            .is_some_and(|condition| condition.as_equal_columns().is_some() && condition.is_harmless())
    };
    flat.graph
        .edges()
        .iter()
        .enumerate()
        .filter(|(index, _)| !followed.contains(index))
        .filter(|(_, edge)| edge.nodes.contains(&start) && edge.nodes.is_subset(&nodes))
        .filter(|(_, edge)| holds(flat, edge, start, &known))
        .map(|(index, _)| index)
        .filter(is_equality)
        .collect()
}

/// The conditions that the steps of a path follow.
fn by_steps(flat: &Unfolded, path: &Path) -> BTreeSet<usize> {
    path.edges().flat_map(|edge| beside(flat, path, edge)).collect()
}

/// The guards that are known to have a row inside where the path is needed.
fn known(flat: &Unfolded, path: &Path) -> BTreeSet<Guard> {
    let edges = flat.graph.edges();
    path.edges()
        .flat_map(|edge| edges[edge].guards.iter().copied())
        .collect()
}

/// Whether a condition between occurrences of a path holds wherever the path is needed.
fn holds(flat: &Unfolded, edge: &Edge, start: Node, known: &BTreeSet<Guard>) -> bool {
    edge.case.is_none() && edge.guards.is_subset(known) && flat.graph.is_about(edge, start, &BTreeSet::new())
}
