//! FROM: tables, views, sub-selects, functions and CTEs become occurrences; outer joins become guards.

use std::collections::BTreeSet;

use super::scope::{Instance, Output, Scope};
use super::{Guards, Occurrence, Rows, Unfolder};
use crate::error::Problem;
use crate::lineage::graph::{Edge, GuardKind, Node};
use crate::lineage::tables_below::below;
use crate::postgres::query_tree::{Cte, Expr, From, JoinKind, Range};
use crate::postgres::recursion;
use crate::postgres::source_check;

/// What an item of FROM counts for.
const STEPS_PER_RANGE: usize = 10;

impl Unfolder<'_> {
    /// An item of FROM. `conditions` collects (condition, guards of its join, guards a sub-select in it is in).
    pub(super) fn from(
        &mut self,
        scope: &Scope,
        item: &From,
        guards: &Guards,
        conditions: &mut Vec<(Expr, Guards, Guards)>,
    ) -> Result<(), Problem> {
        recursion::step();
        match item {
            From::Item(index) => self.range(scope, *index, guards),
            From::Join {
                kind,
                left,
                right,
                on,
            } => {
                let mut left_guards = guards.clone();
                let mut right_guards = guards.clone();
                let mut own = Guards::new();
                if matches!(kind, JoinKind::Right | JoinKind::Full) {
                    let optional = self.flat.graph.guard(GuardKind::Optional);
                    left_guards.insert(optional);
                    own.insert(optional);
                }
                if matches!(kind, JoinKind::Left | JoinKind::Full) {
                    let optional = self.flat.graph.guard(GuardKind::Optional);
                    right_guards.insert(optional);
                    own.insert(optional);
                }
                // Conditions of joins further in hold where their own side is there.
                let mut inner = Vec::new();
                self.from(scope, left, &left_guards, &mut inner)?;
                for (_, on, optional) in inner.iter_mut() {
                    on.extend(left_guards.difference(guards).copied());
                    optional.extend(left_guards.difference(guards).copied());
                }
                conditions.append(&mut inner);
                self.from(scope, right, &right_guards, &mut inner)?;
                for (_, on, optional) in inner.iter_mut() {
                    on.extend(right_guards.difference(guards).copied());
                    optional.extend(right_guards.difference(guards).copied());
                }
                conditions.append(&mut inner);
                if let Some(on) = on {
                    conditions.push((*on, own.clone(), own));
                }
                Ok(())
            }
        }
    }

    pub(super) fn range(&mut self, scope: &Scope, index: usize, guards: &Guards) -> Result<(), Problem> {
        if !self.effort.spend(STEPS_PER_RANGE) {
            return Ok(());
        }
        let label = scope.child_label(&scope.select.range_name(index));
        let instance = match scope.select.range(index) {
            Range::Table { oid, kind: 'v', .. } => {
                self.flat.views.insert(oid);
                let outputs = self.level(self.views.of(oid), None, guards, &label)?;
                self.outputs(outputs, guards)
            }
            Range::Table {
                oid,
                kind,
                with_children,
            } => {
                source_check::check_source(oid, kind, with_children)?;
                let sampled = scope.select.sampled(index);
                let rows = Rows::Table { oid, with_children };
                self.flat.watched.entry(oid).or_default();
                if sampled {
                    self.flat.unfollowed.push((label.clone(), oid, "TABLESAMPLE"));
                }
                Instance::Node(self.occurrence(label, rows, guards, BTreeSet::new()))
            }
            Range::Subquery(query) => {
                let outputs = self.level(query, Some(scope), guards, &label)?;
                self.outputs(outputs, guards)
            }
            Range::Functions(calls) => {
                for call in &calls {
                    self.watch(scope, *call);
                    self.links(scope, *call, guards)?;
                }
                match calls
                    .iter()
                    .map(|call| scope.flatten(*call, guards))
                    .collect::<Option<Vec<Expr>>>()
                {
                    Some(calls) => Instance::Node(self.functions(scope, index, label, calls, guards)),
                    None => Instance::Nothing,
                }
            }
            Range::Cte { name, levels_up, .. } => {
                let owner = scope.up(levels_up);
                let cte =
                    owner.and_then(|owner| owner.select.ctes().into_iter().find(|cte| cte.name == name));
                match (owner, cte) {
                    (Some(owner), Some(cte)) if !cte.recursive => {
                        let outputs = self.level(cte.query, Some(owner), guards, &label)?;
                        self.outputs(outputs, guards)
                    }
                    (Some(owner), Some(cte)) => {
                        self.recursive(owner, &cte, &label)?;
                        Instance::Nothing
                    }
                    _ => Instance::Nothing,
                }
            }
            Range::Values(exprs) | Range::Other(exprs) => {
                for expr in exprs {
                    self.watch(scope, expr);
                    self.links(scope, expr, guards)?;
                }
                Instance::Nothing
            }
            Range::Join => return Ok(()),
        };
        scope.instances.borrow_mut().insert(index, instance);
        Ok(())
    }

    pub(super) fn outputs(&self, exprs: Vec<Option<Expr>>, guards: &Guards) -> Instance {
        let output = |expr: Option<Expr>| Output {
            expr,
            null_without: expr
                .map(|expr| expr.is_not_null().ranges_not_null())
                .unwrap_or_default()
                .into_iter()
                .flat_map(|node| self.flat.graph.guards_of(node).iter().copied())
                .collect(),
        };
        Instance::Outputs(exprs.into_iter().map(output).collect(), guards.clone())
    }

    /// Functions in FROM: their rows are tied to the rows their arguments come from.
    pub(super) fn functions(
        &mut self,
        scope: &Scope,
        index: usize,
        label: String,
        calls: Vec<Expr>,
        guards: &Guards,
    ) -> Node {
        let reads: BTreeSet<Node> = calls.iter().flat_map(|call| call.ranges()).collect();
        // A function that is not strict has rows for a NULL argument too.
        let strict = match &calls[..] {
            [only] => only.is_not_null().ranges_not_null(),
            _ => BTreeSet::new(),
        };
        let rows = Rows::Functions {
            select: scope.select,
            index,
            calls,
        };
        let node = self.occurrence(label, rows, guards, reads.clone());
        if !reads.is_empty() {
            let mut nodes = reads;
            nodes.insert(node);
            self.flat.graph.edge(Edge {
                strict,
                nodes,
                guards: guards.clone(),
                cost: 3,
                case: None,
            });
            self.flat.conditions.push(None);
        }
        node
    }

    /// Every table below a recursive query: a change may reach any row of it.
    pub(super) fn recursive(&mut self, owner: &Scope, cte: &Cte, label: &str) -> Result<(), Problem> {
        let mut around = Vec::new();
        let mut scope = Some(owner);
        while let Some(level) = scope {
            around.push(level.select);
            scope = level.parent;
        }
        // What it reads of the queries around it.
        for select in &around[1..] {
            for index in select.all_ranges() {
                if let Range::Table { oid, kind, .. } = select.range(index) {
                    if kind != 'v' {
                        self.flat.watched.entry(oid).or_default().insert(0);
                    }
                }
            }
        }
        let below = below(cte.query, &around)?;
        self.flat.views.extend(below.views);
        for (name, oid) in below.tables {
            self.flat.watched.entry(oid).or_default().insert(0);
            self.flat
                .unfollowed
                .push((format!("{label}.{name}"), oid, "WITH RECURSIVE"));
        }
        Ok(())
    }

    pub(super) fn occurrence(
        &mut self,
        label: String,
        rows: Rows,
        guards: &Guards,
        reads: BTreeSet<Node>,
    ) -> Node {
        let obstacles = self.obstacles.clone();
        self.flat.occurrences.push(Occurrence {
            label,
            rows,
            obstacles,
        });
        self.flat.graph.node(guards.clone(), reads)
    }
}
