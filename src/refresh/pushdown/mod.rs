//! Has the rows of a few keys computed without computing the rest of the view.
//!
//! PostgreSQL's planner takes `key = value` down into a view as far as it can see that the rest does not matter: into
//! joins, groups and branches. It stops where a sub-select that groups, sorts or counts is *joined* by a column: such a
//! sub-select is computed as a whole, then joined. For a few keys it is better computed once per row it is joined to:
//!
//! ```sql
//! FROM tb_order o LEFT JOIN (SELECT fk_order, sum(price) .. GROUP BY fk_order) i ON i.fk_order = o.pk_order
//! -- becomes
//! FROM tb_order o LEFT JOIN LATERAL (SELECT * FROM (SELECT fk_order, ..) i WHERE i.fk_order = o.pk_order OFFSET 0) i ON ..
//! ```
//!
//! and from there the planner takes the condition down again. A CTE is read like a sub-select, once per reference. A
//! window or DISTINCT ON that is wanted by other columns than its partition reads just the partitions of the wanted rows.
//!
//! The query is changed after PostgreSQL has expanded its views, with the rights each part is to be read with, and
//! just before it is planned. What it returns stays the same; where nothing here applies, it stays as it is.

mod equalities;
mod level;
mod lookup_order;
mod membership;
mod windows;

use std::cell::Cell;

use crate::postgres::query_tree::{Column, Expr, Leaf, Range, Select};
use equalities::is_computed_apart;
use level::{Level, MOST_LEVELS};
use lookup_order::{lookup_order, Fact, Item};

/// The CTE of a recompute statement that computes the rows, see [`super::plan::sql`].
const COMPUTES_ROWS: &str = "fresh";

/// Narrows the part of a recompute statement that reads the view; `statement` is about to be planned.
pub fn push_down(statement: Select) {
    let rows = statement.ctes().into_iter().find(|cte| cte.name == COMPUTES_ROWS);
    let select = rows.map_or(statement, |cte| cte.query);
    let left = Cell::new(MOST_LEVELS);
    Level::outermost(select, &left).push_down(Vec::new(), false);
}

impl Level<'_> {
    /// `known`: conditions in terms of this level's columns and of the levels around, true for every row that is wanted.
    /// `in_expression`: a sub-select that the planner may turn into a join with the query around it.
    fn push_down(&self, known: Vec<Expr>, in_expression: bool) {
        if !self.takes_one() {
            return;
        }
        self.inline_ctes();
        let select = self.select;
        for branch in select.branches() {
            self.push_into_branch(branch, &known);
        }
        let (known, partner) = self.past_windows(known);
        let mut items = Vec::new();
        let mut facts: Vec<(Fact, Expr)> = Vec::new();
        for item in select.from() {
            self.survey(&item, &mut Vec::new(), &mut items, &mut facts);
        }
        let everywhere = |_: &Item| true;
        self.add_facts(select.condition(), &items, everywhere, &mut facts);
        let physical = facts.len();
        for condition in known {
            self.add_facts(Some(condition), &items, everywhere, &mut facts);
        }
        let bare: Vec<&Fact> = facts.iter().map(|(fact, _)| fact).collect();
        let reached = lookup_order(&items, &bare, partner);

        for index in items.iter().map(|item| item.index) {
            let by: &[usize] = reached
                .iter()
                .find(|(item, _)| *item == index)
                .map_or(&[], |(_, by)| by);
            let outright: Vec<usize> = by
                .iter()
                .copied()
                .filter(|fact| facts[*fact].0.reads.len() == 1)
                .collect();
            let from_outside = in_expression && outright.iter().all(|fact| *fact < physical);
            if (outright.is_empty() || from_outside) && !by.is_empty() && is_computed_apart(select, index) {
                let conditions: Vec<Expr> = by
                    .iter()
                    .filter(|fact| **fact < physical)
                    .filter_map(|fact| {
                        one_level_in(facts[*fact].1, |column, expr| {
                            Some(match column.range == index {
                                true => expr.moved_to(1, column.attno),
                                false => expr.seen_from_inside(),
                            })
                        })
                    })
                    .collect();
                if !conditions.is_empty() {
                    select.filter_range(index, &conditions);
                }
                self.push_into_range(index, &[]);
            } else {
                let known: Vec<Expr> = outright.iter().map(|fact| facts[*fact].1).collect();
                self.push_into_range(index, &known);
            }
        }
        for link in select.all_links() {
            if !reached.is_empty() {
                self.look_up_membership(&link);
            }
            self.inside(link.query).push_down(Vec::new(), true);
        }
    }

    /// A branch of a set operation. The planner takes `known` down into it, but not where rows are subtracted.
    fn push_into_branch(&self, index: usize, known: &[Expr]) {
        let select = self.select;
        let same_types = || {
            let Range::Subquery(branch) = select.range(index) else {
                return false;
            };
            branch.output_types() == select.output_types()
        };
        if known.is_empty() || !select.subtracts() || !same_types() {
            return self.push_into_range(index, known);
        }
        let own = |column: Column, expr: Expr| Some(expr.moved_to(1, column.attno));
        let conditions: Vec<Expr> = known
            .iter()
            .filter_map(|condition| one_level_in(*condition, own))
            .collect();
        select.filter_range(index, &conditions);
        self.push_into_range(index, &[]);
    }

    /// Narrows a sub-select in FROM, or a branch of a set operation. `known` reads its columns only, and levels around.
    fn push_into_range(&self, index: usize, known: &[Expr]) {
        let Range::Subquery(select) = self.select.range(index) else {
            return;
        };
        let outputs: Vec<Option<Expr>> = select
            .targets()
            .into_iter()
            .filter(|target| !target.hidden)
            .map(|target| {
                let inside = target.expr.survey();
                let computed = inside.aggregates || inside.windows || inside.sets || !inside.links.is_empty();
                (!computed).then_some(target.expr)
            })
            .collect();
        let output = |column: Column, seen: Expr| {
            let position = usize::try_from(column.attno).ok()?.checked_sub(1)?;
            let output = (*outputs.get(position)?)?;
            // A set operation turns the values of its branches into one type, out of sight of their own queries.
            (output.column_type().0 == seen.column_type().0).then(|| output.copied())
        };
        let known = known
            .iter()
            .filter_map(|condition| one_level_in(*condition, output))
            .collect();
        self.inside(select).push_down(known, false);
    }

    /// References to CTEs become sub-selects.
    fn inline_ctes(&self) {
        for index in self.select.all_ranges() {
            let Range::Cte { name, levels_up, .. } = self.select.range(index) else {
                continue;
            };
            let mut owner = Some(self);
            for _ in 0..levels_up {
                owner = owner.and_then(|level| level.parent);
            }
            let Some(owner) = owner.filter(|owner| !owner.computed_once) else {
                continue;
            };
            let cte = owner.select.ctes().into_iter().find(|cte| cte.name == name);
            if let Some(cte) = cte.filter(|_| self.takes_one()) {
                self.select.inline_cte(index, &cte, levels_up);
            }
        }
    }
}

/// A condition as it is written one level further in, with `replace` for the columns of its own level.
fn one_level_in(condition: Expr, replace: impl Fn(Column, Expr) -> Option<Expr>) -> Option<Expr> {
    condition.substitute(|leaf, expr| match leaf {
        Leaf::Column(column) if column.levels_up > 0 => Some(expr.seen_from_inside()),
        Leaf::Column(column) => replace(column, expr),
        Leaf::SubSelectOutput(_) => None,
    })
}
