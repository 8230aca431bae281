//! Whole views: what makes the key unique.

use super::{Column, Grammar, Item};
use crate::random_views::schema::Type;

impl Grammar<'_> {
    /// A query and its key columns.
    pub(super) fn shape(&mut self) -> (String, &'static str) {
        match self.random.upto(23) {
            21..=23 => self.numbers_of_one_table(),
            1..=4 => self.rows_of_a_table(),
            5..=8 => self.rows_with_children(),
            9..=11 => self.groups(),
            12 => self.composite(),
            13 => self.first_of_each(),
            14 | 15 => self.set_operation(),
            16 => self.collected_branches(),
            17 => self.windowed_rows(),
            18 => self.recursive(),
            19 => self.wrapped(),
            _ => self.top_of_each(),
        }
    }

    fn filter(&mut self, columns: &[Column], percent: u64) -> String {
        match self.more(percent) {
            true => format!(" WHERE {}", self.condition(columns, &[])),
            false => String::new(),
        }
    }

    fn key_of(&mut self, id: &str) -> String {
        match self.random.upto(6) {
            3 => {
                self.uses("uuid key");
                id.replace(".id", ".u")
            }
            1 => {
                self.uses("expression key");
                format!("'k' || {id}")
            }
            2 => {
                self.uses("expression key");
                format!("{id} + 100")
            }
            _ => id.to_string(),
        }
    }

    /// One row per row of a table, with scalar sub-selects.
    fn rows_of_a_table(&mut self) -> (String, &'static str) {
        let table = self.table();
        let key = self.key_of(&table.columns[0].sql);
        let mut values = vec![self.number(&table.columns), self.number(&table.columns)];
        if self.more(50) {
            let sql = self.scoped(|this| this.scalar(&table.columns));
            values.push(format!("({sql})"));
        }
        let filter = self.filter(&table.columns, 85);
        (
            format!("SELECT {key} AS k, {} FROM {}{filter}", named(&values), table.sql),
            "{k}",
        )
    }

    fn joined(&mut self, first: Item, percent: u64) -> Item {
        let mut tree = self.join(first, &[]);
        while self.more(percent) {
            tree = self.join(tree, &[]);
        }
        tree
    }

    /// One row per row of a table, what joins it aggregated.
    fn rows_with_children(&mut self) -> (String, &'static str) {
        self.uses("children aggregated");
        let first = self.table();
        let id = first.columns[0].sql.clone();
        let by: Vec<String> = ["a", "b", "t"]
            .iter()
            .map(|name| id.replace(".id", &format!(".{name}")))
            .collect();
        let tree = self.joined(first, 55);
        let key = self.key_of(&id);
        let grouped: Vec<Column> = tree
            .columns
            .iter()
            .filter(|c| c.sql == id || c.sql == by[0])
            .cloned()
            .collect();
        let values = [
            self.list(&tree.columns),
            self.aggregate(&tree.columns),
            self.number(&grouped),
        ];
        let filter = self.filter(&tree.columns, 40);
        let not_null = if filter.is_empty() { " WHERE " } else { " AND " };
        (
            format!(
                "SELECT {key} AS k, {} FROM {}{filter}{not_null}{id} IS NOT NULL GROUP BY {id}, {}",
                named(&values),
                tree.sql,
                by.join(", ")
            ),
            "{k}",
        )
    }

    /// One row per value of a column or expression.
    fn groups(&mut self) -> (String, &'static str) {
        self.uses("group key");
        let first = self.table();
        let tree = self.joined(first, 45);
        let key = self.number(&tree.columns);
        let key = match self.chance(15) {
            true => {
                let text = self
                    .column(&tree.columns, Type::Text)
                    .unwrap_or_else(|| "'x'".to_string());
                format!("lower({text})")
            }
            false => key,
        };
        let filter = self.filter(&tree.columns, 40);
        let values = [self.list(&tree.columns), self.aggregate(&tree.columns)];
        let having = match self.chance(25) {
            true => {
                self.uses("HAVING");
                format!(" HAVING {} > 2", self.aggregate(&tree.columns))
            }
            false => String::new(),
        };
        (
            format!(
                "SELECT * FROM (SELECT {key} AS k, {} FROM {}{filter} GROUP BY 1{having}) q WHERE k IS NOT NULL",
                named(&values),
                tree.sql
            ),
            "{k}",
        )
    }

    fn composite(&mut self) -> (String, &'static str) {
        self.uses("composite key");
        let first = self.table();
        let tree = self.joined(first, 45);
        let (k, mut l) = (self.number(&tree.columns), self.number(&tree.columns));
        if self.chance(40) {
            l = self.column(&tree.columns, Type::Text).unwrap_or(l);
        }
        let filter = self.filter(&tree.columns, 30);
        let values = [self.list(&tree.columns), self.aggregate(&tree.columns)];
        (
            format!(
                "SELECT * FROM (SELECT {k} AS k, {l} AS l, {} FROM {}{filter} GROUP BY 1, 2) q \
                 WHERE k IS NOT NULL AND l IS NOT NULL",
                named(&values),
                tree.sql
            ),
            "{k,l}",
        )
    }

    /// Aggregates of one table, tied to a row by a column: what can be stored.
    fn numbers_of_one_table(&mut self) -> (String, &'static str) {
        self.uses("aggregates of one table");
        let table = self.table();
        let id = table.columns[0].sql.clone();
        let other = self.random.pick(&self.tables).name;
        let by = *self.random.pick(&["a", "b", "d"]);
        let all = [
            "count(*)",
            "count(y.d)",
            "sum(y.a)",
            "sum(y.a * y.b) FILTER (WHERE y.d > 1)",
            "max(y.d)",
            "min(y.b)",
            "avg(y.a)",
            "bool_and(y.a > 1)::int",
            "bool_or(y.d = 2)::int",
            "count(*) FILTER (WHERE y.t > 'b')",
        ];
        let (v1, v2) = (*self.random.pick(&all), *self.random.pick(&all));
        let filter = ["", " AND y.d <> 3", " AND y.t IS NOT NULL"];
        let filter = *self.random.pick(&filter);
        let values = format!("{v1} AS v1, {v2} AS v2");
        let sql = match self.random.upto(5) {
            1 => format!(
                "SELECT {id} AS k, (SELECT {v1} FROM {other} y WHERE y.{by} = {id}{filter}) AS v1, \
                 (SELECT {v2} FROM {other} y WHERE y.{by} = {id}) AS v2 FROM {}",
                table.sql
            ),
            2 => format!(
                "SELECT {id} AS k, {values} FROM {} LEFT JOIN {other} y ON y.{by} = {id}{filter} GROUP BY {id}",
                table.sql
            ),
            3 => format!(
                "SELECT {id} AS k, q.v1, q.v2 FROM {} LEFT JOIN (SELECT y.{by} AS n, {values} FROM {other} y \
                 WHERE true{filter} GROUP BY y.{by}) q ON q.n = {id}",
                table.sql
            ),
            4 => format!(
                "SELECT y.{by} AS k, {values} FROM {other} y WHERE y.{by} IS NOT NULL{filter} GROUP BY y.{by} \
                 HAVING count(*) > 1"
            ),
            _ => format!("SELECT 1 AS k, {values} FROM {other} y WHERE true{filter}"),
        };
        (sql, "{k}")
    }

    fn first_of_each(&mut self) -> (String, &'static str) {
        self.uses("DISTINCT ON");
        let first = self.table();
        let tree = self.joined(first, 30);
        let (key, value, more) = (
            self.number(&tree.columns),
            self.number(&tree.columns),
            self.number(&tree.columns),
        );
        let filter = self.filter(&tree.columns, 30);
        let order = *self.random.pick(&["k, v1, v2", "k, v2 DESC, v1"]);
        (
            format!(
                "SELECT * FROM (SELECT DISTINCT ON (k) {key} AS k, {value} AS v1, {more} AS v2 FROM {}{filter} \
                 ORDER BY {order}) q WHERE k IS NOT NULL",
                tree.sql
            ),
            "{k}",
        )
    }

    fn set_operation(&mut self) -> (String, &'static str) {
        let (word, construct) = *self.random.pick(&[
            ("UNION", "UNION"),
            ("EXCEPT", "EXCEPT"),
            ("INTERSECT", "INTERSECT"),
        ]);
        self.uses(construct);
        let mut branches = Vec::new();
        for _ in 0..2 + self.chance(25) as usize {
            branches.push(self.scoped(|this| {
                let tree = this.tree(&[]);
                let key = this.number(&tree.columns);
                let filter = this.filter(&tree.columns, 50);
                format!("SELECT {key} AS k FROM {}{filter}", tree.sql)
            }));
        }
        let sql = branches.join(&format!(" {word} "));
        (format!("SELECT k FROM ({sql}) q WHERE k IS NOT NULL"), "{k}")
    }

    fn collected_branches(&mut self) -> (String, &'static str) {
        self.uses("UNION");
        let mut branches = Vec::new();
        for number in 0..2 {
            branches.push(self.scoped(|this| {
                let tree = this.tree(&[]);
                let (key, value) = (this.number(&tree.columns), this.number(&tree.columns));
                let key = if number == 1 && this.chance(20) {
                    "3".to_string()
                } else {
                    key
                };
                let filter = this.filter(&tree.columns, 40);
                format!("SELECT {key} AS k, {value} AS v FROM {}{filter}", tree.sql)
            }));
        }
        (
            format!(
                "SELECT k, count(*) AS v1, jsonb_agg(v ORDER BY v) AS v2 FROM ({}) q WHERE k IS NOT NULL GROUP BY k",
                branches.join(" UNION ALL ")
            ),
            "{k}",
        )
    }

    fn windowed_rows(&mut self) -> (String, &'static str) {
        let (table, other) = (self.table(), self.table());
        let mut columns = table.columns.clone();
        let mut from = table.sql.clone();
        if self.chance(40) {
            let by = self.column(&table.columns, Type::Int).unwrap_or_default();
            from = format!(
                "{from} LEFT JOIN {} ON {} = {by}",
                other.sql, other.columns[0].sql
            );
            columns.extend(other.columns);
        }
        let values = [
            self.window(&columns),
            self.window(&columns),
            self.number(&columns),
        ];
        let filter = self.filter(&columns, 40);
        (
            format!(
                "SELECT {} AS k, {} FROM {from}{filter}",
                table.columns[0].sql,
                named(&values)
            ),
            "{k}",
        )
    }

    fn recursive(&mut self) -> (String, &'static str) {
        self.uses("WITH RECURSIVE");
        let (root, child) = (
            self.random.pick(&self.tables).name,
            self.random.pick(&self.tables).name,
        );
        let table = self.table();
        let id = table.columns[0].sql.clone();
        let filter = self.filter(&table.columns, 30);
        (
            format!(
                "WITH RECURSIVE tree AS (SELECT s.id, 0 AS depth FROM {root} s WHERE s.b = 1 UNION \
                 SELECT s.id, depth + 1 FROM {child} s JOIN tree ON s.a = tree.id WHERE depth < 3) \
                 SELECT {id} AS k, min(depth) AS v1, count(*) AS v2 \
                 FROM (SELECT * FROM {}{filter}) {} LEFT JOIN tree ON tree.id = {id} GROUP BY 1",
                table.sql,
                id.replace(".id", "")
            ),
            "{k}",
        )
    }

    /// A table in front of another shape.
    fn wrapped(&mut self) -> (String, &'static str) {
        self.uses("sub-select in FROM");
        let (inner, _) = self.scoped(|this| match this.random.upto(3) {
            1 => this.groups(),
            2 => this.first_of_each(),
            _ => this.collected_branches(),
        });
        let kind = *self.random.pick(&["JOIN", "LEFT JOIN"]);
        self.aliases += 20;
        let table = self.table();
        let by = *self.random.pick(&["id", "a", "d"]);
        let id = table.columns[0].sql.clone();
        let filter = self.filter(&table.columns, 40);
        (
            format!(
                "SELECT {id} AS k, w.k AS v1, w.v1 AS v2 FROM {} {kind} ({inner}) w ON w.k::text = {}::text{filter}",
                table.sql,
                id.replace(".id", &format!(".{by}"))
            ),
            "{k}",
        )
    }

    fn top_of_each(&mut self) -> (String, &'static str) {
        self.uses("LATERAL");
        let table = self.table();
        let query = self.scoped(|this| {
            let query = this.query(&table.columns);
            format!(
                "SELECT jsonb_agg(q.n ORDER BY q.n) AS list FROM ({}) q",
                query.sql
            )
        });
        let filter = self.filter(&table.columns, 30);
        (
            format!(
                "SELECT {} AS k, top.list AS v1 FROM {} LEFT JOIN LATERAL ({query}) top ON true{filter}",
                table.columns[0].sql, table.sql
            ),
            "{k}",
        )
    }
}

fn named(values: &[String]) -> String {
    let named: Vec<String> = values
        .iter()
        .enumerate()
        .map(|(number, value)| format!("{value} AS v{}", number + 1))
        .collect();
    named.join(", ")
}
