//! Which way leads from a changed row to the key: occurrences of relations as nodes, conditions as edges.
//!
//! A way may only use conditions that hold in every row of the view that the changed row can appear in.
//! Two things stand in between, both called guards here: the optional side of an outer join, whose
//! conditions hold only where it matched, and what is sealed (a sub-select in an expression, a total
//! without groups), whose conditions say nothing about the rows outside. A way may use the inside of a guard
//! when it starts there, when it ends there (a key read from the optional side is NULL where nothing
//! matched), or, for an outer join, once a condition above the join has ruled out the unmatched case.
//!
//! A change on the optional side may also make or end the unmatched case. The row of the view that comes or
//! goes then has NULLs in place of the changed row, so a condition above the join says nothing about the
//! changed row, unless NULLs cannot pass it.

use std::collections::BTreeSet;

pub type Node = usize;
pub type Guard = usize;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GuardKind {
    Optional,
    Sealed,
}

#[derive(Clone, Debug, Default)]
pub struct Edge {
    /// Every occurrence the condition reads.
    pub nodes: BTreeSet<Node>,
    /// Those that cannot be all NULL where it is true.
    pub strict: BTreeSet<Node>,
    /// The guards it is inside of.
    pub guards: BTreeSet<Guard>,
    /// Preference: a plain equality is cheap to follow, a cross join dear.
    pub cost: u32,
}

#[derive(Default, Debug)]
pub struct Graph {
    nodes: Vec<BTreeSet<Guard>>,
    edges: Vec<Edge>,
    guards: Vec<GuardKind>,
}

/// A way: the occurrences in the order they are reached, the start first, and the conditions followed.
#[derive(Debug, PartialEq, Eq)]
pub struct Path {
    pub nodes: Vec<Node>,
    pub edges: Vec<usize>,
}

struct Reached {
    node: Node,
    cost: u32,
    edge: Option<usize>,
    inside: BTreeSet<Guard>,
}

impl Graph {
    pub fn guard(&mut self, kind: GuardKind) -> Guard {
        self.guards.push(kind);
        self.guards.len() - 1
    }

    pub fn node(&mut self, guards: BTreeSet<Guard>) -> Node {
        self.nodes.push(guards);
        self.nodes.len() - 1
    }

    pub fn edge(&mut self, edge: Edge) -> usize {
        self.edges.push(edge);
        self.edges.len() - 1
    }

    pub fn edges(&self) -> &[Edge] {
        &self.edges
    }

    /// The guards a node is inside of.
    pub fn guards_of(&self, node: Node) -> &BTreeSet<Guard> {
        &self.nodes[node]
    }

    /// Whether a node may be missing from a row of the view.
    pub fn is_optional(&self, node: Node) -> bool {
        self.nodes[node]
            .iter()
            .any(|guard| self.guards[*guard] == GuardKind::Optional)
    }

    /// The cheapest way from `start` to all of `targets`.
    pub fn path(&self, start: Node, targets: &BTreeSet<Node>) -> Option<Path> {
        let mut reached = vec![Reached {
            node: start,
            cost: 0,
            edge: None,
            inside: self.nodes[start].clone(),
        }];
        while !targets
            .iter()
            .all(|target| reached.iter().any(|r| r.node == *target))
        {
            let next = self
                .edges
                .iter()
                .enumerate()
                .filter_map(|(index, edge)| self.follow(index, edge, &reached, targets))
                .min_by_key(|next| (next.cost, next.node))?;
            reached.push(next);
        }
        Some(self.trace(start, targets, &reached))
    }

    /// What following `edge` reaches: the one node of it not reached yet.
    fn follow(
        &self,
        index: usize,
        edge: &Edge,
        reached: &[Reached],
        targets: &BTreeSet<Node>,
    ) -> Option<Reached> {
        if !self.is_about(edge, reached.first()?.node, targets) {
            return None;
        }
        let from: Vec<&Reached> = reached.iter().filter(|r| edge.nodes.contains(&r.node)).collect();
        if from.is_empty() || from.len() + 1 != edge.nodes.len() {
            return None;
        }
        let node = *edge
            .nodes
            .iter()
            .find(|node| !from.iter().any(|r| r.node == **node))?;
        let mut inside: BTreeSet<Guard> = from.iter().flat_map(|r| r.inside.iter().copied()).collect();
        let ends_in = |guard: &Guard| targets.iter().all(|target| self.nodes[*target].contains(guard));
        for guard in edge.guards.iter() {
            if !inside.contains(guard) && !ends_in(guard) {
                return None;
            }
        }
        for guard in self.nodes[node].iter() {
            let matched_for_sure = self.guards[*guard] == GuardKind::Optional
                && !edge.guards.contains(guard)
                && edge.strict.contains(&node);
            if !inside.contains(guard) && !ends_in(guard) && !matched_for_sure {
                return None;
            }
            inside.insert(*guard);
        }
        let cost = from.iter().map(|r| r.cost).max().unwrap_or(0) + edge.cost;
        Some(Reached {
            node,
            cost,
            edge: Some(index),
            inside,
        })
    }

    /// Whether a condition is about the changed row of `start`, should that stand on the optional side of a
    /// join further in.
    pub fn is_about(&self, edge: &Edge, start: Node, targets: &BTreeSet<Node>) -> bool {
        let inside = |node: &Node, guard: &Guard| self.nodes[*node].contains(guard);
        self.nodes[start]
            .iter()
            .filter(|guard| self.guards[**guard] == GuardKind::Optional && !edge.guards.contains(guard))
            .filter(|guard| edge.nodes.iter().any(|node| inside(node, guard)))
            .all(|guard| {
                edge.strict.iter().any(|node| inside(node, guard))
                    || (!targets.is_empty() && targets.iter().all(|target| inside(target, guard)))
            })
    }

    /// Only what the targets need, in the order reached.
    fn trace(&self, start: Node, targets: &BTreeSet<Node>, reached: &[Reached]) -> Path {
        let mut needed = targets.clone();
        let mut edges = Vec::new();
        for step in reached.iter().rev() {
            if let (Some(edge), true) = (step.edge, needed.contains(&step.node)) {
                needed.extend(self.edges[edge].nodes.iter().copied());
                edges.push(edge);
            }
        }
        edges.reverse();
        needed.insert(start);
        let nodes = reached
            .iter()
            .map(|r| r.node)
            .filter(|node| needed.contains(node))
            .collect();
        Path { nodes, edges }
    }
}

/// Nodes whose ways run in a circle through each other. If two of them changed in one row of the view, each
/// way would lean on the other's unchanged row; such sources need another strategy.
pub fn circular(paths: &[(Node, &Path)]) -> BTreeSet<Node> {
    let leans_on = |start: Node| -> BTreeSet<Node> {
        paths
            .iter()
            .filter(|(node, _)| *node == start)
            .flat_map(|(_, path)| path.nodes.iter().copied().filter(|n| *n != start))
            .collect()
    };
    let starts: BTreeSet<Node> = paths.iter().map(|(node, _)| *node).collect();
    starts
        .iter()
        .copied()
        .filter(|start| {
            let mut seen = BTreeSet::new();
            let mut open: Vec<Node> = leans_on(*start).into_iter().collect();
            while let Some(node) = open.pop() {
                if node == *start {
                    return true;
                }
                if seen.insert(node) {
                    open.extend(leans_on(node));
                }
            }
            false
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(items: &[usize]) -> BTreeSet<usize> {
        items.iter().copied().collect()
    }

    fn equality(graph: &mut Graph, a: Node, b: Node, guards: &[Guard]) -> usize {
        graph.edge(Edge {
            nodes: set(&[a, b]),
            strict: set(&[a, b]),
            guards: set(guards),
            cost: 1,
        })
    }

    #[test]
    fn follows_the_shortest_chain() {
        let mut graph = Graph::default();
        let nodes: Vec<Node> = (0..4).map(|_| graph.node(set(&[]))).collect();
        let first = equality(&mut graph, nodes[0], nodes[1], &[]);
        let second = equality(&mut graph, nodes[1], nodes[2], &[]);
        equality(&mut graph, nodes[1], nodes[3], &[]);
        let path = graph.path(nodes[0], &set(&[nodes[2]])).unwrap();
        assert_eq!(
            path,
            Path {
                nodes: vec![0, 1, 2],
                edges: vec![first, second]
            }
        );
    }

    #[test]
    fn a_constant_key_needs_no_chain() {
        let mut graph = Graph::default();
        let node = graph.node(set(&[]));
        assert_eq!(
            graph.path(node, &set(&[])).unwrap(),
            Path {
                nodes: vec![node],
                edges: vec![]
            }
        );
    }

    #[test]
    fn does_not_cross_the_optional_side_of_an_outer_join() {
        // a LEFT JOIN b ON a = b, d joined to b inside the same ON clause: a row of a and d may exist without b.
        let mut graph = Graph::default();
        let optional = graph.guard(GuardKind::Optional);
        let (a, b, d) = (
            graph.node(set(&[])),
            graph.node(set(&[optional])),
            graph.node(set(&[])),
        );
        equality(&mut graph, a, b, &[optional]);
        equality(&mut graph, b, d, &[optional]);
        assert!(graph.path(d, &set(&[a])).is_none());
        assert!(graph.path(b, &set(&[a])).is_some(), "from inside");
        assert!(
            graph.path(a, &set(&[b])).is_some(),
            "a key read from the optional side"
        );
    }

    #[test]
    fn a_strict_condition_above_rules_out_the_unmatched_case() {
        let mut graph = Graph::default();
        let optional = graph.guard(GuardKind::Optional);
        let (a, b, d) = (
            graph.node(set(&[])),
            graph.node(set(&[optional])),
            graph.node(set(&[])),
        );
        equality(&mut graph, a, b, &[optional]);
        equality(&mut graph, b, d, &[]);
        assert!(graph.path(d, &set(&[a])).is_some());
    }

    #[test]
    fn a_condition_above_an_outer_join_may_not_be_about_the_changed_row() {
        // a LEFT JOIN b ON true WHERE coalesce(b, a) = 4: with b there may be one row less.
        let mut graph = Graph::default();
        let optional = graph.guard(GuardKind::Optional);
        let (a, b) = (graph.node(set(&[])), graph.node(set(&[optional])));
        graph.edge(Edge {
            nodes: set(&[a, b]),
            strict: set(&[]),
            guards: set(&[]),
            cost: 1,
        });
        assert!(graph.path(b, &set(&[a])).is_none());
        equality(&mut graph, a, b, &[]);
        assert!(graph.path(b, &set(&[a])).is_some());
    }

    #[test]
    fn a_sealed_scope_is_left_but_never_entered() {
        let mut graph = Graph::default();
        let sealed = graph.guard(GuardKind::Sealed);
        let (a, inner, d) = (
            graph.node(set(&[])),
            graph.node(set(&[sealed])),
            graph.node(set(&[])),
        );
        equality(&mut graph, a, inner, &[sealed]);
        equality(&mut graph, d, inner, &[sealed]);
        assert!(graph.path(inner, &set(&[a])).is_some());
        assert!(graph.path(d, &set(&[a])).is_none());
    }

    #[test]
    fn circles_are_found() {
        let there = Path {
            nodes: vec![0, 1, 2],
            edges: vec![],
        };
        let back = Path {
            nodes: vec![1, 0, 2],
            edges: vec![],
        };
        let end = Path {
            nodes: vec![2],
            edges: vec![],
        };
        assert_eq!(circular(&[(0, &there), (1, &back), (2, &end)]), set(&[0, 1]));
        assert_eq!(circular(&[(0, &there), (2, &end)]), set(&[]));
    }
}
