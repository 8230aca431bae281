//! The cheapest ways from a changed row to what the key is made of.
//!
//! Where a way exists only in each of several cases, each case has a way of its own. Cases are told
//! apart only where that is needed.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use super::graph::{Edge, Graph, Guard, Node};

/// More searches than this for one occurrence are not made: it counts as having no way.
const MOST_SEARCHES: usize = 500;

/// A way: the occurrences in the order they are reached, the start first, each by the condition followed.
/// An occurrence without a condition is taken as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    pub steps: Vec<Step>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    pub node: Node,
    pub edge: Option<usize>,
}

impl Path {
    pub fn nodes(&self) -> impl Iterator<Item = Node> + '_ {
        self.steps.iter().map(|step| step.node)
    }

    pub fn edges(&self) -> impl Iterator<Item = usize> + '_ {
        self.steps.iter().filter_map(|step| step.edge)
    }

    /// What must not have changed for the way to be found: everything but its start.
    pub fn leans_on(&self) -> impl Iterator<Item = Node> + '_ {
        self.nodes().skip(1)
    }
}

/// What is looked for.
pub struct Search<'g> {
    pub graph: &'g Graph,
    pub start: Node,
    /// Everything the whole key is made of.
    pub key: &'g BTreeSet<Node>,
    /// The part of it to be reached.
    pub wanted: &'g BTreeSet<Node>,
}

/// Which case each decision is in, as far as decided.
type Decided = BTreeMap<usize, usize>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Undecided {
    /// Conditions of decisions not taken hold.
    Holds,
    HoldsNot,
}

struct Reached {
    step: Step,
    cost: u32,
}

impl Search<'_> {
    /// Ways that together cover every case.
    pub fn ways(&self) -> Option<Vec<Path>> {
        let mut left = MOST_SEARCHES;
        self.covering(&mut Decided::new(), false, &mut left).or_else(|| {
            let whole_key = self.wanted == self.key;
            whole_key.then(|| self.covering(&mut Decided::new(), true, &mut left))?
        })
    }

    fn covering(&self, decided: &mut Decided, cross: bool, left: &mut usize) -> Option<Vec<Path>> {
        if let Some(path) = self.path(decided, Undecided::HoldsNot, cross) {
            return Some(vec![path]);
        }
        *left = left.checked_sub(1)?;
        let hope = self.path(decided, Undecided::Holds, cross)?;
        let decision = self.next_decision(&hope, decided)?;
        let mut paths = Vec::new();
        for option in 0..self.graph.options(decision) {
            decided.insert(decision, option);
            let of_case = self.covering(decided, cross, left);
            decided.remove(&decision);
            paths.extend(of_case?);
        }
        Some(paths)
    }

    /// A decision that a hoped-for way depends on.
    fn next_decision(&self, hope: &Path, decided: &Decided) -> Option<usize> {
        let edges = self.graph.edges();
        let open = |edge: &Edge| {
            let decision = edge.case?.decision;
            (!decided.contains_key(&decision)).then_some(decision)
        };
        let known = self.known(decided, Undecided::Holds);
        hope.edges().find_map(|index| open(&edges[index])).or_else(|| {
            let usable = edges.iter().filter(|edge| edge.guards.is_subset(&known));
            usable.filter_map(open).next()
        })
    }

    fn holds(edge: &Edge, decided: &Decided, undecided: Undecided) -> bool {
        let Some(case) = edge.case else { return true };
        match decided.get(&case.decision) {
            Some(option) => *option == case.option,
            None => undecided == Undecided::Holds,
        }
    }

    fn known(&self, decided: &Decided, undecided: Undecided) -> BTreeSet<Guard> {
        self.graph
            .known(self.start, self.key, |edge| Self::holds(edge, decided, undecided))
    }

    /// The cheapest way. `cross`: a part of the key that no condition leads to is taken as a whole, where
    /// conditions lead to another part.
    fn path(&self, decided: &Decided, undecided: Undecided, cross: bool) -> Option<Path> {
        let known = self.known(decided, undecided);
        let usable: Vec<(usize, &Edge)> = self
            .graph
            .edges()
            .iter()
            .enumerate()
            .filter(|(_, edge)| {
                Self::holds(edge, decided, undecided)
                    && edge.guards.is_subset(&known)
                    && self.graph.is_about(edge, self.start, self.key)
            })
            .collect();
        let mut wanted = self.wanted.clone();
        let start = Step {
            node: self.start,
            edge: None,
        };
        let mut reached = vec![Reached { step: start, cost: 0 }];
        loop {
            while let Some(missing) = wanted.iter().find(|node| !is_reached(&reached, **node)) {
                let next = usable
                    .iter()
                    .filter_map(|(index, edge)| self.follow(*index, edge, &reached, &known))
                    .min_by_key(|next| (next.cost, next.step.node));
                let crossing = || {
                    let apart = cross
                        && self.graph.read_by(*missing).is_empty()
                        && self.key.iter().any(|node| is_reached(&reached, *node));
                    apart.then_some(Reached {
                        step: Step {
                            node: *missing,
                            edge: None,
                        },
                        cost: 0,
                    })
                };
                let next = next.or_else(crossing)?;
                reached.push(next);
            }
            let path = self.trace(&wanted, &reached);
            // Functions in FROM need what they are called on.
            let missing: Vec<Node> = path
                .nodes()
                .flat_map(|node| self.graph.read_by(node).iter().copied())
                .filter(|read| !path.nodes().any(|node| node == *read))
                .collect();
            if missing.is_empty() {
                return Some(path);
            }
            wanted.extend(missing);
        }
    }

    /// What following `edge` reaches: the one node of it not reached yet.
    fn follow(
        &self,
        index: usize,
        edge: &Edge,
        reached: &[Reached],
        known: &BTreeSet<Guard>,
    ) -> Option<Reached> {
        let from: Vec<&Reached> = reached
            .iter()
            .filter(|r| edge.nodes.contains(&r.step.node))
            .collect();
        if from.is_empty() || from.len() + 1 != edge.nodes.len() {
            return None;
        }
        let node = *edge.nodes.iter().find(|node| !is_reached(reached, **node))?;
        if !self.graph.guards_of(node).is_subset(known) {
            return None;
        }
        Some(Reached {
            step: Step {
                node,
                edge: Some(index),
            },
            cost: from.iter().map(|r| r.cost).max().unwrap_or(0) + edge.cost,
        })
    }

    /// Only what is needed, in the order reached.
    fn trace(&self, wanted: &BTreeSet<Node>, reached: &[Reached]) -> Path {
        let mut needed = wanted.clone();
        needed.insert(self.start);
        for step in reached.iter().rev().map(|r| r.step) {
            if let (Some(edge), true) = (step.edge, needed.contains(&step.node)) {
                needed.extend(self.graph.edges()[edge].nodes.iter().copied());
            }
        }
        let steps = reached
            .iter()
            .map(|r| r.step)
            .filter(|step| needed.contains(&step.node))
            .collect();
        Path { steps }
    }
}

fn is_reached(reached: &[Reached], node: Node) -> bool {
    reached.iter().any(|r| r.step.node == node)
}
