//! Items of FROM and the equalities that must hold for their rows.

use super::level::Level;
use super::lookup_order::{Fact, Item, Step};
use crate::postgres::query_tree::{Expr, From, JoinKind, Range, Select};
use crate::postgres::recursion;

impl Level<'_> {
    /// Items and join conditions of FROM.
    pub fn survey(
        &self,
        from: &From,
        path: &mut Vec<Step>,
        items: &mut Vec<Item>,
        facts: &mut Vec<(Fact, Expr)>,
    ) {
        recursion::step();
        match from {
            From::Item(index) => items.push(Item {
                index: *index,
                path: path.clone(),
                lateral: self.select.is_lateral(*index),
            }),
            From::Join {
                kind,
                left,
                right,
                on,
            } => {
                let first = items.len();
                for (from, right) in [(left, false), (right, true)] {
                    path.push(Step {
                        kind: *kind,
                        right,
                        join: first,
                    });
                    self.survey(from, path, items, facts);
                    path.pop();
                }
                let depth = path.len();
                let below: Vec<Item> = items[first..].to_vec();
                let restricts = |item: &Item| match kind {
                    JoinKind::Inner => true,
                    JoinKind::Left => item.path[depth].right,
                    JoinKind::Right => !item.path[depth].right,
                    JoinKind::Full => false,
                };
                self.add_facts(*on, &below, restricts, facts);
            }
        }
    }

    /// Adds the equalities of a condition. `restricts`: whether the condition must be true for rows of an
    /// item.
    pub fn add_facts(
        &self,
        condition: Option<Expr>,
        items: &[Item],
        restricts: impl Fn(&Item) -> bool,
        facts: &mut Vec<(Fact, Expr)>,
    ) {
        for conjunct in condition.into_iter().flat_map(|condition| condition.conjuncts()) {
            let survey = conjunct.survey();
            // Many rows may equal a constant.
            if survey.columns.iter().all(|column| column.levels_up == 0) && conjunct.ranges().len() < 2 {
                continue;
            }
            if conjunct.as_equality().is_none() || !survey.links.is_empty() || conjunct.is_volatile() {
                continue;
            }
            let expr = self.select.without_join_aliases(conjunct);
            let strict = expr.ranges_not_null();
            let fact = Fact {
                reads: expr.ranges(),
                restricts: items
                    .iter()
                    .filter(|item| strict.contains(&item.index) && restricts(item))
                    .map(|item| item.index)
                    .collect(),
            };
            facts.push((fact, expr));
        }
    }
}

/// Whether the planner computes an item of FROM as a whole before joining it.
pub fn is_computed_apart(select: Select, index: usize) -> bool {
    recursion::step();
    let Range::Subquery(query) = select.range(index) else {
        return false;
    };
    let is_apart = |inner| matches!(query.range(inner), Range::Cte { .. }) || is_computed_apart(query, inner);
    !query.is_plain() || select.is_barrier(index) || query.all_ranges().into_iter().any(is_apart)
}
