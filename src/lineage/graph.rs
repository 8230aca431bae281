//! Occurrences of relations as nodes, conditions as edges, and which of them hold for a changed row.
//!
//! A way may only use conditions that hold in every row of the view that the changed row can appear in.
//! Two things stand in between, both called guards here: the optional side of an outer join, whose
//! conditions hold only where it matched, and what is sealed (a sub-select in an expression, a total
//! without groups), whose conditions say nothing about the rows outside. The inside of a guard may be used where
//! it is known to be there: when the way starts inside, when the key is read inside (it is NULL where nothing
//! matched), or, for an outer join, when a condition that holds has ruled out the unmatched case.
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

/// A condition that holds in one of several cases, of which every row is in one at least.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Case {
    pub decision: usize,
    pub option: usize,
}

#[derive(Clone, Debug, Default)]
pub struct Edge {
    /// Every occurrence the condition reads. A condition on one occurrence leads nowhere, but may tell that
    /// it is there.
    pub nodes: BTreeSet<Node>,
    /// Those that cannot be all NULL where it is true.
    pub strict: BTreeSet<Node>,
    /// The guards it is inside of.
    pub guards: BTreeSet<Guard>,
    /// Preference: a plain equality is cheap to follow, a cross join dear.
    pub cost: u32,
    /// None: it holds in every case.
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

    /// `reads`: the nodes it is nothing without.
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

    /// The guards whose inside is there in every row that a change of `start` concerns and whose key, read from
    /// the nodes `key`, is not NULL: as far as the edges that `holds` lets through tell.
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

    /// Whether a condition is about the changed row of `start`, should that stand on the optional side of a
    /// join further in.
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
