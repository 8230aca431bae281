//! Whether the aggregates of a level over one of its tables run along, and why not.

use pgrx::pg_sys::Oid;

use super::addable_types::{are_written_alike, is_domain_of_json, is_key, is_ordered, is_summable};
use super::lookup_order::{Item, Step};
use super::stored_group::{output, Running};
use crate::catalog::columns;
use crate::lineage::column_definition;
use crate::postgres::query_tree::{AggregateCall, Column, Expr, From, JoinKind, Range, Select};
use crate::postgres::{column_facts, inheritance, privileges, recursion, relation, type_facts};
use crate::refresh::running::{self, Aggregate, Kind, Typed};

/// A level, and the parts of its query that it was made from.
pub struct Found {
    pub level: running::Level,
    pub index: usize,
    pub values: Vec<Expr>,
    pub keys: Vec<Expr>,
    pub calls: Vec<Expr>,
    pub outputs: Vec<String>,
    pub conditions: Vec<Expr>,
}

/// A table whose rows a level may aggregate.
pub struct Candidate<'a> {
    pub running: &'a Running,
    pub flat: Select,
    pub item: &'a Item,
    /// Equalities that its rows are looked up by.
    pub by: Vec<Expr>,
}

impl Candidate<'_> {
    /// Or why the aggregates do not run along.
    pub fn found(&self) -> Result<Found, String> {
        let table = self.table()?;
        let inside = || "a sub-select has an aggregate of the query around it".to_string();
        let calls = self.flat.aggregate_calls().ok_or_else(inside)?;
        let (keys, values) = self.keys();
        if !self.are_of_group(&values) {
            return Err("a row of the view aggregates several of its groups".to_string());
        }
        if self.is_unique(table, &keys) {
            return Err("each of its groups is one row".to_string());
        }
        let conditions = self.conditions();
        let mut aggregates: Vec<Aggregate> = Vec::new();
        let mut replaced = Vec::new();
        let mut outputs = Vec::new();
        let mut counts = false;
        // The calls whose arguments changes have to tell.
        let mut read = Vec::new();
        for call in &calls {
            let asked = call.as_aggregate_call().ok_or_else(|| {
                "an aggregate has DISTINCT, ORDER BY or several arguments, or is not built in".to_string()
            })?;
            if asked.argument.is_none() && asked.filter.is_none() {
                counts = true;
                replaced.push(*call);
                outputs.push(self.count());
                continue;
            }
            if self.counts_rows(table, &asked) {
                replaced.push(*call);
                outputs.push("coalesce(sum(j.rows), 0)::bigint".to_string());
                counts = true;
                continue;
            }
            read.push(*call);
            let others = call.ranges();
            let Some(aggregate) = self.aggregate(table, &asked) else {
                // Rows of other tables come once per group: extremes do not change.
                if !others.contains(&self.item.index)
                    && ["min", "max", "bool_and", "every", "bool_or"].contains(&&asked.name[..])
                {
                    continue;
                }
                return Err(self.why_not(&asked, others.contains(&self.item.index)));
            };
            let at = aggregates
                .iter()
                .position(|known| *known == aggregate)
                .unwrap_or_else(|| {
                    aggregates.push(aggregate.clone());
                    aggregates.len() - 1
                });
            replaced.push(*call);
            outputs.push(output(&aggregate, at));
        }
        if aggregates.is_empty() && !counts {
            return Err("no aggregate reads it".to_string());
        }
        let unwritten =
            || "a column is virtual, or an expression has no SQL over this table alone".to_string();
        let columns = self
            .columns(table, &keys, &conditions, &read)
            .ok_or_else(unwritten)?;
        let condition: Option<Vec<String>> = conditions
            .iter()
            .map(|condition| condition.sql_over(table, "r1", self.item.index))
            .collect();
        let condition = condition.ok_or_else(unwritten)?.join(") AND (");
        Ok(Found {
            level: running::Level {
                number: 0,
                label: self.flat.range_name(self.item.index),
                table,
                columns,
                condition: (!condition.is_empty()).then(|| format!("({condition})")),
                keys: keys
                    .iter()
                    .map(|key| self.key(table, *key))
                    .collect::<Result<_, _>>()?,
                aggregates,
            },
            index: self.item.index,
            values,
            keys,
            calls: replaced,
            outputs,
            conditions,
        })
    }

    /// The table, if changes of its rows are captured exactly.
    fn table(&self) -> Result<Oid, String> {
        let Range::Table {
            oid,
            kind,
            with_children,
        } = self.flat.range(self.item.index)
        else {
            return Err(String::new());
        };
        let whole = match kind {
            'r' => !with_children || inheritance::children(oid).is_empty(),
            'p' => with_children,
            _ => false,
        };
        let full = self.item.path.iter().any(|step| step.kind == JoinKind::Full);
        let readable = privileges::may_select(self.running.owner, oid)
            && !privileges::hides_rows_from(oid, self.running.owner)
            && !self.flat.is_filtered_by_policy(self.item.index);
        let sampled = self.flat.sampled(self.item.index) || relation::is_temporary(oid);
        let reasons = [
            (
                !whole,
                "it is no table or partitioned table, or other tables inherit from it",
            ),
            (!readable, "the owner may not read all of its rows"),
            (sampled, "it is a temporary table, or sampled"),
            (self.flat.grouping_sets(), "the query has grouping sets"),
            (full, "it is in a FULL JOIN"),
        ];
        match reasons.iter().find(|(is_so, _)| *is_so) {
            Some((_, reason)) => Err(reason.to_string()),
            None => Ok(oid),
        }
    }

    /// Why an aggregate does not run along. `reads`: it reads this table.
    fn why_not(&self, asked: &AggregateCall, reads: bool) -> String {
        let name = &asked.name;
        let type_name = asked
            .argument
            .map(|argument| type_facts::name(argument.column_type().0, -1));
        let known = [
            "count", "sum", "avg", "min", "max", "bool_and", "every", "bool_or",
        ];
        let parts = || asked.argument.into_iter().chain(asked.filter);
        if !reads {
            format!("{name} reads another table of the join")
        } else if !known.contains(&&name[..]) {
            format!("{name} cannot be added to")
        } else if parts().any(|part| !self.is_of_table(part)) {
            format!("{name} reads other tables as well, or depends on settings")
        } else {
            format!(
                "{name} of {} cannot be added to exactly",
                type_name.unwrap_or_default()
            )
        }
    }

    /// What a group is looked up by, and the values of these expressions.
    fn keys(&self) -> (Vec<Expr>, Vec<Expr>) {
        let (mut keys, mut values): (Vec<Expr>, Vec<Expr>) = (Vec::new(), Vec::new());
        for fact in &self.by {
            let Some((left, right)) = fact.as_key_equality() else {
                continue;
            };
            for (key, value) in [(left, right), (right, left)] {
                let is_pair = self.is_of_table(key)
                    && !value.ranges().contains(&self.item.index)
                    && are_written_alike(key, value);
                if is_pair && !keys.iter().any(|known| known.same_as(&key)) {
                    keys.push(key);
                    values.push(value);
                    break;
                }
            }
        }
        (keys, values)
    }

    /// Whether each group of the level looks up one group of the table.
    fn are_of_group(&self, values: &[Expr]) -> bool {
        let groups = self.flat.group_exprs();
        values.iter().all(|value| {
            value.survey().columns.iter().all(|column| {
                column.levels_up > 0
                    || groups.iter().any(|group| {
                        group.as_column().is_some_and(|grouped| {
                            (grouped.range, grouped.attno, grouped.levels_up)
                                == (column.range, column.attno, 0)
                        })
                    })
            })
        })
    }

    /// Whether groups are single rows.
    fn is_unique(&self, table: Oid, keys: &[Expr]) -> bool {
        let columns: Vec<i16> = keys
            .iter()
            .filter_map(|key| Some(key.as_column()?.attno))
            .collect();
        relation::is_unique_by(table, &columns)
    }

    /// Whether an expression reads this table only, and depends on its columns only.
    fn is_of_table(&self, expr: Expr) -> bool {
        let survey = expr.survey();
        let own =
            |column: &Column| column.levels_up == 0 && column.range == self.item.index && column.attno > 0;
        !survey.columns.is_empty()
            && survey.columns.iter().all(own)
            && survey.links.is_empty()
            && !survey.aggregates
            && !survey.windows
            && !survey.sets
            && expr.is_immutable()
    }

    /// The joins that the table is NULL without a partner in.
    fn nulling_depth(&self) -> Option<usize> {
        let nulls = |step: &Step| match step.kind {
            JoinKind::Left => step.right,
            JoinKind::Right => !step.right,
            JoinKind::Inner | JoinKind::Full => false,
        };
        self.item.path.iter().rposition(nulls)
    }

    /// The conditions on this table alone that decide which of its rows count.
    fn conditions(&self) -> Vec<Expr> {
        let nulling = self.nulling_depth();
        let mut conditions = Vec::new();
        if nulling.is_none() {
            conditions.extend(self.flat.condition());
        }
        for item in self.flat.from() {
            self.conditions_below(&item, 0, nulling, &mut conditions);
        }
        let parts = conditions.iter().flat_map(|condition| condition.conjuncts());
        parts.filter(|part| self.is_of_table(*part)).collect()
    }

    fn conditions_below(&self, from: &From, depth: usize, nulling: Option<usize>, into: &mut Vec<Expr>) {
        recursion::step();
        let From::Join { left, right, on, .. } = from else {
            return;
        };
        let Some(step) = self.item.path.get(depth) else {
            return;
        };
        if !from.contains(self.item.index) {
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

    /// An aggregate of this table.
    fn aggregate(&self, table: Oid, asked: &AggregateCall) -> Option<Aggregate> {
        let nullable = self.nulling_depth().is_some();
        let mut parts = asked.argument.into_iter().chain(asked.filter);
        if !parts.all(|part| self.is_of_table(part)) {
            return None;
        }
        // Without a partner in an outer join, the aggregate must count nothing.
        let given = asked.argument.map(|argument| argument.is_not_null());
        let mut tests = given.into_iter().chain(asked.filter);
        if nullable && !tests.any(|test| test.ranges_not_null().contains(&self.item.index)) {
            return None;
        }
        let sql = |expr: Expr| expr.sql_over(table, "r1", self.item.index);
        let filter = match asked.filter {
            Some(filter) => Some(sql(filter)?),
            None => None,
        };
        let filtered = |argument: String| match &filter {
            Some(filter) => format!("CASE WHEN {filter} THEN {argument} END"),
            None => argument,
        };
        let Some(argument) = asked.argument else {
            return Some(Aggregate {
                kind: Kind::Count,
                argument: Typed {
                    sql: filtered("true".to_string()),
                    type_name: "boolean".to_string(),
                },
            });
        };
        let (type_oid, _, _) = argument.column_type();
        let kind = match &asked.name[..] {
            "count" => Kind::Count,
            "sum" if is_summable(argument) => Kind::Sum,
            "avg" if is_summable(argument) => Kind::Avg,
            "min" if is_ordered(argument) => Kind::Min,
            "max" if is_ordered(argument) => Kind::Max,
            "bool_and" | "every" => Kind::BoolAnd,
            "bool_or" => Kind::BoolOr,
            _ => return None,
        };
        let written = sql(argument)?;
        let (written, type_name) = match kind {
            Kind::Count => (
                format!("CASE WHEN num_nonnulls({written}) > 0 THEN true END"),
                "boolean".to_string(),
            ),
            _ => (written, type_facts::name(type_oid, -1)),
        };
        Some(Aggregate {
            kind,
            argument: Typed {
                sql: filtered(written),
                type_name,
            },
        })
    }

    /// Whether a call counts the rows of this table: those of a column that is never NULL.
    fn counts_rows(&self, table: Oid, asked: &AggregateCall) -> bool {
        let column = asked.argument.and_then(|argument| argument.as_column());
        asked.name == "count"
            && asked.filter.is_none()
            && column.is_some_and(|column| {
                (column.range, column.levels_up) == (self.item.index, 0)
                    && inheritance::column_not_null(table, column.attno, true)
            })
    }

    /// `count(*)`
    fn count(&self) -> String {
        if self.nulling_depth().is_some() {
            "coalesce(sum(coalesce(j.rows, 1)), 0)::bigint".to_string()
        } else {
            "coalesce(sum(j.rows), 0)::bigint".to_string()
        }
    }

    /// An expression that groups are looked up by.
    fn key(&self, table: Oid, key: Expr) -> Result<Typed, String> {
        let type_oid = key.column_type().0;
        let type_name = type_facts::name(type_oid, -1);
        match key
            .sql_over(table, "r1", self.item.index)
            .filter(|_| is_key(type_oid))
        {
            Some(sql) => Ok(Typed { sql, type_name }),
            None => Err(format!("equal values of {type_name} may have different texts")),
        }
    }

    /// The columns that are read.
    fn columns(
        &self,
        table: Oid,
        keys: &[Expr],
        conditions: &[Expr],
        calls: &[Expr],
    ) -> Option<Vec<(String, String)>> {
        let mut read: Vec<i16> = Vec::new();
        for expr in keys.iter().chain(conditions).chain(calls) {
            let own = expr.survey().columns.into_iter();
            read.extend(
                own.filter(|column| column.range == self.item.index)
                    .map(|column| column.attno),
            );
        }
        read.sort_unstable();
        read.dedup();
        let columns = columns::of(table);
        read.iter()
            .map(|attno| {
                let name = column_facts::name(table, *attno)?;
                let column = columns.iter().find(|column| column.name == name)?;
                let is_told = !column_facts::is_virtual(table, *attno) && !is_domain_of_json(column.type_oid);
                is_told.then(|| {
                    let definition = column_definition(column.type_oid, column.modifier, column.collation);
                    (name, definition)
                })
            })
            .collect()
    }
}
