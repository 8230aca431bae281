//! Whether the aggregates of a level over one of its tables, or over all of them, run along, and why not.

use pgrx::pg_sys::Oid;

use super::addable_types::{
    are_written_alike, has_any_scale, is_domain_of_json, is_key, is_ordered, is_summable,
};
use super::lookup_order::Item;
use super::stored_group::{output, Running};
use crate::catalog::columns;
use crate::lineage::column_definition;
use crate::postgres::query_tree::{AggregateCall, Column, Expr, JoinKind, Range, Select};
use crate::postgres::table_keys::TableKeys;
use crate::postgres::{column_facts, inheritance, privileges, relation, type_facts};
use crate::refresh::running::{self, Aggregate, Kind, Typed};

/// A level, and the parts of its query that it was made from.
pub struct Found {
    pub level: running::Level,
    pub indexes: Vec<usize>,
    pub values: Vec<Expr>,
    pub keys: Vec<Expr>,
    pub calls: Vec<Expr>,
    pub outputs: Vec<String>,
    pub conditions: Vec<Expr>,
}

/// Maximum number of tables of a join.
const MAXIMUM_TABLES: usize = 16;

/// Tables whose rows a level may aggregate: one of them, or several of an inner join.
pub struct Candidate<'a> {
    pub running: &'a Running,
    pub flat: Select,
    pub items: Vec<&'a Item>,
    /// Their tables, in the same order.
    pub tables: Vec<Oid>,
    /// Equalities that rows are looked up by.
    pub by: Vec<Expr>,
}

impl<'a> Candidate<'a> {
    /// Or why these tables do not qualify.
    pub fn new(
        running: &'a Running,
        flat: Select,
        items: Vec<&'a Item>,
        by: Vec<Expr>,
    ) -> Result<Candidate<'a>, String> {
        let mut candidate = Candidate {
            running,
            flat,
            items,
            tables: Vec::new(),
            by,
        };
        let tables: Result<_, _> = candidate.items.iter().map(|item| candidate.table(item)).collect();
        candidate.tables = tables?;
        Ok(candidate)
    }

    /// Whether the items of FROM are an inner join of several tables.
    pub fn is_inner_join(flat: Select, items: &[Item]) -> bool {
        let is_inner = |item: &Item| {
            let is_table = matches!(flat.range(item.index), Range::Table { .. });
            is_table && item.path.iter().all(|step| step.kind == JoinKind::Inner)
        };
        (2..=MAXIMUM_TABLES).contains(&items.len()) && items.iter().all(is_inner)
    }

    /// The level, or why its aggregates do not run along.
    pub fn found(&self) -> Result<Found, String> {
        let inside = || "a sub-select has an aggregate of the query around it".to_string();
        let calls = self.flat.aggregate_calls().ok_or_else(inside)?;
        let (keys, values) = self.keys();
        if !self.are_of_group(&values) {
            return Err("a row of the view aggregates several of its groups".to_string());
        }
        if self.is_unique(&keys) {
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
            if self.counts_rows(&asked) {
                replaced.push(*call);
                outputs.push("coalesce(sum(j.rows), 0)::bigint".to_string());
                counts = true;
                continue;
            }
            read.push(*call);
            let reads = call.ranges().iter().any(|range| self.place(*range).is_some());
            let Some(aggregate) = self.aggregate(&asked) else {
                // Rows of other tables come once per group: extremes do not change.
                if !reads && ["min", "max", "bool_and", "every", "bool_or"].contains(&&asked.name[..]) {
                    continue;
                }
                return Err(self.why_not(&asked, reads));
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
            || "a column is virtual, or an expression has no SQL over its columns alone".to_string();
        let read: Vec<Expr> = keys.iter().chain(&conditions).chain(&read).copied().collect();
        let tables = (0..self.items.len()).map(|at| {
            Some(running::Table {
                oid: self.tables[at],
                label: self.flat.range_name(self.items[at].index),
                columns: self.columns(at, &read)?,
            })
        });
        let tables: Option<Vec<running::Table>> = tables.collect();
        let condition: Option<Vec<String>> =
            conditions.iter().map(|condition| self.sql(*condition)).collect();
        let condition = condition.ok_or_else(unwritten)?.join(") AND (");
        let typed: Result<_, _> = keys.iter().map(|key| self.key(*key)).collect();
        Ok(Found {
            level: running::Level {
                number: 0,
                tables: tables.ok_or_else(unwritten)?,
                condition: (!condition.is_empty()).then(|| format!("({condition})")),
                keys: typed?,
                aggregates,
            },
            indexes: self.items.iter().map(|item| item.index).collect(),
            values,
            keys,
            calls: replaced,
            outputs,
            conditions,
        })
    }

    /// Which of the tables a range is.
    fn place(&self, range: usize) -> Option<usize> {
        self.items.iter().position(|item| item.index == range)
    }

    /// An expression as SQL over the tables `r1`, `r2` and so on.
    fn sql(&self, expr: Expr) -> Option<String> {
        let tables = self.items.iter().zip(&self.tables);
        let tables: Vec<(usize, Oid)> = tables.map(|(item, table)| (item.index, *table)).collect();
        expr.sql_over(&tables)
    }

    /// The table, if changes of its rows are captured exactly.
    fn table(&self, item: &Item) -> Result<Oid, String> {
        let Range::Table {
            oid,
            kind,
            with_children,
        } = self.flat.range(item.index)
        else {
            return Err("it is no table".to_string());
        };
        let whole = match kind {
            'r' => !with_children || inheritance::children(oid).is_empty(),
            'p' => with_children,
            _ => false,
        };
        let full = item.path.iter().any(|step| step.kind == JoinKind::Full);
        let readable = privileges::may_select(self.running.owner, oid)
            && !privileges::hides_rows_from(oid, self.running.owner)
            && !self.flat.is_filtered_by_policy(item.index);
        let sampled = self.flat.sampled(item.index) || relation::is_temporary(oid);
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
                let is_pair = self.is_of_table(key) && self.is_given(value) && are_written_alike(key, value);
                if is_pair && !keys.iter().any(|known| known.same_as(&key)) {
                    keys.push(key);
                    values.push(value);
                    break;
                }
            }
        }
        (keys, values)
    }

    /// Whether the value is there before rows of the tables are read.
    fn is_given(&self, value: Expr) -> bool {
        let columns = value.survey().columns;
        let is_own = |column: &Column| column.levels_up == 0 && self.place(column.range).is_some();
        // A constant that several tables are looked up by is a condition of theirs.
        (self.items.len() == 1 || !columns.is_empty()) && !columns.iter().any(is_own)
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
    fn is_unique(&self, keys: &[Expr]) -> bool {
        let columns = keys.iter().filter_map(|key| Some(key.as_column()?.attno));
        let columns: Vec<i16> = columns.collect();
        self.tables.len() == 1 && TableKeys::of(self.tables[0]).are_unique(&columns)
    }

    /// Whether an expression reads these tables only, and depends on their columns only.
    pub fn is_of_table(&self, expr: Expr) -> bool {
        let survey = expr.survey();
        let own =
            |column: &Column| column.levels_up == 0 && column.attno > 0 && self.place(column.range).is_some();
        !survey.columns.is_empty()
            && survey.columns.iter().all(own)
            && survey.links.is_empty()
            && !survey.aggregates
            && !survey.windows
            && !survey.sets
            && expr.is_immutable()
    }

    /// An aggregate of these tables.
    fn aggregate(&self, asked: &AggregateCall) -> Option<Aggregate> {
        let nullable = self.nulling_depth().is_some();
        let mut parts = asked.argument.into_iter().chain(asked.filter);
        if !parts.all(|part| self.is_of_table(part)) {
            return None;
        }
        // Without a partner in an outer join, the aggregate must count nothing.
        let given = asked.argument.map(|argument| argument.is_not_null());
        let mut tests = given.into_iter().chain(asked.filter);
        if nullable && !tests.any(|test| test.ranges_not_null().contains(&self.items[0].index)) {
            return None;
        }
        let sql = |expr: Expr| self.sql(expr);
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
                any_scale: false,
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
            any_scale: matches!(kind, Kind::Sum | Kind::Avg) && has_any_scale(argument),
        })
    }

    /// Whether a call counts the rows of the tables: those of a column that is never NULL.
    fn counts_rows(&self, asked: &AggregateCall) -> bool {
        let column = asked.argument.and_then(|argument| argument.as_column());
        asked.name == "count"
            && asked.filter.is_none()
            && column.is_some_and(|column| {
                let table = self.place(column.range).map(|at| self.tables[at]);
                column.levels_up == 0
                    && table.is_some_and(|table| inheritance::column_not_null(table, column.attno, true))
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
    fn key(&self, key: Expr) -> Result<Typed, String> {
        let type_oid = key.column_type().0;
        let type_name = type_facts::name(type_oid, -1);
        match self.sql(key).filter(|_| is_key(type_oid)) {
            Some(sql) => Ok(Typed { sql, type_name }),
            None => Err(format!("equal values of {type_name} may have different texts")),
        }
    }

    /// The columns of a table that these expressions read.
    fn columns(&self, at: usize, read: &[Expr]) -> Option<Vec<(String, String)>> {
        let table = self.tables[at];
        let of_all = read.iter().flat_map(|expr| expr.survey().columns);
        let own = of_all.filter(|column| column.range == self.items[at].index && column.levels_up == 0);
        let mut numbers: Vec<i16> = own.map(|column| column.attno).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let columns = columns::of(table);
        numbers
            .iter()
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
