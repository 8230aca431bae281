//! Which rows of the tables of a candidate count.

use super::candidate::Candidate;
use super::lookup_order::Step;
use crate::postgres::query_tree::{Expr, From, JoinKind};
use crate::postgres::recursion;

impl Candidate<'_> {
    /// The joins that the table is NULL without a partner in. Of several tables none is.
    pub fn nulling_depth(&self) -> Option<usize> {
        let nulls = |step: &Step| match step.kind {
            JoinKind::Left => step.right,
            JoinKind::Right => !step.right,
            JoinKind::Inner | JoinKind::Full => false,
        };
        self.items[0].path.iter().rposition(nulls)
    }

    /// The conditions on these tables alone that decide which of their rows count.
    pub fn conditions(&self) -> Vec<Expr> {
        let nulling = self.nulling_depth();
        let mut conditions = Vec::new();
        if nulling.is_none() {
            conditions.extend(self.flat.condition());
        }
        for item in self.flat.from() {
            if self.items.len() > 1 {
                all_conditions(&item, &mut conditions);
            } else {
                self.conditions_below(&item, 0, nulling, &mut conditions);
            }
        }
        let parts = conditions.iter().flat_map(|condition| condition.conjuncts());
        parts.filter(|part| self.is_of_table(*part)).collect()
    }

    fn conditions_below(&self, from: &From, depth: usize, nulling: Option<usize>, into: &mut Vec<Expr>) {
        recursion::step();
        let From::Join { left, right, on, .. } = from else {
            return;
        };
        let Some(step) = self.items[0].path.get(depth) else {
            return;
        };
        if !from.contains(self.items[0].index) {
            return;
        }
        let restricts = match step.kind {
            JoinKind::Inner => true,
            JoinKind::Left => step.right,
            JoinKind::Right => !step.right,
            JoinKind::Full => false,
        };
        if restricts && nulling.is_none_or(|nulling| depth >= nulling) {
            into.extend(on);
        }
        let below = if step.right { right } else { left };
        self.conditions_below(below, depth + 1, nulling, into);
    }
}

/// The conditions of inner joins.
fn all_conditions(from: &From, into: &mut Vec<Expr>) {
    recursion::step();
    if let From::Join { left, right, on, .. } = from {
        into.extend(on);
        all_conditions(left, into);
        all_conditions(right, into);
    }
}
