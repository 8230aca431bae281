//! What the conditions of a view tie rows by, read from the catalogs.
//!
//! Where several chains lead to the key, all of them find it. They differ in how many keys they find besides, so the
//! chain with the closest ties is followed. The catalogs decide, not statistics: the choice stays the same while the
//! definitions do.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use pgrx::pg_sys::Oid;

use super::effort::Effort;
use super::graph::{Edge, Node};
use super::tie::{Closeness, Tie};
use super::unfold::{Rows, Unfolded};
use crate::postgres::table_keys::TableKeys;

/// The keys of tables met so far, each read once.
#[derive(Default)]
pub struct KnownKeys(RefCell<HashMap<Oid, Rc<TableKeys>>>);

impl KnownKeys {
    fn of(&self, table: Oid) -> Rc<TableKeys> {
        let mut known = self.0.borrow_mut();
        known
            .entry(table)
            .or_insert_with(|| Rc::new(TableKeys::of(table)))
            .clone()
    }
}

/// The tie of each condition; empty where no occurrence can be reached by more than one chain.
pub fn ties(flat: &Unfolded, keys: &KnownKeys, effort: &Effort) -> Vec<Tie> {
    let edges = flat.graph.edges();
    if !effort.spend(edges.len()) || !has_circles(edges, flat.occurrences.len()) {
        return Vec::new();
    }
    let mut between: BTreeMap<&BTreeSet<Node>, Vec<usize>> = BTreeMap::new();
    for (index, edge) in edges.iter().enumerate() {
        between.entry(&edge.nodes).or_default().push(index);
    }
    let tie = |edge: &Edge| {
        let beside = &between[&edge.nodes];
        if edge.nodes.len() != 2 || !effort.spend(beside.len()) {
            return Tie::loose();
        }
        of_edge(flat, edge, beside, keys)
    };
    edges.iter().map(tie).collect()
}

/// Whether the conditions tie occurrences in a circle, so that there is more than one chain between two of them.
fn has_circles(edges: &[Edge], occurrences: usize) -> bool {
    let mut part_of: Vec<usize> = (0..occurrences).collect();
    let mut seen = BTreeSet::new();
    for edge in edges.iter().filter(|edge| edge.nodes.len() > 1) {
        if !seen.insert(&edge.nodes) {
            continue;
        }
        let parts: BTreeSet<usize> = edge.nodes.iter().map(|node| root(&mut part_of, *node)).collect();
        if parts.len() < edge.nodes.len() {
            return true;
        }
        let first = parts.first().copied().unwrap_or_default();
        parts.into_iter().for_each(|part| part_of[part] = first);
    }
    false
}

fn root(part_of: &mut [usize], mut node: usize) -> usize {
    while part_of[node] != node {
        part_of[node] = part_of[part_of[node]];
        node = part_of[node];
    }
    node
}

/// `beside`: the conditions on the same two occurrences.
fn of_edge(flat: &Unfolded, edge: &Edge, beside: &[usize], keys: &KnownKeys) -> Tie {
    let edges = flat.graph.edges();
    let holds = |other: &Edge| {
        other.guards.is_subset(&edge.guards) && (other.case.is_none() || other.case == edge.case)
    };
    let mut columns: BTreeMap<Node, Vec<i16>> = BTreeMap::new();
    for index in beside.iter().filter(|index| holds(&edges[**index])) {
        let equal = flat.conditions[*index].and_then(|condition| condition.as_equal_columns());
        for column in equal.into_iter().flat_map(|(left, right)| [left, right]) {
            columns.entry(column.range).or_default().push(column.attno);
        }
    }
    let mut tie = Tie::loose();
    for (node, columns) in columns {
        let Rows::Table { oid, .. } = flat.occurrences[node].rows else {
            continue;
        };
        let keys = keys.of(oid);
        if keys.are_unique(&columns) {
            tie.single.insert(node);
        }
        tie.closeness = tie.closeness.min(closeness(&keys, &columns));
    }
    tie
}

fn closeness(keys: &TableKeys, columns: &[i16]) -> Closeness {
    if keys.are_unique(columns) {
        Closeness::Key
    } else if keys.have_foreign_key(columns) {
        Closeness::ForeignKey
    } else if keys.have_index(columns) {
        Closeness::Indexed
    } else {
        Closeness::Loose
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edges(nodes: &[&[Node]]) -> Vec<Edge> {
        let edge = |nodes: &&[Node]| Edge {
            nodes: nodes.iter().copied().collect(),
            ..Edge::default()
        };
        nodes.iter().map(edge).collect()
    }

    #[test]
    fn several_chains_need_a_circle() {
        assert!(!has_circles(&edges(&[&[0, 1], &[1, 2], &[0, 1], &[2]]), 4));
        assert!(has_circles(&edges(&[&[0, 1], &[1, 2], &[0, 2]]), 3));
        assert!(has_circles(&edges(&[&[0, 1], &[2, 3], &[1, 2], &[3, 0]]), 4));
        assert!(has_circles(&edges(&[&[0, 1], &[0, 1, 2]]), 3));
    }
}
