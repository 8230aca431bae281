//! Pushes a few keys down into the view, so that their rows are computed without the rest of the view.
//!
//! The planner of PostgreSQL pushes `key = value` down into joins, groups and branches. It does not push the
//! condition into a sub-select that groups, sorts or counts and that is *joined* by a column: such a
//! sub-select is computed as a whole, then joined. For a few keys, computing it once per joined row costs
//! less:
//!
//! ```sql
//! FROM tb_order o LEFT JOIN (SELECT fk_order, sum(price) .. GROUP BY fk_order) i ON i.fk_order = o.pk_order
//! -- becomes
//! FROM tb_order o LEFT JOIN LATERAL (SELECT * FROM (SELECT fk_order, ..) i WHERE i.fk_order = o.pk_order OFFSET 0) i ON ..
//! ```
//!
//! Then the planner pushes the condition further down. A CTE is treated like a sub-select, once per
//! reference. A window or DISTINCT ON that is looked up by other columns than its partition reads only the
//! partitions of these rows.
//!
//! The query is changed after PostgreSQL has expanded its views, including the rights that each part is read
//! with, and before it is planned. Its result stays the same. A query without such a sub-select stays
//! unchanged.

mod addable_types;
mod candidate;
mod counted_rows;
mod equalities;
mod level;
mod lookup_order;
mod membership;
mod running;
mod stored_group;
mod windows;

use std::cell::Cell;

use crate::postgres::query_tree::{Column, Expr, Leaf, Range, Select};
use equalities::is_computed_apart;
use level::{Level, MAXIMUM_LEVELS};
use lookup_order::{lookup_order, Fact, Item};
pub use stored_group::{Refused, Running};

/// The CTE of a recompute statement that computes the rows, see [`super::plan::sql`].
const COMPUTES_ROWS: &str = "fresh";

/// Changes the part of a recompute statement that reads the view. `statement` is about to be planned.
pub fn push_down(statement: Select) {
    push_down_with(statement, None);
}

/// The same, and levels whose aggregates run along read stored groups, or are looked for.
pub fn push_down_with(statement: Select, running: Option<&Running>) {
    statement.without_group_entries();
    let rows = statement.ctes().into_iter().find(|cte| cte.name == COMPUTES_ROWS);
    let select = rows.map_or(statement, |cte| cte.query);
    let left = Cell::new(MAXIMUM_LEVELS);
    Level::outermost(select, &left, running).push_down(Vec::new(), false);
}

impl Level<'_> {
    /// Pushes conditions down into this level and the levels inside of it.
    ///
    /// `known`: conditions on columns of this level and of the levels around it; true for all rows that are
    /// needed. `in_expression`: the level is a sub-select that the planner may join with the query around it.
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

        for item in &items {
            let by: &[usize] = reached
                .iter()
                .find(|(index, _)| *index == item.index)
                .map_or(&[], |(_, by)| by);
            self.push_into_item(item.index, by, &facts, physical, in_expression);
        }
        for link in select.all_links() {
            if !reached.is_empty() {
                self.look_up_membership(&link);
            }
            self.inside(link.query).push_down(Vec::new(), true);
        }
        self.run_along(&items, &facts, &reached);
    }

    /// Pushes the facts `by` which an item can be looked up into the item. The first `physical` facts are
    /// conditions of the query itself.
    fn push_into_item(
        &self,
        index: usize,
        by: &[usize],
        facts: &[(Fact, Expr)],
        physical: usize,
        in_expression: bool,
    ) {
        let outright: Vec<usize> = by
            .iter()
            .copied()
            .filter(|fact| facts[*fact].0.reads.len() == 1)
            .collect();
        let from_outside = in_expression && outright.iter().all(|fact| *fact < physical);
        let is_joined = (outright.is_empty() || from_outside) && !by.is_empty();
        if !is_joined || !is_computed_apart(self.select, index) {
            let known: Vec<Expr> = outright.iter().map(|fact| facts[*fact].1).collect();
            return self.push_into_range(index, &known);
        }
        let inside = |column: Column, expr: Expr| {
            Some(if column.range == index {
                expr.moved_to(1, column.attno)
            } else {
                expr.seen_from_inside()
            })
        };
        let conditions: Vec<Expr> = by
            .iter()
            .filter(|fact| **fact < physical)
            .filter_map(|fact| one_level_in(facts[*fact].1, inside))
            .collect();
        if !conditions.is_empty() {
            self.select.filter_range(index, &conditions);
        }
        self.push_into_range(index, &[]);
    }

    /// Pushes into a branch of a set operation. The planner pushes `known` down itself, except into EXCEPT.
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

    /// Pushes into a sub-select in FROM, or into a branch of a set operation. `known` reads its columns, and
    /// columns of levels around this one.
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
            // A set operation casts the values of its branches to one type, outside of their own queries.
            (output.column_type().0 == seen.column_type().0).then(|| output.copied())
        };
        let known = known
            .iter()
            .filter_map(|condition| one_level_in(*condition, output))
            .collect();
        self.inside(select).push_down(known, false);
    }

    /// Replaces references to CTEs by sub-selects.
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

/// A condition as written one level further in. `replace`: what the columns of its own level become.
fn one_level_in(condition: Expr, replace: impl Fn(Column, Expr) -> Option<Expr>) -> Option<Expr> {
    condition.substitute(|leaf, expr| match leaf {
        Leaf::Column(column) if column.levels_up > 0 => Some(expr.seen_from_inside()),
        Leaf::Column(column) => replace(column, expr),
        Leaf::SubSelectOutput(_) => None,
    })
}
