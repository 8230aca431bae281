//! A view's query, views inside views expanded, laid flat: every occurrence of a relation becomes a node,
//! every condition an edge between the occurrences it reads, every output column an expression over them.
//!
//! Where a query level hides which row an output value came from (an aggregate, LIMIT), the output is
//! absent, so that no condition on it can be followed. A level with windows or DISTINCT ON stands twice: once
//! for the rows that influence a partition (sealed), once for the rows of the partition that come out; the
//! partition's values tie the two together.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use pgrx::pg_sys::Oid;
use pgrx::PgSqlErrorCode;

use super::below::below;
use super::choices::Choices;
use super::graph::{Edge, Graph, Guard, GuardKind, Node};
use crate::error::Problem;
use crate::postgres::query_tree::{
    Column, Cte, Distinct, Expr, From, JoinKind, Leaf, LinkKind, Range, Select, SubLink,
};
use crate::postgres::relation;

/// One occurrence of something that has rows.
pub struct Occurrence {
    /// How the query calls it, with the views and sub-selects around it: `v_post.p`.
    pub label: String,
    pub rows: Rows,
    /// What around it keeps a change from being followed, should no way be found.
    pub obstacles: Vec<&'static str>,
}

pub enum Rows {
    Table {
        oid: Oid,
        with_children: bool,
    },
    /// Functions in FROM, at a range table index of a query, reading these occurrences.
    Functions {
        select: Select,
        index: usize,
        calls: Vec<Expr>,
        reads: BTreeSet<Node>,
    },
}

/// A flat view in one combination of choices.
#[derive(Default)]
pub struct Unfolded {
    pub graph: Graph,
    pub occurrences: Vec<Occurrence>,
    /// The condition of each edge; None where the tie itself is the condition (a function's arguments).
    pub conditions: Vec<Option<Expr>>,
    /// Output columns by position; None where the value hides its row.
    pub outputs: Vec<Option<Expr>>,
    /// Columns read anywhere, by relation; attribute 0 stands for the whole row.
    pub watched: HashMap<Oid, BTreeSet<i16>>,
    /// Views the query goes through.
    pub views: HashSet<Oid>,
    /// Sources whose changes cannot be followed whatever the conditions, with the reason.
    pub unfollowed: Vec<(String, Oid, &'static str)>,
}

type Guards = BTreeSet<Guard>;

enum Instance {
    Node(Node),
    Outputs(Vec<Output>, Guards),
    Nothing,
}

/// An output column of a sub-select or view in FROM.
struct Output {
    expr: Option<Expr>,
    /// Optional sides of joins whose absence makes it NULL. Above any other such join the column is NULL where
    /// nothing matched, but its expression (a constant, COALESCE) is not.
    null_without: Guards,
}

struct Scope<'p> {
    select: Select,
    parent: Option<&'p Scope<'p>>,
    label: String,
    instances: RefCell<BTreeMap<usize, Instance>>,
}

impl<'p> Scope<'p> {
    fn new(select: Select, parent: Option<&'p Scope<'p>>, label: &str) -> Scope<'p> {
        Scope {
            select,
            parent,
            label: label.to_string(),
            instances: RefCell::default(),
        }
    }

    fn up(&self, levels: usize) -> Option<&Scope<'p>> {
        let mut scope: &Scope = self;
        for _ in 0..levels {
            scope = scope.parent?;
        }
        Some(scope)
    }

    /// The expression over occurrences that a column stands for, where it is read inside of `within`.
    fn resolve(&self, column: Column, expr: Expr, within: &Guards) -> Option<Expr> {
        let scope = self.up(column.levels_up)?;
        let position = usize::try_from(column.attno).ok().and_then(|n| n.checked_sub(1));
        if let Range::Join { columns } = scope.select.range(column.range) {
            let inner = (*columns.get(position?)?)?;
            return scope.flatten(inner, within);
        }
        match scope.instances.borrow().get(&column.range)? {
            Instance::Node(_) if column.attno == 0 => None,
            Instance::Node(node) => Some(expr.moved_to(*node, column.attno)),
            Instance::Outputs(outputs, guards) => {
                let output = outputs.get(position?)?;
                let as_written = guards.difference(within).all(|g| output.null_without.contains(g));
                output.expr.filter(|_| as_written)
            }
            Instance::Nothing => None,
        }
    }

    fn flatten(&self, expr: Expr, within: &Guards) -> Option<Expr> {
        expr.substitute(|leaf, expr| match leaf {
            Leaf::Column(column) => self.resolve(column, expr, within),
            Leaf::SubSelectOutput(_) => None,
        })
        .filter(|flat| !flat.is_volatile())
    }

    fn child_label(&self, name: &str) -> String {
        if self.label.is_empty() {
            name.to_string()
        } else {
            format!("{}.{name}", self.label)
        }
    }
}

/// Unfolds a query in the combination that `choices` stands at.
pub fn unfold(query: Select, choices: &mut Choices) -> Result<Unfolded, Problem> {
    let mut unfolder = Unfolder {
        flat: Unfolded::default(),
        choices,
        obstacles: Vec::new(),
    };
    let outputs = unfolder.level(query, None, &Guards::new(), "")?;
    unfolder.flat.outputs = outputs;
    Ok(unfolder.flat)
}

struct Unfolder<'c> {
    flat: Unfolded,
    choices: &'c mut Choices,
    obstacles: Vec<&'static str>,
}

impl Unfolder<'_> {
    /// One query level; returns its visible outputs.
    fn level(
        &mut self,
        select: Select,
        parent: Option<&Scope>,
        guards: &Guards,
        label: &str,
    ) -> Result<Vec<Option<Expr>>, Problem> {
        if select.locks_rows() {
            return Err(Problem::new(
                PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
                "the query of a TVIEW cannot lock rows",
            )
            .detail("A refresh must not make writers wait.")
            .hint("Leave FOR UPDATE, FOR SHARE and the like out of the query."));
        }
        let branches = select.branches();
        if !branches.is_empty() {
            return self.branch(select, parent, guards, label, &branches);
        }
        let windows = select.partitions();
        let first_of = match select.distinct() {
            Distinct::On(_) => Some(select.distinct_on()),
            _ => None,
        };
        if windows.is_empty() && first_of.is_none() {
            let scope = Scope::new(select, parent, label);
            return self.plain(&scope, guards);
        }
        // DISTINCT ON comes after the windows: what moves a window's value may move the row that is kept.
        let mut steps = Vec::new();
        if !windows.is_empty() {
            steps.push(&windows[self.choices.take(windows.len())]);
        }
        steps.extend(first_of.as_ref());
        let unpartitioned = steps.iter().any(|partition| partition.is_empty());
        let mut levels = vec![guards.clone()];
        for _ in &steps {
            let mut inner = levels[levels.len() - 1].clone();
            inner.insert(self.flat.graph.guard(GuardKind::Sealed));
            levels.push(inner);
        }
        levels.reverse();
        let mut influencing: Option<Scope> = None;
        let mut outputs = Vec::new();
        for (step, guards) in levels.iter().enumerate() {
            let scope = Scope::new(select, parent, label);
            let obstacle = (unpartitioned && step < steps.len()).then_some("a window without PARTITION BY");
            outputs = self.obstructed(obstacle, |this| this.plain(&scope, guards))?;
            if let Some(influencing) = &influencing {
                self.tie_partition(influencing, &scope, steps[step - 1], &levels[step - 1]);
            }
            influencing = Some(scope);
        }
        Ok(outputs)
    }

    /// One branch of a set operation: the others are other combinations.
    fn branch(
        &mut self,
        select: Select,
        parent: Option<&Scope>,
        guards: &Guards,
        label: &str,
        branches: &[usize],
    ) -> Result<Vec<Option<Expr>>, Problem> {
        let scope = Scope::new(select, parent, label);
        let chosen = self.choices.take(branches.len());
        let Range::Subquery(branch) = select.range(branches[chosen]) else {
            return Ok(Vec::new());
        };
        let label = scope.child_label(&format!("branch {}", chosen + 1));
        let limited = !select.limits().is_empty();
        let outputs = self.obstructed(limited.then_some("LIMIT or OFFSET"), |this| {
            for limit in select.limits() {
                this.links(&scope, limit, guards)?;
            }
            this.level(branch, Some(&scope), guards, &label)
        })?;
        Ok(if limited { constants_only(outputs) } else { outputs })
    }

    /// The rows of a partition belong together: equal values, or NULL in the same places.
    fn tie_partition(
        &mut self,
        influencing: &Scope,
        outgoing: &Scope,
        partition: &[(Expr, Oid)],
        guards: &Guards,
    ) {
        let mut pairs = Vec::new();
        for (expr, equality) in partition {
            let (Some(a), Some(b)) = (
                influencing.flatten(*expr, guards),
                outgoing.flatten(*expr, guards),
            ) else {
                return;
            };
            pairs.push((a, b, *equality));
        }
        let nullable: Vec<bool> = pairs.iter().map(|(a, _, _)| self.may_be_null(*a)).collect();
        let with_nulls = nullable.contains(&true) && self.choices.take(2) == 1;
        if !with_nulls {
            for (a, b, equality) in pairs {
                self.edge(Expr::operator(equality, a, b), guards, &Guards::new(), 1);
            }
            return;
        }
        let mut parts = Vec::new();
        let mut one_is_null = Vec::new();
        for ((a, b, equality), nullable) in pairs.into_iter().zip(nullable) {
            let equal = Expr::operator(equality, a, b);
            if nullable {
                let both_null = Expr::all_of(&[a.is_null(), b.is_null()]);
                parts.push(Expr::any_of(&[equal, both_null]));
                one_is_null.push(a.is_null());
            } else {
                parts.push(equal);
            }
        }
        if !one_is_null.is_empty() {
            parts.push(Expr::any_of(&one_is_null));
        }
        if !parts.is_empty() {
            self.edge(Expr::all_of(&parts), guards, &Guards::new(), 8);
        }
    }

    fn may_be_null(&self, expr: Expr) -> bool {
        let Some(column) = expr.as_column() else {
            return true;
        };
        match self.flat.occurrences.get(column.range).map(|o| &o.rows) {
            Some(Rows::Table { oid, .. }) => {
                self.flat.graph.is_optional(column.range) || !relation::column_not_null(*oid, column.attno)
            }
            _ => true,
        }
    }

    /// A level without set operations, windows or DISTINCT ON (or one side of such a level).
    fn plain(&mut self, scope: &Scope, guards: &Guards) -> Result<Vec<Option<Expr>>, Problem> {
        let select = scope.select;
        let mut guards = guards.clone();
        let total = (select.aggregates() || select.having().is_some()) && !select.groups();
        // Such a level has a row to show where none went in.
        if (total || select.grouping_sets()) && scope.parent.is_some() {
            guards.insert(self.flat.graph.guard(GuardKind::Sealed));
        }
        let limited = !select.limits().is_empty();
        let obstacle = if limited {
            Some("LIMIT or OFFSET")
        } else if select.grouping_sets() {
            Some("GROUPING SETS, CUBE or ROLLUP")
        } else if total {
            Some("an aggregate without GROUP BY")
        } else {
            None
        };
        self.obstructed(obstacle, |this| {
            let mut conditions = Vec::new();
            for item in select.from() {
                this.from(scope, &item, &guards, &mut conditions)?;
            }
            if let Some(condition) = select.condition() {
                conditions.push((condition, Guards::new(), Guards::new()));
            }
            for (condition, on, optional) in conditions {
                for conjunct in condition.conjuncts() {
                    this.condition(scope, conjunct, &guards, &on, &optional)?;
                }
            }
            for expr in select
                .targets()
                .iter()
                .map(|target| target.expr)
                .chain(select.having())
                .chain(select.limits())
                .chain(select.frame_offsets())
            {
                this.watch(scope, expr);
                this.links(scope, expr, &guards)?;
            }
            Ok::<(), Problem>(())
        })?;
        let outputs = select
            .targets()
            .iter()
            .filter(|target| !target.hidden)
            .map(|target| {
                if target.expr.survey().sets {
                    None
                } else {
                    scope.flatten(target.expr, &guards)
                }
            })
            .collect();
        let hides = limited || select.grouping_sets();
        Ok(if hides { constants_only(outputs) } else { outputs })
    }

    /// An item of FROM. `conditions` collects (condition, guards of its join, guards a sub-select in it is in).
    fn from(
        &mut self,
        scope: &Scope,
        item: &From,
        guards: &Guards,
        conditions: &mut Vec<(Expr, Guards, Guards)>,
    ) -> Result<(), Problem> {
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

    fn range(&mut self, scope: &Scope, index: usize, guards: &Guards) -> Result<(), Problem> {
        let label = scope.child_label(&scope.select.range_name(index));
        let instance = match scope.select.range(index) {
            Range::Table { oid, kind: 'v', .. } => {
                self.flat.views.insert(oid);
                let outputs = self.level(Select::of_view(oid), None, guards, &label)?;
                self.outputs(outputs, guards)
            }
            Range::Table {
                oid,
                kind,
                with_children,
            } => {
                relation::check_source(oid, kind, with_children)?;
                let sampled = scope.select.sampled(index);
                let rows = Rows::Table { oid, with_children };
                self.flat.watched.entry(oid).or_default();
                if sampled {
                    self.flat.unfollowed.push((label.clone(), oid, "TABLESAMPLE"));
                }
                Instance::Node(self.occurrence(label, rows, guards))
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
            Range::Join { .. } => return Ok(()),
        };
        scope.instances.borrow_mut().insert(index, instance);
        Ok(())
    }

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
            reads: reads.clone(),
        };
        let node = self.occurrence(label, rows, guards);
        if !reads.is_empty() {
            let mut nodes = reads;
            nodes.insert(node);
            self.flat.graph.edge(Edge {
                strict,
                nodes,
                guards: guards.clone(),
                cost: 3,
            });
            self.flat.conditions.push(None);
        }
        node
    }

    /// Every table below a recursive query: a change may reach any row of it.
    fn recursive(&mut self, owner: &Scope, cte: &Cte, label: &str) -> Result<(), Problem> {
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

    fn occurrence(&mut self, label: String, rows: Rows, guards: &Guards) -> Node {
        let obstacles = self.obstacles.clone();
        self.flat.occurrences.push(Occurrence {
            label,
            rows,
            obstacles,
        });
        self.flat.graph.node(guards.clone())
    }

    /// A condition that must be true for a row to come out of this level (or, inside a join's `on`, to match).
    fn condition(
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
            self.edge(flat, guards, on, cost);
            return Ok(());
        }
        let link_guards: Guards = guards.union(optional).copied().collect();
        match conjunct.as_link() {
            Some(link) => {
                if let Some(test) = link.test {
                    self.links(scope, test, &link_guards)?;
                }
                self.link(scope, &link, &link_guards, true)
            }
            None => self.links(scope, conjunct, &link_guards),
        }
    }

    /// Sub-selects anywhere inside an expression.
    fn links(&mut self, scope: &Scope, expr: Expr, guards: &Guards) -> Result<(), Problem> {
        for link in expr.survey().links {
            self.link(scope, &link, guards, false)?;
        }
        Ok(())
    }

    /// A sub-select in an expression: its own conditions tie its rows to the rows outside, whatever becomes
    /// of its value. `required`: the comparison must be true for a row to come out.
    fn link(
        &mut self,
        scope: &Scope,
        link: &SubLink,
        guards: &Guards,
        required: bool,
    ) -> Result<(), Problem> {
        let mut inside = guards.clone();
        inside.insert(self.flat.graph.guard(GuardKind::Sealed));
        let label = scope.child_label("sub-select");
        let outputs = self.level(link.query, Some(scope), &inside, &label)?;
        let Some(test) = link.test else { return Ok(()) };
        self.watch(scope, test);
        let flat = test.substitute(|leaf, expr| match leaf {
            Leaf::Column(column) => scope.resolve(column, expr, guards),
            Leaf::SubSelectOutput(n) => outputs.get(n).copied().flatten(),
        });
        let Some(flat) = flat.filter(|flat| !flat.is_volatile()) else {
            return Ok(());
        };
        match link.kind {
            LinkKind::Any if required => self.edge(flat, &inside, &Guards::new(), 1),
            LinkKind::Any => self.membership(flat, &inside),
            LinkKind::All => self.edge(flat.is_not_true(), &inside, &Guards::new(), 8),
            _ => {}
        }
        Ok(())
    }

    /// `outside = ANY (inside)` whose value is used: an inner row matters where the comparison is true, and
    /// where it is NULL.
    fn membership(&mut self, test: Expr, guards: &Guards) {
        let Some(op) = test.as_operator().filter(|op| op.strict) else {
            self.edge(test.is_not_false(), guards, &Guards::new(), 8);
            return;
        };
        let mut cases = vec![None];
        if self.may_be_null(op.left) {
            cases.push(Some(op.left.is_null()));
        }
        if self.may_be_null(op.right) {
            cases.push(Some(op.right.is_null()));
        }
        match cases[self.choices.take(cases.len())] {
            None => self.edge(test, guards, &Guards::new(), 1),
            Some(null) => self.edge_between(null, test.ranges(), guards, &Guards::new(), 8),
        }
    }

    fn edge(&mut self, condition: Expr, guards: &Guards, on: &Guards, cost: u32) {
        self.edge_between(condition, condition.ranges(), guards, on, cost);
    }

    fn edge_between(
        &mut self,
        condition: Expr,
        nodes: BTreeSet<Node>,
        guards: &Guards,
        on: &Guards,
        cost: u32,
    ) {
        if nodes.len() < 2 {
            return;
        }
        let strict = condition.ranges_not_null();
        let guards = guards.union(on).copied().collect();
        self.flat.graph.edge(Edge {
            nodes,
            strict,
            guards,
            cost,
        });
        self.flat.conditions.push(Some(condition));
    }

    /// Remembers every table column an expression reads.
    fn watch(&mut self, scope: &Scope, expr: Expr) {
        for column in expr.survey().columns {
            let Some(owner) = scope.up(column.levels_up) else {
                continue;
            };
            match owner.select.range(column.range) {
                Range::Table { oid, kind, .. } if kind != 'v' => {
                    // A system column moves with every update: as good as the whole row.
                    self.flat
                        .watched
                        .entry(oid)
                        .or_default()
                        .insert(column.attno.max(0));
                }
                Range::Join { columns } => {
                    let index = usize::try_from(column.attno).ok().and_then(|n| n.checked_sub(1));
                    match index {
                        Some(index) => {
                            if let Some(Some(inner)) = columns.get(index) {
                                self.watch(owner, *inner);
                            }
                        }
                        None => columns
                            .into_iter()
                            .flatten()
                            .for_each(|inner| self.watch(owner, inner)),
                    }
                }
                _ => {}
            }
        }
    }

    fn obstructed<R>(&mut self, obstacle: Option<&'static str>, work: impl FnOnce(&mut Self) -> R) -> R {
        self.obstacles.extend(obstacle);
        let result = work(self);
        if obstacle.is_some() {
            self.obstacles.pop();
        }
        result
    }
}

fn constants_only(outputs: Vec<Option<Expr>>) -> Vec<Option<Expr>> {
    outputs
        .into_iter()
        .map(|output| output.filter(|expr| expr.survey().columns.is_empty()))
        .collect()
}
