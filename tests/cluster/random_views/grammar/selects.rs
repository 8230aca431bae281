//! Sub-selects: in FROM, in CTEs, in expressions.

use super::{Column, Grammar, Query};
use crate::random_views::schema::Type;

impl Grammar<'_> {
    /// A query with columns n, m (numbers) and, in most, s (a text).
    pub(super) fn query(&mut self, outer: &[Column]) -> Query {
        match self.random.upto(25) {
            1 => self.grouping_sets(outer),
            n => self.usual(outer, n / 2),
        }
    }

    fn usual(&mut self, outer: &[Column], kind: u64) -> Query {
        match kind {
            1 | 2 => self.plain(outer),
            3 | 4 => self.grouped(outer),
            5 => self.distinct(outer),
            6 => self.distinct_on(outer),
            7 | 8 => self.windowed(outer),
            9 => self.limited(outer),
            10 => self.combined(outer),
            11 => self.total(outer),
            _ => self.plain(outer),
        }
    }

    /// FROM and WHERE, tied to the outside in most cases.
    fn body(&mut self, outer: &[Column]) -> (Vec<Column>, String) {
        let tree = self.tree(outer);
        let mut conditions = Vec::new();
        if !outer.is_empty() && self.chance(85) {
            if let Some((inner, outside, _)) = self.pair(&tree.columns, outer) {
                conditions.push(format!("{inner} = {outside}"));
            }
        }
        if self.more(45) {
            conditions.push(self.condition(&tree.columns, outer));
        }
        let filter = match conditions.is_empty() {
            true => String::new(),
            false => format!(" WHERE {}", conditions.join(" AND ")),
        };
        (tree.columns, format!("FROM {}{filter}", tree.sql))
    }

    fn text(&mut self, columns: &[Column]) -> String {
        match self.column(columns, Type::Text) {
            Some(text) if self.chance(20) => format!("coalesce({text}, 'none')"),
            Some(text) => text,
            None => "'x'::text".to_string(),
        }
    }

    fn plain(&mut self, outer: &[Column]) -> Query {
        let (columns, body) = self.body(outer);
        let (n, m, s) = (self.number(&columns), self.number(&columns), self.text(&columns));
        let m = if self.chance(8) { "1".to_string() } else { m };
        numbers_and_text(format!("SELECT {n} AS n, {m} AS m, {s} AS s {body}"))
    }

    fn grouped(&mut self, outer: &[Column]) -> Query {
        self.uses("GROUP BY inside");
        let (columns, body) = self.body(outer);
        let (n, m, s) = (
            self.number(&columns),
            self.aggregate(&columns),
            self.text(&columns),
        );
        let having = match self.chance(30) {
            true => {
                self.uses("HAVING");
                let value = self.random.upto(4);
                format!(" HAVING {} > {value}", self.aggregate(&columns))
            }
            false => String::new(),
        };
        if self.chance(15) {
            self.uses("window over groups");
            return numbers_only(format!(
                "SELECT g.n, sum(g.m) OVER (PARTITION BY g.s)::int AS m FROM \
                 (SELECT {n} AS n, {m} AS m, {s} AS s {body} GROUP BY 1, 3{having}) g"
            ));
        }
        if self.chance(50) {
            return numbers_only(format!("SELECT {n} AS n, {m} AS m {body} GROUP BY 1{having}"));
        }
        numbers_and_text(format!(
            "SELECT {n} AS n, {m} AS m, {s} AS s {body} GROUP BY 1, 3{having}"
        ))
    }

    fn grouping_sets(&mut self, outer: &[Column]) -> Query {
        self.uses("GROUPING SETS");
        let query = self.scoped(|this| this.plain(outer));
        let sets = *self.random.pick(&[
            "ROLLUP (g.n)",
            "CUBE (g.n, g.s)",
            "GROUPING SETS ((g.n), (g.s), ())",
            "g.s, ROLLUP (g.n)",
        ]);
        numbers_only(format!(
            "SELECT g.n AS n, sum(g.m)::int AS m FROM ({}) g GROUP BY {sets}",
            query.sql
        ))
    }

    fn distinct(&mut self, outer: &[Column]) -> Query {
        self.uses("DISTINCT");
        let (columns, body) = self.body(outer);
        let (n, m) = (self.number(&columns), self.number(&columns));
        numbers_only(format!("SELECT DISTINCT {n} AS n, {m} AS m {body}"))
    }

    fn distinct_on(&mut self, outer: &[Column]) -> Query {
        self.uses("DISTINCT ON");
        let (columns, body) = self.body(outer);
        let (n, m) = (self.number(&columns), self.number(&columns));
        if self.chance(25) {
            self.uses("window inside DISTINCT ON");
            let window = self.window(&columns);
            return numbers_only(format!(
                "SELECT DISTINCT ON (n) {n} AS n, {m} AS m {body} ORDER BY n, {window}, m"
            ));
        }
        let order = *self.random.pick(&["n, m, s", "n, s DESC, m DESC"]);
        let s = self.text(&columns);
        numbers_and_text(format!(
            "SELECT DISTINCT ON (n) {n} AS n, {m} AS m, {s} AS s {body} ORDER BY {order}"
        ))
    }

    fn windowed(&mut self, outer: &[Column]) -> Query {
        let (columns, body) = self.body(outer);
        let (n, window, s) = (self.number(&columns), self.window(&columns), self.text(&columns));
        numbers_and_text(format!("SELECT {n} AS n, {window} AS m, {s} AS s {body}"))
    }

    /// A window function that gives peers the same value.
    pub(super) fn window(&mut self, columns: &[Column]) -> String {
        let call = match self.random.upto(4) {
            1 => "rank()".to_string(),
            2 => "count(*)".to_string(),
            3 => "dense_rank()".to_string(),
            _ => format!(
                "sum({})",
                self.column(columns, Type::Int).unwrap_or_else(|| "1".to_string())
            ),
        };
        let partition = match self.chance(88) {
            true => {
                self.uses("window with PARTITION BY");
                format!("PARTITION BY {} ", self.number(columns))
            }
            false => {
                self.uses("window without PARTITION BY");
                String::new()
            }
        };
        let order = self.column(columns, Type::Int).unwrap_or_else(|| "1".to_string());
        let order = match self.chance(70) {
            true => format!("ORDER BY {order}"),
            false => String::new(),
        };
        let order = if call.ends_with("rank()") && order.is_empty() {
            "ORDER BY 1".to_string()
        } else {
            order
        };
        format!("({call} OVER ({partition}{order}))::int")
    }

    fn limited(&mut self, outer: &[Column]) -> Query {
        self.uses("LIMIT inside");
        let (columns, body) = self.body(outer);
        let (n, m, s) = (self.number(&columns), self.number(&columns), self.text(&columns));
        let limit = *self.random.pick(&["LIMIT 1", "LIMIT 2", "LIMIT 3 OFFSET 1"]);
        numbers_and_text(format!(
            "SELECT {n} AS n, {m} AS m, {s} AS s {body} ORDER BY 1, 2, 3 {limit}"
        ))
    }

    fn combined(&mut self, outer: &[Column]) -> Query {
        let (word, construct) = *self.random.pick(&[
            ("UNION", "UNION"),
            ("UNION ALL", "UNION"),
            ("EXCEPT", "EXCEPT"),
            ("EXCEPT ALL", "EXCEPT"),
            ("INTERSECT", "INTERSECT"),
        ]);
        self.uses(construct);
        let (left, right) = (
            self.scoped(|this| this.plain(outer)),
            self.scoped(|this| this.plain(outer)),
        );
        let limit = match self.chance(10) {
            true => " ORDER BY 1, 2, 3 LIMIT 2",
            false => "",
        };
        numbers_and_text(format!("{} {word} {}{limit}", left.sql, right.sql))
    }

    fn total(&mut self, outer: &[Column]) -> Query {
        self.uses("aggregate without GROUP BY");
        let (columns, body) = self.body(outer);
        let (n, m) = (self.aggregate(&columns), self.aggregate(&columns));
        numbers_only(format!("SELECT {n} AS n, {m} AS m {body}"))
    }

    /// A sub-select in an expression: one column, or none for EXISTS.
    pub(super) fn sub_select(&mut self, outer: &[Column], of: Option<Type>) -> String {
        self.note_correlation(outer);
        let Some(of) = of else {
            let (columns, body) = self.body(outer);
            return match self.chance(15) {
                true => format!("SELECT 1 {body} HAVING {} > 1", self.aggregate(&columns)),
                false => format!("SELECT FROM (SELECT 1 {body}) e"),
            };
        };
        if self.chance(35) {
            let query = self.query(outer);
            let fitting: Vec<&str> = query
                .columns
                .iter()
                .filter(|(_, column)| *column == of)
                .map(|(name, _)| name.as_str())
                .collect();
            if !fitting.is_empty() {
                let name = *self.random.pick(&fitting);
                return format!("SELECT q.{name} FROM ({}) q", query.sql);
            }
        }
        let (columns, body) = self.body(outer);
        let value = match of {
            Type::Text => self.text(&columns),
            _ => self.number(&columns),
        };
        match self.random.upto(6) {
            1 => format!("SELECT {value} {body} GROUP BY 1 HAVING count(*) > 1"),
            2 => format!("SELECT DISTINCT {value} {body}"),
            3 => format!("SELECT {value} {body} ORDER BY 1 LIMIT 2"),
            _ => format!("SELECT {value} {body}"),
        }
    }

    fn note_correlation(&mut self, outer: &[Column]) {
        if !outer.is_empty() {
            self.uses("sub-select in an expression");
        }
    }

    /// A sub-select with two columns.
    pub(super) fn pairs(&mut self, outer: &[Column]) -> String {
        let (columns, body) = self.body(outer);
        let (n, m) = (self.number(&columns), self.number(&columns));
        format!("SELECT {n}, {m} {body}")
    }

    /// A sub-select with one value.
    pub(super) fn scalar(&mut self, outer: &[Column]) -> String {
        self.uses("scalar sub-select");
        let (columns, body) = self.body(outer);
        match self.chance(30) {
            true => format!("SELECT {} {body} ORDER BY 1 LIMIT 1", self.number(&columns)),
            false => format!("SELECT {} {body}", self.aggregate(&columns)),
        }
    }
}

fn numbers_only(sql: String) -> Query {
    Query {
        sql,
        columns: vec![("n".to_string(), Type::Int), ("m".to_string(), Type::Int)],
    }
}

fn numbers_and_text(sql: String) -> Query {
    let mut query = numbers_only(sql);
    query.columns.push(("s".to_string(), Type::Text));
    query
}
