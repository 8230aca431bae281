//! Query levels: set operations, windows, DISTINCT ON, grouping; and which of their outputs show the row they
//! come from.

use pgrx::pg_sys::Oid;
use pgrx::PgSqlErrorCode;

use super::scope::Scope;
use super::{Guards, Rows, Unfolder};
use crate::error::Problem;
use crate::lineage::graph::{Case, GuardKind};
use crate::postgres::inheritance;
use crate::postgres::query_tree::{Distinct, Expr, Range, Select};

impl Unfolder<'_> {
    /// One query level; returns its visible outputs.
    pub(super) fn level(
        &mut self,
        select: Select,
        parent: Option<&Scope>,
        guards: &Guards,
        label: &str,
    ) -> Result<Vec<Option<Expr>>, Problem> {
        if !self.enters() {
            return Ok(Vec::new());
        }
        self.depth += 1;
        let outputs = self.level_inside(select, parent, guards, label);
        self.depth -= 1;
        outputs
    }

    fn level_inside(
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
        // DISTINCT ON comes after the windows: a changed value of a window may change which row is kept.
        let mut steps = Vec::new();
        if !windows.is_empty() {
            steps.push(&windows[self.combinations.choose(windows.len())]);
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
                self.join_partition(influencing, &scope, steps[step - 1], &levels[step - 1]);
            }
            influencing = Some(scope);
        }
        Ok(outputs)
    }

    /// One branch of a set operation. The other branches are other combinations.
    fn branch(
        &mut self,
        select: Select,
        parent: Option<&Scope>,
        guards: &Guards,
        label: &str,
        branches: &[usize],
    ) -> Result<Vec<Option<Expr>>, Problem> {
        let scope = Scope::new(select, parent, label);
        let chosen = self.combinations.choose(branches.len());
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

    /// Joins the rows that influence a partition to its rows in the result: by equal values, or NULL in the
    /// same columns.
    fn join_partition(
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
        let with_nulls = nullable.contains(&true).then(|| self.flat.graph.decision(2));
        let case = |option| with_nulls.map(|decision| Case { decision, option });
        for (a, b, equality) in &pairs {
            self.edge(
                Expr::operator(*equality, *a, *b),
                guards,
                &Guards::new(),
                1,
                case(0),
            );
        }
        if with_nulls.is_none() {
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
        parts.push(Expr::any_of(&one_is_null));
        self.edge(Expr::all_of(&parts), guards, &Guards::new(), 8, case(1));
    }

    pub(super) fn may_be_null(&self, expr: Expr) -> bool {
        let Some(column) = expr.as_column() else {
            return true;
        };
        match self.flat.occurrences.get(column.range).map(|o| &o.rows) {
            Some(Rows::Table { oid, with_children }) => {
                self.flat.graph.is_optional(column.range)
                    || !inheritance::column_not_null(*oid, column.attno, *with_children)
            }
            _ => true,
        }
    }

    /// A level without set operations, windows or DISTINCT ON (or one side of such a level).
    fn plain(&mut self, scope: &Scope, guards: &Guards) -> Result<Vec<Option<Expr>>, Problem> {
        let select = scope.select;
        let mut guards = guards.clone();
        let total = (select.aggregates() || select.having().is_some()) && !select.groups();
        // Such a level returns a row even where it reads none.
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
}

fn constants_only(outputs: Vec<Option<Expr>>) -> Vec<Option<Expr>> {
    outputs
        .into_iter()
        .map(|output| output.filter(|expr| expr.survey().columns.is_empty()))
        .collect()
}
