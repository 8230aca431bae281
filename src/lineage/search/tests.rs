//! Ways through small graphs.

use super::*;
use crate::lineage::graph::{Case, GuardKind};

fn set(items: &[usize]) -> BTreeSet<usize> {
    items.iter().copied().collect()
}

/// Nodes inside these guards.
fn nodes(graph: &mut Graph, guards: &[&[Guard]]) -> Vec<Node> {
    guards
        .iter()
        .map(|guards| graph.node(set(guards), set(&[])))
        .collect()
}

fn condition(
    graph: &mut Graph,
    nodes: &[Node],
    strict: &[Node],
    guards: &[Guard],
    case: Option<Case>,
) -> usize {
    graph.edge(Edge {
        nodes: set(nodes),
        strict: set(strict),
        guards: set(guards),
        cost: 1,
        case,
    })
}

fn equality(graph: &mut Graph, a: Node, b: Node, guards: &[Guard]) -> usize {
    condition(graph, &[a, b], &[a, b], guards, None)
}

/// The nodes of each way.
fn ways(graph: &Graph, start: Node, key: &[Node]) -> Option<Vec<Vec<Node>>> {
    let key = set(key);
    let search = Search {
        graph,
        start,
        key: &key,
        wanted: &key,
        ties: &[],
        effort: &Effort::new(|| {}),
    };
    let ways = search.ways()?;
    Some(ways.iter().map(|way| way.nodes().collect()).collect())
}

#[test]
fn follows_the_shortest_chain() {
    let mut graph = Graph::default();
    nodes(&mut graph, &[&[], &[], &[], &[]]);
    equality(&mut graph, 0, 1, &[]);
    equality(&mut graph, 1, 2, &[]);
    equality(&mut graph, 1, 3, &[]);
    assert_eq!(ways(&graph, 0, &[2]), Some(vec![vec![0, 1, 2]]));
}

#[test]
fn a_constant_key_needs_no_chain() {
    let mut graph = Graph::default();
    nodes(&mut graph, &[&[]]);
    assert_eq!(ways(&graph, 0, &[]), Some(vec![vec![0]]));
}

#[test]
fn a_function_comes_with_what_it_is_called_on() {
    // c.n = f.n, f on a column of p, the key in f: without p the function has no arguments.
    let mut graph = Graph::default();
    nodes(&mut graph, &[&[], &[]]);
    graph.node(set(&[]), set(&[1]));
    equality(&mut graph, 0, 2, &[]);
    equality(&mut graph, 1, 2, &[]);
    assert_eq!(ways(&graph, 0, &[2]), Some(vec![vec![0, 2, 1]]));
}

#[test]
fn a_part_of_the_key_that_nothing_leads_to_is_taken_as_a_whole() {
    // a CROSS JOIN b, the key in both; c beside them leads nowhere.
    let mut graph = Graph::default();
    nodes(&mut graph, &[&[], &[], &[]]);
    assert_eq!(ways(&graph, 0, &[0, 1]), Some(vec![vec![0, 1]]));
    assert_eq!(ways(&graph, 2, &[0, 1]), None);
}

#[test]
fn does_not_cross_the_optional_side_of_an_outer_join() {
    // a LEFT JOIN b ON a = b, d joined to b inside the same ON clause: a row of a and d may exist without b.
    let mut graph = Graph::default();
    let optional = graph.guard(GuardKind::Optional);
    let [a, b, d] = nodes(&mut graph, &[&[], &[optional], &[]])[..] else {
        unreachable!()
    };
    equality(&mut graph, a, b, &[optional]);
    equality(&mut graph, b, d, &[optional]);
    assert_eq!(ways(&graph, d, &[a]), None);
    assert!(ways(&graph, b, &[a]).is_some(), "from inside");
    assert!(
        ways(&graph, a, &[b]).is_some(),
        "a key read from the optional side"
    );
    assert!(
        ways(&graph, d, &[a, b]).is_some(),
        "a part of the key read from the optional side"
    );
}

#[test]
fn a_strict_condition_above_rules_out_the_unmatched_case() {
    let mut graph = Graph::default();
    let optional = graph.guard(GuardKind::Optional);
    let [a, b, d] = nodes(&mut graph, &[&[], &[optional], &[]])[..] else {
        unreachable!()
    };
    equality(&mut graph, a, b, &[optional]);
    equality(&mut graph, b, d, &[optional]);
    assert_eq!(ways(&graph, d, &[a]), None);
    // WHERE b.x = 1
    condition(&mut graph, &[b], &[b], &[], None);
    assert_eq!(ways(&graph, d, &[a]), Some(vec![vec![d, b, a]]));
}

#[test]
fn a_condition_above_an_outer_join_may_not_be_about_the_changed_row() {
    // a LEFT JOIN b ON true WHERE coalesce(b, a) = 4: with b there may be one row less.
    let mut graph = Graph::default();
    let optional = graph.guard(GuardKind::Optional);
    let [a, b] = nodes(&mut graph, &[&[], &[optional]])[..] else {
        unreachable!()
    };
    condition(&mut graph, &[a, b], &[], &[], None);
    assert_eq!(ways(&graph, b, &[a]), None);
    equality(&mut graph, a, b, &[]);
    assert!(ways(&graph, b, &[a]).is_some());
}

#[test]
fn a_sealed_scope_is_left_but_never_entered() {
    let mut graph = Graph::default();
    let sealed = graph.guard(GuardKind::Sealed);
    let [a, inner, d] = nodes(&mut graph, &[&[], &[sealed], &[]])[..] else {
        unreachable!()
    };
    equality(&mut graph, a, inner, &[sealed]);
    equality(&mut graph, d, inner, &[sealed]);
    assert!(ways(&graph, inner, &[a]).is_some());
    assert_eq!(ways(&graph, d, &[a]), None);
}

#[test]
fn every_case_has_a_way_of_its_own() {
    // c = coalesce(a, b), with a = b where both are there.
    let mut graph = Graph::default();
    let [a, b, c] = nodes(&mut graph, &[&[], &[], &[]])[..] else {
        unreachable!()
    };
    let decision = graph.decision(2);
    let case = |option| Some(Case { decision, option });
    condition(&mut graph, &[a, c], &[a, c], &[], case(0));
    assert_eq!(ways(&graph, c, &[a]), None, "the other case has no way");
    condition(&mut graph, &[b, c], &[b, c], &[], case(1));
    assert_eq!(ways(&graph, c, &[a]), None, "nor does it lead to a");
    equality(&mut graph, a, b, &[]);
    assert_eq!(ways(&graph, c, &[a]), Some(vec![vec![c, a], vec![c, b, a]]));
    equality(&mut graph, a, c, &[]);
    assert_eq!(
        ways(&graph, c, &[a]),
        Some(vec![vec![c, a]]),
        "cases are not told apart without need"
    );
}
