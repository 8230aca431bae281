//! Conditions and sub-selects in expressions become edges; every column read is watched.

use std::collections::BTreeSet;

use super::scope::Scope;
use super::{Guards, Unfolder};
use crate::error::Problem;
use crate::lineage::graph::{Case, Edge, GuardKind, Node};
use crate::postgres::query_tree::{Distinct, Expr, Leaf, LinkKind, Range, SubLink};
use crate::postgres::recursion;

/// A condition with more alternatives than this is only followed as a whole.
const MAX_ALTERNATIVES: usize = 16;
/// Steps of effort for a condition.
const STEPS_PER_CONDITION: usize = 10;

/// The number of the system column `tableoid`.
const TABLE_OID: i16 = -6;

impl Unfolder<'_> {
    /// A condition that must be true for a row to be in the result of this level; in ON, for two rows to
    /// match. `on`: the guards of its join. `optional`: those of a sub-select in it.
    pub(super) fn condition(
        &mut self,
        scope: &Scope,
        conjunct: Expr,
        guards: &Guards,
        on: &Guards,
        optional: &Guards,
    ) -> Result<(), Problem> {
        self.watch(scope, conjunct);
        let within: Guards = guards.union(on).copied().collect();
        if let Some(flat) = scope.flatten(conjunct, &within) {
            let cost = match flat.as_operator() {
                Some(op) if op.left.as_column().is_some() && op.right.as_column().is_some() => 1,
                Some(_) => 3,
                None => 5,
            };
            self.edge(flat, guards, on, cost, None);
            self.alternatives(flat, guards, on, cost);
            return Ok(());
        }
        let link_guards: Guards = guards.union(optional).copied().collect();
        match conjunct.as_link() {
            Some(link) => {
                if let Some(test) = link.test {
                    self.links(scope, test, &link_guards)?;
                }
                let passable = optional.is_empty() && self.is_witness(&link);
                self.link(scope, &link, &link_guards, true, passable)
            }
            None => self.links(scope, conjunct, &link_guards),
        }
    }

    /// Sub-selects anywhere inside an expression.
    pub(super) fn links(&mut self, scope: &Scope, expr: Expr, guards: &Guards) -> Result<(), Problem> {
        for link in expr.survey().links {
            self.link(scope, &link, guards, false, false)?;
        }
        Ok(())
    }

    /// A sub-select in an expression. Its own conditions join its rows to the rows outside, whatever its
    /// value is used for. `required`: the comparison must be true for a row to be in the result. `passable`:
    /// there must then be a row inside, so that the conditions inside hold like those of a join.
    fn link(
        &mut self,
        scope: &Scope,
        link: &SubLink,
        guards: &Guards,
        required: bool,
        passable: bool,
    ) -> Result<(), Problem> {
        let mut inside = guards.clone();
        if !passable {
            inside.insert(self.flat.graph.guard(GuardKind::Sealed));
        }
        let label = scope.child_label("sub-select");
        let outputs = self.level(link.query, Some(scope), &inside, &label)?;
        let Some(test) = link.test else { return Ok(()) };
        self.watch(scope, test);
        let flat = test.substitute(|leaf, expr| match leaf {
            Leaf::Column(column) => scope.resolve(column, expr, guards),
            Leaf::SubSelectOutput(n) => outputs.get(n).copied().flatten(),
        });
        let Some(flat) = flat.filter(|flat| !flat.is_volatile() && !flat.hides_operators()) else {
            return Ok(());
        };
        match link.kind {
            LinkKind::Any if required => self.edge(flat, &inside, &Guards::new(), 1, None),
            LinkKind::Any => self.membership(flat, &inside),
            LinkKind::All => self.edge(flat.is_not_true(), &inside, &Guards::new(), 8, None),
            _ => {}
        }
        Ok(())
    }

    /// Whether a sub-select that has a row has it from rows of its FROM by its conditions alone.
    fn is_witness(&self, link: &SubLink) -> bool {
        let select = link.query;
        matches!(link.kind, LinkKind::Exists | LinkKind::Any)
            && !matches!(select.distinct(), Distinct::On(_))
            && select.branches().is_empty()
            && select.partitions().is_empty()
            && select.limits().is_empty()
            && !(select.aggregates()
                || select.having().is_some()
                || select.groups()
                || select.grouping_sets())
    }

    /// A condition on COALESCE, CASE and the like over several occurrences, such as a second FULL JOIN USING.
    /// Which of the values is used is a decision.
    fn alternatives(&mut self, condition: Expr, guards: &Guards, on: &Guards, cost: u32) {
        if condition.ranges().len() < 3 {
            return;
        }
        let alternatives = condition.alternatives(MAX_ALTERNATIVES).unwrap_or_default();
        if alternatives.len() > 1 {
            let decision = self.flat.graph.decision(alternatives.len());
            for (option, alternative) in alternatives.into_iter().enumerate() {
                self.edge(alternative, guards, on, cost, Some(Case { decision, option }));
            }
        }
    }

    /// `outside = ANY (inside)` whose value is used: an inner row matters where the comparison is true, and
    /// where it is NULL.
    pub(super) fn membership(&mut self, test: Expr, guards: &Guards) {
        let none = Guards::new();
        let Some(op) = test.as_operator().filter(|op| op.strict) else {
            self.edge(test.is_not_false(), guards, &none, 8, None);
            return;
        };
        let sides = [op.left, op.right];
        let nullable: Vec<Expr> = sides.into_iter().filter(|side| self.may_be_null(*side)).collect();
        let decision = self.flat.graph.decision(nullable.len() + 1);
        let case = |option| Some(Case { decision, option });
        self.edge(test, guards, &none, 1, case(0));
        for (number, side) in nullable.into_iter().enumerate() {
            self.edge_between(side.is_null(), test.ranges(), guards, &none, 8, case(number + 1));
        }
    }

    pub(super) fn edge(
        &mut self,
        condition: Expr,
        guards: &Guards,
        on: &Guards,
        cost: u32,
        case: Option<Case>,
    ) {
        self.edge_between(condition, condition.ranges(), guards, on, cost, case);
    }

    fn edge_between(
        &mut self,
        condition: Expr,
        nodes: BTreeSet<Node>,
        guards: &Guards,
        on: &Guards,
        cost: u32,
        case: Option<Case>,
    ) {
        if nodes.is_empty() || !self.effort.spend(STEPS_PER_CONDITION) {
            return;
        }
        let strict = condition.ranges_not_null();
        let guards = guards.union(on).copied().collect();
        self.flat.graph.edge(Edge {
            nodes,
            strict,
            guards,
            cost,
            case,
        });
        self.flat.conditions.push(Some(condition));
    }

    /// Notes every table column that an expression reads.
    pub(super) fn watch(&mut self, scope: &Scope, expr: Expr) {
        recursion::step();
        for column in expr.survey().columns {
            let Some(owner) = scope.up(column.levels_up) else {
                continue;
            };
            match owner.select.range(column.range) {
                Range::Table { oid, kind, .. } if kind != 'v' => {
                    // tableoid changes with the row only; other system columns change with every update.
                    let watched = match column.attno {
                        TABLE_OID => 0,
                        attno => attno,
                    };
                    self.flat.watched.entry(oid).or_default().insert(watched);
                }
                Range::Join if self.effort.spend(1) => {
                    let columns = match column.position() {
                        Some(position) => Vec::from_iter(owner.select.join_column(column.range, position)),
                        None => owner.select.join_columns(column.range),
                    };
                    columns.into_iter().for_each(|inner| self.watch(owner, inner));
                }
                _ => {}
            }
        }
    }
}
