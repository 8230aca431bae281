//! `x IN (SELECT ..)` whose value is used, as in NOT IN.

use super::level::Level;
use crate::postgres::query_tree::{Expr, Leaf, LinkKind, SubLink};

impl Level<'_> {
    /// Adds the condition `c = x` to the sub-select of `x IN (SELECT c ..)` whose value is used. Without it
    /// the planner computes the whole sub-select and stores it in a hash table. Rows whose c is neither x nor
    /// NULL do not affect the value.
    pub fn look_up_membership(&self, link: &SubLink) {
        let conjuncts = self
            .select
            .condition()
            .map(|condition| condition.conjuncts())
            .unwrap_or_default();
        let is_join = conjuncts
            .iter()
            .filter_map(|c| c.as_link())
            .any(|join| join.query == link.query);
        let Some(test) = link
            .test
            .filter(|test| link.kind == LinkKind::Any && test.as_equality().is_some())
        else {
            return;
        };
        if is_join || !link.query.is_plain() || link.query.is_volatile() {
            return;
        }
        let never_null = test
            .as_equality()
            .is_some_and(|op| self.is_never_null(self.select.without_join_aliases(op.left)));
        let member = link
            .query
            .targets()
            .into_iter()
            .find(|target| !target.hidden)
            .map(|target| target.expr);
        let Some(member) = member.filter(|member| never_null && member.survey().links.is_empty()) else {
            return;
        };
        let equal = test.substitute(|leaf, expr| match leaf {
            Leaf::Column(_) => Some(expr.seen_from_inside()),
            Leaf::SubSelectOutput(_) => Some(member.copied()),
        });
        let inside = self.inside(link.query);
        if let Some(equal) = equal {
            link.query.add_condition(if inside.is_never_null(member) {
                equal
            } else {
                Expr::any_of(&[equal, member.copied().is_null()])
            });
        }
    }
}
