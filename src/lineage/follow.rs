//! Which ways follow the changes of each occurrence to one set of values the key is read from.
//!
//! A row of the view as it was before a change is in the TVIEW's table. Its key can therefore also be found
//! there, by the key columns that a way leads to. That is needed where ways run in a circle: if two
//! occurrences change and each stands on the other's way, neither way can be followed.
//!
//! Inside of a guard the table does not help. Two rows may together keep a row out of the view (NOT EXISTS,
//! the unmatched case of an outer join). When both are deleted, the new row is not in the table yet, and the
//! two are gone.

use std::collections::{BTreeMap, BTreeSet};

use super::effort::Effort;
use super::graph::{Guard, Node};
use super::search::{Path, Search};
use super::shorten::{Output, Way};
use super::tie::Tie;
use super::unfold::{Rows, Unfolded};
use super::way_conditions;
use crate::postgres::query_tree::Expr;

/// The ways that changes of an occurrence are followed by.
pub struct Followed {
    /// To all key columns.
    pub ways: Vec<Way>,
    /// To some key columns, for the table's rows that have these values.
    pub through_table: Vec<Way>,
}

pub enum Follow {
    Keyed(Followed),
    /// No way to the key.
    NoWay,
    /// Its way and that of another occurrence each need the other to be unchanged.
    Circle,
}

impl Follow {
    fn keyed(ways: Vec<Way>) -> Follow {
        let through_table = Vec::new();
        Follow::Keyed(Followed { ways, through_table })
    }
}

/// How changes of each occurrence of a table are followed to these values of the key.
pub fn follow(flat: &Unfolded, key: &[Expr], effort: &Effort) -> BTreeMap<Node, Follow> {
    let tables =
        (0..flat.occurrences.len()).filter(|node| matches!(flat.occurrences[*node].rows, Rows::Table { .. }));
    let mut shortest = Shortest::new();
    let mut found: BTreeMap<Node, Follow> = tables
        .map(|node| match ways(flat, node, key, &columns(key), effort) {
            Some(ways) => match closest_ways(flat, node, key, ways.len(), effort) {
                Some(closest) => {
                    shortest.insert(node, ways);
                    (node, Follow::keyed(closest))
                }
                None => (node, Follow::keyed(ways)),
            },
            None => (node, Follow::NoWay),
        })
        .collect();
    let mut guarded = None;
    loop {
        let circular = circular_by_shortest_ways(&mut found, &mut shortest, effort);
        // Ways that have taken the place of others may make new circles inside guards.
        if guarded.replace(shortest.len()) != Some(shortest.len()) {
            break_circles_inside_guards(flat, &mut found, effort);
            continue;
        }
        if circular.is_empty() || effort.given_up().is_some() {
            return found;
        }
        let cheapest = circular
            .iter()
            .filter_map(|node| match &found[node] {
                Follow::Keyed(followed) if followed.through_table.is_empty() => {
                    part(flat, *node, key, effort).map(|part| (*node, part))
                }
                _ => None,
            })
            .min_by_key(|(node, part)| (lean(part).len(), part[0].outputs[0].column, *node));
        match cheapest {
            Some((node, part)) => {
                if let Some(Follow::Keyed(followed)) = found.get_mut(&node) {
                    followed.through_table = part;
                }
            }
            // Its changes recompute the whole view and need no way, so other ways may lean on it.
            None => {
                found.extend(circular.first().map(|node| (*node, Follow::Circle)));
            }
        }
    }
}

/// The shortest ways of those nodes that are followed by other ones.
type Shortest = BTreeMap<Node, Vec<Way>>;

/// Nodes whose ways run in a circle through each other. They are followed by the shortest ways: the closest ones
/// make no circle that these do not make.
fn circular_by_shortest_ways(
    found: &mut BTreeMap<Node, Follow>,
    shortest: &mut Shortest,
    effort: &Effort,
) -> BTreeSet<Node> {
    loop {
        let circular = circular(&leaning(found), effort);
        let closest: Vec<Node> = circular
            .iter()
            .copied()
            .filter(|node| shortest.contains_key(node))
            .collect();
        if closest.is_empty() {
            return circular;
        }
        for node in closest {
            found.extend(shortest.remove(&node).map(|ways| (node, Follow::keyed(ways))));
        }
    }
}

fn break_circles_inside_guards(flat: &Unfolded, found: &mut BTreeMap<Node, Follow>, effort: &Effort) {
    let guards: BTreeSet<Guard> = found
        .keys()
        .flat_map(|node| flat.graph.guards_of(*node).iter().copied())
        .collect();
    for guard in guards {
        let inside = |node: &Node| flat.graph.guards_of(*node).contains(&guard);
        loop {
            let leaning = leaning(found)
                .into_iter()
                .filter(|(node, _)| inside(node))
                .map(|(node, leans_on)| (node, leans_on.into_iter().filter(inside).collect()))
                .collect();
            match circular(&leaning, effort).first() {
                Some(node) => found.insert(*node, Follow::Circle),
                None => break,
            };
        }
    }
}

/// The shortest ways from `node` to these columns of the key.
fn ways(flat: &Unfolded, node: Node, key: &[Expr], columns: &[usize], effort: &Effort) -> Option<Vec<Way>> {
    let paths = paths(flat, node, key, columns, &[], effort)?;
    let way = |path| Way::shortest(flat, path, outputs(key, columns), BTreeSet::new(), effort);
    Some(paths.into_iter().map(way).collect())
}

/// The ways from `node` to the key that tie rows most closely. None: there is only one way, or these are more than
/// `maximum`.
fn closest_ways(
    flat: &Unfolded,
    node: Node,
    key: &[Expr],
    maximum: usize,
    effort: &Effort,
) -> Option<Vec<Way>> {
    if flat.ties.is_empty() {
        return None;
    }
    let columns = columns(key);
    let paths = paths(flat, node, key, &columns, &flat.ties, effort)?;
    let way = |path| {
        let narrowing = way_conditions::narrowing(flat, &path);
        Way::shortest(flat, path, outputs(key, &columns), narrowing, effort)
    };
    (paths.len() <= maximum).then(|| paths.into_iter().map(way).collect())
}

fn paths(
    flat: &Unfolded,
    node: Node,
    key: &[Expr],
    columns: &[usize],
    ties: &[Tie],
    effort: &Effort,
) -> Option<Vec<Path>> {
    let ranges =
        |columns: &[usize]| -> BTreeSet<Node> { columns.iter().flat_map(|n| key[*n].ranges()).collect() };
    let search = Search {
        graph: &flat.graph,
        start: node,
        key: &ranges(&self::columns(key)),
        wanted: &ranges(columns),
        ties,
        effort,
    };
    search.ways()
}

fn outputs(key: &[Expr], columns: &[usize]) -> Vec<Output> {
    let output = |column: &usize| Output {
        column: *column,
        value: key[*column],
        equal: false,
    };
    columns.iter().map(output).collect()
}

/// The ways that need the fewest occurrences to be unchanged, to as many key columns as that allows. None:
/// these would be all key columns.
fn part(flat: &Unfolded, node: Node, key: &[Expr], effort: &Effort) -> Option<Vec<Way>> {
    let single: Vec<(usize, Vec<Way>)> = columns(key)
        .into_iter()
        .filter(|n| !key[*n].ranges().is_empty())
        .filter_map(|n| Some((n, ways(flat, node, key, &[n], effort)?)))
        .collect();
    let (first, best) = single.iter().min_by_key(|(n, ways)| (lean(ways).len(), *n))?;
    let best = lean(best);
    let within: Vec<usize> = single
        .iter()
        .filter(|(n, ways)| n == first || lean(ways).is_subset(&best))
        .map(|(n, _)| *n)
        .collect();
    let part = ways(flat, node, key, &within, effort)?;
    (within.len() < key.len()).then_some(part)
}

fn columns(key: &[Expr]) -> Vec<usize> {
    (0..key.len()).collect()
}

fn lean(ways: &[Way]) -> BTreeSet<Node> {
    ways.iter().flat_map(|way| way.path.leans_on()).collect()
}

/// For every occurrence with a way, those that must be unchanged for its old rows to be followed.
fn leaning(found: &BTreeMap<Node, Follow>) -> BTreeMap<Node, BTreeSet<Node>> {
    found
        .iter()
        .filter_map(|(node, follow)| match follow {
            Follow::Keyed(Followed { ways, through_table }) if through_table.is_empty() => {
                Some((*node, lean(ways)))
            }
            Follow::Keyed(followed) => Some((*node, lean(&followed.through_table))),
            _ => None,
        })
        .collect()
}

/// Nodes whose ways run in a circle through each other. If two of them changed in one row of the view, each
/// way would need the other's row to be unchanged.
fn circular(leaning: &BTreeMap<Node, BTreeSet<Node>>, effort: &Effort) -> BTreeSet<Node> {
    let in_circle = |start: &Node| {
        let mut seen = BTreeSet::new();
        let mut open: Vec<Node> = leaning[start].iter().copied().collect();
        while let Some(node) = open.pop().filter(|_| effort.spend(1)) {
            if node == *start {
                return true;
            }
            if seen.insert(node) {
                open.extend(leaning.get(&node).into_iter().flatten());
            }
        }
        false
    };
    leaning.keys().copied().filter(|start| in_circle(start)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circles_are_found() {
        let set = |nodes: &[Node]| nodes.iter().copied().collect::<BTreeSet<Node>>();
        let there_and_back = BTreeMap::from([(0, set(&[1, 2])), (1, set(&[0, 2])), (2, set(&[]))]);
        let effort = Effort::new(|| {});
        assert_eq!(circular(&there_and_back, &effort), set(&[0, 1]));
        let one_way = BTreeMap::from([(0, set(&[1, 2])), (2, set(&[]))]);
        assert_eq!(circular(&one_way, &effort), set(&[]));
    }
}
