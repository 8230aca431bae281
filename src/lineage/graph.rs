//! Occurrences of relations as nodes, conditions as edges, and which of them hold for a changed row.
//!
//! A way may only use conditions that hold in every row of the view that the changed row can appear in.
//! Conditions behind a guard may not hold. There are two kinds of guards:
//! - The optional side of an outer join: its conditions hold only where it matched.
//! - A sealed part (a sub-select in an expression, an aggregate without GROUP BY): its conditions say nothing
//!   about the rows outside.
//!
//! Conditions inside a guard may be used where a row inside is known to exist. That is so if the way starts
//! inside, or if the key is read inside, since it is NULL where nothing matched. For an outer join it is also
//! so if a condition that holds has ruled out the unmatched case.
//!
//! A change on the optional side may also make or end the unmatched case. The row of the view that appears or
//! disappears then has NULLs in place of the changed row. A condition above the join says nothing about the
//! changed row, unless NULLs cannot pass it.

use std::collections::BTreeSet;

pub type Node = usize;
pub type Guard = usize;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GuardKind {
    Optional,
    Sealed,
}

/// One of several cases. Every row is in at least one of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Case {
    pub decision: usize,
    pub option: usize,
}

#[derive(Clone, Debug, Default)]
pub struct Edge {
    /// Every occurrence that the condition reads. A condition on one occurrence leads nowhere, but may show
    /// that a row of it exists.
    pub nodes: BTreeSet<Node>,
    /// Those whose columns cannot all be NULL where the condition is true.
    pub strict: BTreeSet<Node>,
    /// The guards around the condition.
    pub guards: BTreeSet<Guard>,
    /// A plain equality is cheap to follow, a cross join expensive.
    pub cost: u32,
    /// None: the condition holds in every case.
    pub case: Option<Case>,
}

#[derive(Default, Debug)]
struct Place {
    guards: BTreeSet<Guard>,
    /// Occurrences that a function in FROM is called on.
    reads: BTreeSet<Node>,
}

#[derive(Default, Debug)]
pub struct Graph {
    nodes: Vec<Place>,
    edges: Vec<Edge>,
    guards: Vec<GuardKind>,
    /// How many cases each decision has.
    decisions: Vec<usize>,
}

impl Graph {
    pub fn guard(&mut self, kind: GuardKind) -> Guard {
        self.guards.push(kind);
        self.guards.len() - 1
    }

    /// `reads`: the occurrences that a function in FROM is called on.
    pub fn node(&mut self, guards: BTreeSet<Guard>, reads: BTreeSet<Node>) -> Node {
        self.nodes.push(Place { guards, reads });
        self.nodes.len() - 1
    }

    pub fn edge(&mut self, edge: Edge) -> usize {
        self.edges.push(edge);
        self.edges.len() - 1
    }

    pub fn decision(&mut self, options: usize) -> usize {
        self.decisions.push(options);
        self.decisions.len() - 1
    }

    pub fn options(&self, decision: usize) -> usize {
        self.decisions[decision]
    }

    pub fn edges(&self) -> &[Edge] {
        &self.edges
    }

    /// The guards a node is inside of.
    pub fn guards_of(&self, node: Node) -> &BTreeSet<Guard> {
        &self.nodes[node].guards
    }

    /// What a function in FROM is called on.
    pub fn read_by(&self, node: Node) -> &BTreeSet<Node> {
        &self.nodes[node].reads
    }

    /// Whether a node may be missing from a row of the view.
    pub fn is_optional(&self, node: Node) -> bool {
        self.optional_guards(node).next().is_some()
    }

    fn optional_guards(&self, node: Node) -> impl Iterator<Item = Guard> + '_ {
        let optional = |guard: &Guard| self.guards[*guard] == GuardKind::Optional;
        self.nodes[node].guards.iter().copied().filter(optional)
    }

    /// The guards known to have a row inside, in every row of the view that a change of `start` affects and
    /// whose key (read from the nodes `key`) is not NULL. Only edges that `holds` accepts are used.
    pub fn known(&self, start: Node, key: &BTreeSet<Node>, holds: impl Fn(&Edge) -> bool) -> BTreeSet<Guard> {
        let mut known = self.nodes[start].guards.clone();
        known.extend(key.iter().flat_map(|node| self.optional_guards(*node)));
        let mut facts: Vec<&Edge> = self
            .edges
            .iter()
            .filter(|edge| holds(edge) && self.is_about(edge, start, key))
            .collect();
        loop {
            let (holding, open): (Vec<&Edge>, Vec<&Edge>) =
                facts.iter().partition(|edge| edge.guards.is_subset(&known));
            if holding.is_empty() {
                return known;
            }
            let there = holding.iter().flat_map(|edge| edge.strict.iter());
            known.extend(there.flat_map(|node| self.optional_guards(*node)));
            facts = open;
        }
    }

    /// Whether a condition above an outer join is about the changed row of `start`, where that stands on the
    /// optional side.
    pub fn is_about(&self, edge: &Edge, start: Node, key: &BTreeSet<Node>) -> bool {
        let inside = |node: &Node, guard: &Guard| self.nodes[*node].guards.contains(guard);
        self.optional_guards(start)
            .filter(|guard| !edge.guards.contains(guard))
            .filter(|guard| edge.nodes.iter().any(|node| inside(node, guard)))
            .all(|guard| {
                edge.strict.iter().any(|node| inside(node, &guard))
                    || key.iter().any(|node| inside(node, &guard))
            })
    }
}
