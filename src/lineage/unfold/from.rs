//! FROM: tables, views, sub-selects, functions and CTEs become occurrences; outer joins become guards.

use std::collections::BTreeSet;

use super::scope::{Instance, Output, Scope};
use super::{Guards, Occurrence, Rows, Unfolder};
use crate::error::Problem;
use crate::lineage::graph::{Edge, GuardKind, Node};
use crate::lineage::tables_below::below;
use crate::postgres::query_tree::{Cte, Expr, From, JoinKind, Range};
use crate::postgres::{recursion, source_check};

/// Steps of effort for an item of FROM.
const STEPS_PER_RANGE: usize = 10;

impl Unfolder<'_> {
    /// An item of FROM. `conditions` collects each condition, the guards of its join, and those of a
    /// sub-select in it.
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
                for (side, side_guards) in [(left, left_guards), (right, right_guards)] {
                    let mut inner = Vec::new();
                    self.from(scope, side, &side_guards, &mut inner)?;
                    // Conditions of joins on a side hold where that side has a row.
                    for (_, on, optional) in inner.iter_mut() {
                        on.extend(side_guards.difference(guards).copied());
                        optional.extend(side_guards.difference(guards).copied());
                    }
                    conditions.append(&mut inner);
                }
                if let Some(on) = on {
                    conditions.push((*on, own.clone(), own));
                }
                Ok(())
            }
        }
    }

    /// A range table entry of FROM: notes in the scope what it has become.
    fn range(&mut self, scope: &Scope, index: usize, guards: &Guards) -> Result<(), Problem> {
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
                self.flat.watched.entry(oid).or_default();
                if scope.select.sampled(index) {
                    self.flat.unfollowed.push((label.clone(), oid, "TABLESAMPLE"));
                }
                let rows = Rows::Table { oid, with_children };
                Instance::Node(self.occurrence(label, rows, guards, BTreeSet::new()))
            }
            Range::Subquery(query) => {
                let outputs = self.level(query, Some(scope), guards, &label)?;
                self.outputs(outputs, guards)
            }
            Range::Functions(calls) => {
                self.read(scope, &calls, guards)?;
                let flat = calls.iter().map(|call| scope.flatten(*call, guards));
                match flat.collect::<Option<Vec<Expr>>>() {
                    Some(calls) => Instance::Node(self.functions(scope, index, label, calls, guards)),
                    None => Instance::Nothing,
                }
            }
            Range::Cte { name, levels_up, .. } => self.cte(scope, &name, levels_up, guards, &label)?,
            Range::Values(exprs) | Range::Other(exprs) => {
                self.read(scope, &exprs, guards)?;
                Instance::Nothing
            }
            Range::Join => return Ok(()),
        };
        scope.instances.borrow_mut().insert(index, instance);
        Ok(())
    }

    /// Notes the columns that expressions of FROM read, and unfolds their sub-selects.
    fn read(&mut self, scope: &Scope, exprs: &[Expr], guards: &Guards) -> Result<(), Problem> {
        for expr in exprs {
            self.watch(scope, *expr);
            self.links(scope, *expr, guards)?;
        }
        Ok(())
    }

    /// A CTE is unfolded where it is read, like a sub-select, under the query that has it.
    fn cte(
        &mut self,
        scope: &Scope,
        name: &str,
        levels_up: usize,
        guards: &Guards,
        label: &str,
    ) -> Result<Instance, Problem> {
        let Some(owner) = scope.up(levels_up) else {
            return Ok(Instance::Nothing);
        };
        let Some(cte) = owner.select.ctes().into_iter().find(|cte| cte.name == name) else {
            return Ok(Instance::Nothing);
        };
        if cte.recursive {
            self.recursive(owner, &cte, label)?;
            return Ok(Instance::Nothing);
        }
        let outputs = self.level(cte.query, Some(owner), guards, label)?;
        Ok(self.outputs(outputs, guards))
    }

    /// The output columns of a query level in FROM, which stands inside of `guards`.
    fn outputs(&self, exprs: Vec<Option<Expr>>, guards: &Guards) -> Instance {
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
    fn functions(
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

    /// Every table that a recursive query reads: a change may affect any row of its result.
    fn recursive(&mut self, owner: &Scope, cte: &Cte, label: &str) -> Result<(), Problem> {
        let mut around = Vec::new();
        let mut scope = Some(owner);
        while let Some(level) = scope {
            around.push(level.select);
            scope = level.parent;
        }
        // Columns of the queries around it that it may read.
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

    fn occurrence(&mut self, label: String, rows: Rows, guards: &Guards, reads: BTreeSet<Node>) -> Node {
        let obstacles = self.obstacles.clone();
        self.flat.occurrences.push(Occurrence {
            label,
            rows,
            obstacles,
        });
        self.flat.graph.node(guards.clone(), reads)
    }
}
