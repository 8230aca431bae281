//! The cheapest ways from a changed row to the occurrences that the key is computed from.
//!
//! Where no way covers all cases of a condition, each case has a way of its own. Cases are distinguished only
//! where that is needed.

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};

use super::effort::Effort;
use super::graph::{Edge, Graph, Guard, Node};
use super::tie::Tie;

/// The maximum number of searches for one occurrence. After that it counts as having no way.
const MAX_SEARCHES: usize = 500;

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

    /// The occurrence that has changed.
    pub fn start(&self) -> Node {
        self.steps[0].node
    }

    pub fn edges(&self) -> impl Iterator<Item = usize> + '_ {
        self.steps.iter().filter_map(|step| step.edge)
    }

    /// The occurrences that must be unchanged for the way to be found: all but its start.
    pub fn leans_on(&self) -> impl Iterator<Item = Node> + '_ {
        self.nodes().skip(1)
    }
}

/// The search for ways from an occurrence to the key.
pub struct Search<'g> {
    pub graph: &'g Graph,
    pub start: Node,
    /// The occurrences that the whole key is computed from.
    pub key: &'g BTreeSet<Node>,
    /// Those of them that are to be reached.
    pub wanted: &'g BTreeSet<Node>,
    /// What each condition ties rows by, if the ways by keys come first; empty: the shortest ways come first.
    pub ties: &'g [Tie],
    pub effort: &'g Effort,
}

/// Which case each decision is in, as far as decided.
type Decided = BTreeMap<usize, usize>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Undecided {
    /// Conditions of decisions not taken hold.
    Holds,
    HoldsNot,
}

impl Search<'_> {
    /// Ways that together cover every case.
    pub fn ways(&self) -> Option<Vec<Path>> {
        let mut left = MAX_SEARCHES;
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
        if !self.effort.spend(self.graph.edges().len()) {
            return None;
        }
        let known = self.known(decided, undecided);
        let mut front = Front::new(self.graph, self.ties, self.start, |edge| {
            Self::holds(edge, decided, undecided)
                && edge.guards.is_subset(&known)
                && self.graph.is_about(edge, self.start, self.key)
        });
        let mut wanted = self.wanted.clone();
        loop {
            while let Some(missing) = wanted.iter().find(|node| !front.has(**node)).copied() {
                if !self.effort.spend(1) {
                    return None;
                }
                let followed = front.follow(|node| self.graph.guards_of(node).is_subset(&known));
                let crosses = cross
                    && self.graph.read_by(missing).is_empty()
                    && self.key.iter().any(|node| front.has(*node));
                if !followed && !crosses {
                    return None;
                }
                if !followed {
                    let whole = Step {
                        node: missing,
                        edge: None,
                    };
                    front.reach(whole, 0);
                }
            }
            let path = self.trace(&wanted, &front.steps);
            // Functions in FROM need what they are called on.
            let on_path: BTreeSet<Node> = path.nodes().collect();
            let missing: Vec<Node> = path
                .nodes()
                .flat_map(|node| self.graph.read_by(node).iter().copied())
                .filter(|read| !on_path.contains(read))
                .collect();
            if missing.is_empty() {
                return Some(path);
            }
            wanted.extend(missing);
        }
    }

    /// Only what is needed, in the order reached.
    fn trace(&self, wanted: &BTreeSet<Node>, reached: &[Step]) -> Path {
        let mut needed = wanted.clone();
        needed.insert(self.start);
        for step in reached.iter().rev() {
            if let (Some(edge), true) = (step.edge, needed.contains(&step.node)) {
                needed.extend(self.graph.edges()[edge].nodes.iter().copied());
            }
        }
        let steps = reached
            .iter()
            .copied()
            .filter(|step| needed.contains(&step.node))
            .collect();
        Path { steps }
    }
}

/// What has been reached, and what can be reached next.
struct Front<'g> {
    graph: &'g Graph,
    ties: &'g [Tie],
    steps: Vec<Step>,
    costs: HashMap<Node, u64>,
    /// The usable conditions on each node, and how many nodes of each are not reached.
    of_node: HashMap<Node, Vec<usize>>,
    missing: HashMap<usize, usize>,
    /// Conditions with one node that is not reached: cost, this node, condition. The cheapest comes first.
    open: BinaryHeap<Reverse<(u64, Node, usize)>>,
}

impl<'g> Front<'g> {
    fn new(graph: &'g Graph, ties: &'g [Tie], start: Node, usable: impl Fn(&Edge) -> bool) -> Front<'g> {
        let mut front = Front {
            graph,
            ties,
            steps: Vec::new(),
            costs: HashMap::new(),
            of_node: HashMap::new(),
            missing: HashMap::new(),
            open: BinaryHeap::new(),
        };
        for (index, edge) in graph.edges().iter().enumerate() {
            // A condition on one node leads nowhere.
            if edge.nodes.len() > 1 && usable(edge) {
                front.missing.insert(index, edge.nodes.len());
                for node in &edge.nodes {
                    front.of_node.entry(*node).or_default().push(index);
                }
            }
        }
        front.reach(
            Step {
                node: start,
                edge: None,
            },
            0,
        );
        front
    }

    fn has(&self, node: Node) -> bool {
        self.costs.contains_key(&node)
    }

    fn reach(&mut self, step: Step, cost: u64) {
        self.steps.push(step);
        self.costs.insert(step.node, cost);
        for index in self.of_node.remove(&step.node).unwrap_or_default() {
            let Some(missing) = self.missing.get_mut(&index) else {
                continue;
            };
            *missing -= 1;
            if *missing != 1 {
                continue;
            }
            let edge = &self.graph.edges()[index];
            let reached = edge.nodes.iter().filter_map(|node| self.costs.get(node));
            let tie = self.ties.get(index).map_or(0, |tie| tie.closeness.cost());
            let cost = reached.max().copied().unwrap_or(0) + u64::from(edge.cost) + tie;
            let next = edge.nodes.iter().find(|node| !self.has(**node));
            self.open.extend(next.map(|node| Reverse((cost, *node, index))));
        }
    }

    /// Follows the cheapest condition to a node that may be reached; false if there is none.
    fn follow(&mut self, may_reach: impl Fn(Node) -> bool) -> bool {
        while let Some(Reverse((cost, node, index))) = self.open.pop() {
            if !self.has(node) && may_reach(node) {
                let edge = Some(index);
                self.reach(Step { node, edge }, cost);
                return true;
            }
        }
        false
    }
}
