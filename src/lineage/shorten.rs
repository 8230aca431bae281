//! A way may end early. If its last condition says that the key equals a value on the way, the key is read
//! there.

use std::collections::BTreeSet;

use super::effort::Effort;
use super::graph::Node;
use super::search::Path;
use super::unfold::Unfolded;
use crate::postgres::query_tree::Expr;

/// A way, and the key columns it leads to.
#[derive(Clone, Debug)]
pub struct Way {
    pub path: Path,
    pub outputs: Vec<Output>,
    /// Conditions that no step follows, and that leave fewer keys.
    pub narrowing: BTreeSet<usize>,
}

/// A key column by position, and its value over the occurrences of the path.
#[derive(Clone, Debug)]
pub struct Output {
    pub column: usize,
    pub value: Expr,
    /// Whether the value is read from another column that equals the key column, so that NULL is no key.
    pub equal: bool,
}

impl Way {
    /// Leaves out occurrences at the end that are only needed to read the key.
    pub fn shortest(
        flat: &Unfolded,
        path: Path,
        outputs: Vec<Output>,
        narrowing: BTreeSet<usize>,
        effort: &Effort,
    ) -> Way {
        let mut way = Way {
            path,
            outputs,
            narrowing,
        };
        while way.leave_one_out(flat, effort) {}
        way
    }

    fn leave_one_out(&mut self, flat: &Unfolded, effort: &Effort) -> bool {
        for at in (1..self.path.steps.len()).rev() {
            let step = self.path.steps[at];
            let Some(edge) = step.edge else { continue };
            if !effort.spend(self.path.steps.len()) {
                return false;
            }
            let mut others = self.path.steps.clone();
            others.remove(at);
            let edges = flat.graph.edges();
            let needed = others.iter().any(|other| {
                other
                    .edge
                    .is_some_and(|edge| edges[edge].nodes.contains(&step.node))
                    || flat.graph.read_by(other.node).contains(&step.node)
            }) || self
                .narrowing
                .iter()
                .any(|edge| edges[*edge].nodes.contains(&step.node));
            if needed {
                continue;
            }
            effort.spend(flat.graph.edges().len());
            let conditions: Vec<Expr> = beside(flat, &self.path, edge)
                .filter_map(|n| flat.conditions[n])
                .collect();
            let equal = |output: &Output| {
                if !output.value.ranges().contains(&step.node) {
                    return Some(output.clone());
                }
                let value = conditions
                    .iter()
                    .find_map(|condition| other_side(*condition, output.value, step.node))?;
                Some(Output {
                    column: output.column,
                    value,
                    equal: true,
                })
            };
            if let Some(outputs) = self.outputs.iter().map(equal).collect() {
                self.outputs = outputs;
                self.path.steps = others;
                return true;
            }
        }
        false
    }
}

/// A condition of a way, and those on the same occurrences under the same guards: a join on two columns is
/// followed by both.
pub fn beside<'a>(flat: &'a Unfolded, path: &'a Path, edge: usize) -> impl Iterator<Item = usize> + 'a {
    let edges = flat.graph.edges();
    let step = &edges[edge];
    let start = path.start();
    edges
        .iter()
        .enumerate()
        .filter(move |(index, other)| {
            *index == edge
                || other.nodes == step.nodes
                    && other.guards.is_subset(&step.guards)
                    && (other.case.is_none() || other.case == step.case)
                    && flat.graph.is_about(other, start, &BTreeSet::new())
        })
        .map(|(index, _)| index)
}

/// The expression that a condition says `value`, a column of `node`, equals.
fn other_side(condition: Expr, value: Expr, node: Node) -> Option<Expr> {
    let (left, right) = condition.as_key_equality()?;
    let other = if left.same_as(&value) {
        right
    } else if right.same_as(&value) {
        left
    } else {
        return None;
    };
    (!other.ranges().contains(&node)).then_some(other)
}
