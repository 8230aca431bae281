//! Queries of every kind the parser knows, whatever sense they make: nested at random, some of them not valid.

use crate::harness::Random;

/// Tables that queries read, all with these columns, one partitioned, one inherited, one view.
pub const TABLES: [&str; 5] = ["q0", "q1", "q2", "q_view", "q_parts"];

pub struct Grammar<'r> {
    pub random: &'r mut Random,
    /// Names of CTEs in scope.
    ctes: Vec<String>,
    names: usize,
    /// What may still be nested.
    left: usize,
}

impl Grammar<'_> {
    pub fn new(random: &mut Random, size: usize) -> Grammar<'_> {
        Grammar {
            random,
            ctes: Vec::new(),
            names: 0,
            left: size,
        }
    }

    /// A query with the columns `id` (int), `a` (int), `t` (text) and `doc` (jsonb).
    pub fn query(&mut self) -> String {
        self.left = self.left.saturating_sub(1);
        if self.left == 0 {
            let table = *self.random.pick(&TABLES);
            return format!("SELECT id, a, t, doc FROM {table}");
        }
        match self.random.upto(12) {
            1..=2 => self.with(),
            3 => self.set_operation(),
            4 => format!("(SELECT * FROM ({}) {})", self.query(), self.name()),
            5 => self.window(),
            6 => self.grouped(),
            _ => self.select(),
        }
    }

    fn name(&mut self) -> String {
        self.names += 1;
        format!("n{}", self.names)
    }

    fn with(&mut self) -> String {
        let before = self.ctes.len();
        let recursive = self.random.chance(25);
        let mut parts = Vec::new();
        for _ in 0..self.random.upto(3) {
            let name = self.name();
            let how = *self.random.pick(&["", "", "MATERIALIZED ", "NOT MATERIALIZED "]);
            let query = self.query();
            let part = match recursive && self.random.chance(50) {
                true => {
                    let union = *self.random.pick(&["UNION", "UNION ALL"]);
                    let tail = *self.random.pick(&[
                        "",
                        "",
                        " CYCLE id SET seen USING way",
                        " SEARCH BREADTH FIRST BY id SET place",
                    ]);
                    format!(
                        "{name}(id, a, t, doc) AS (({query}) {union} SELECT n.id + 1, n.a, n.t, n.doc FROM {name} n WHERE n.id < 9){tail}"
                    )
                }
                false => format!("{name} AS {how}({query})"),
            };
            parts.push(part);
            self.ctes.push(name);
        }
        let word = if recursive { "WITH RECURSIVE" } else { "WITH" };
        let query = format!("{word} {} {}", parts.join(", "), self.query());
        self.ctes.truncate(before);
        query
    }

    fn set_operation(&mut self) -> String {
        let operator = *self
            .random
            .pick(&["UNION ALL", "UNION", "INTERSECT", "EXCEPT", "EXCEPT ALL"]);
        format!("({}) {operator} ({})", self.query(), self.query())
    }

    fn window(&mut self) -> String {
        let item = self.item();
        let over = *self.random.pick(&[
            "PARTITION BY x.id",
            "PARTITION BY x.a ORDER BY x.id",
            "ORDER BY x.id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW EXCLUDE TIES",
            "PARTITION BY x.id, x.t ORDER BY x.a RANGE BETWEEN 2 PRECEDING AND 2 FOLLOWING",
        ]);
        format!(
            "SELECT x.id, (rank() OVER w)::int AS a, (first_value(x.t) OVER w) AS t, x.doc FROM {item} AS x WINDOW w AS ({over})"
        )
    }

    fn grouped(&mut self) -> String {
        let item = self.item();
        let by = *self.random.pick(&[
            "x.id",
            "x.id, x.a",
            "GROUPING SETS ((x.id), ())",
            "ROLLUP (x.id, x.a)",
            "CUBE (x.id)",
        ]);
        let a = *self.random.pick(&[
            "count(*) FILTER (WHERE x.a > 1)::int",
            "(percentile_disc(0.5) WITHIN GROUP (ORDER BY x.a))",
            "sum(DISTINCT x.a)::int",
            "(mode() WITHIN GROUP (ORDER BY x.a DESC))",
        ]);
        let having = *self
            .random
            .pick(&["", " HAVING count(*) > 0", " HAVING x.id IS NOT NULL"]);
        format!(
            "SELECT x.id, {a} AS a, string_agg(x.t, ',' ORDER BY x.t COLLATE \"C\") AS t, jsonb_agg(x.doc ORDER BY x.a, x.doc) AS doc \
             FROM {item} AS x GROUP BY {by}{having}"
        )
    }

    fn select(&mut self) -> String {
        let distinct = *self
            .random
            .pick(&["", "", "", "DISTINCT ", "DISTINCT ON (x.id) "]);
        let from = self.from();
        let (a, t, doc) = (self.int(), self.text(), self.document());
        let condition = self.condition();
        let tail = *self.random.pick(&[
            "",
            "",
            "",
            "",
            "",
            "",
            "",
            " ORDER BY x.id",
            " ORDER BY x.id LIMIT 3",
            " ORDER BY x.id FETCH FIRST 2 ROWS WITH TIES",
            " OFFSET 1",
            " FOR UPDATE",
            " ORDER BY x.id, x.a DESC NULLS LAST",
        ]);
        format!("SELECT {distinct}x.id, {a} AS a, {t} AS t, {doc} AS doc FROM {from} WHERE {condition}{tail}")
    }

    /// Something with rows, without its alias.
    fn item(&mut self) -> String {
        if !self.ctes.is_empty() && self.random.chance(40) {
            let ctes = self.ctes.clone();
            return self.random.pick(&ctes).clone();
        }
        match self.random.upto(14) {
            1..=3 => format!("({})", self.query()),
            4 => "(VALUES (1, 2, 'v', '{}'::jsonb), (2, NULL, 'w', '[1]'))".to_string(),
            5 => "LATERAL (SELECT 1 AS id, 1 AS a, 'l' AS t, '1'::jsonb AS doc)".to_string(),
            6 => "ONLY q_parts".to_string(),
            _ => self.random.pick(&TABLES).to_string(),
        }
    }

    /// `x` has the columns of a query; others stand beside it.
    fn from(&mut self) -> String {
        let item = self.item();
        let columns = if item.contains("VALUES") {
            "(id, a, t, doc)"
        } else {
            ""
        };
        let mut from = format!("{item} AS x{columns}");
        for _ in 1..self.random.upto(3) {
            let name = self.name();
            let join = *self
                .random
                .pick(&["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"]);
            let item = self.item();
            let columns = if item.contains("VALUES") {
                "(id, a, t, doc)"
            } else {
                ""
            };
            from = match self.random.upto(9) {
                1 => format!("{from} CROSS JOIN {item} AS {name}{columns}"),
                2 => format!("{from} CROSS JOIN LATERAL unnest(x.arr) WITH ORDINALITY AS {name}(v, n)"),
                3 => format!("{from}, ROWS FROM (generate_series(1, 2), json_to_recordset('[{{\"q\": 1}}]') AS (q int)) AS {name}(s, q)"),
                4 => format!("{from}, XMLTABLE('/r/c' PASSING '<r><c>1</c></r>'::xml COLUMNS v int PATH '.') AS {name}"),
                5 => format!("{from} CROSS JOIN q0 AS {name} TABLESAMPLE BERNOULLI (100)"),
                6 => format!("{from} LEFT JOIN LATERAL ({}) AS {name} ON {name}.a = x.a", self.query()),
                7 => format!("{from} {join} {item} AS {name}{columns} ON ({name}.id, {name}.a) = (x.id, x.a)"),
                _ => format!("{from} {join} {item} AS {name}{columns} ON {name}.id = x.id"),
            };
        }
        from
    }

    fn int(&mut self) -> String {
        if self.random.chance(25) && self.left > 1 {
            return format!("(SELECT max(s.a) FROM ({}) AS s WHERE s.id = x.id)", self.query());
        }
        self.random
            .pick(&[
                "x.a",
                "COALESCE(x.a, x.id, 0)",
                "CASE x.a WHEN 1 THEN x.id ELSE x.a END",
                "GREATEST(x.a, x.id)",
                "NULLIF(x.a, 1)",
                "(ARRAY[x.a, x.id])[1]",
                "(x.doc -> 0)::text::int",
                "x.a::q_domain::int",
                "extract(day FROM DATE '2026-01-05' + x.a)::int",
                "(ROW(x.a, x.id)::q_pair).one",
                "length(x.*::text)",
                "(x.a + x.id) % 7",
            ])
            .to_string()
    }

    fn text(&mut self) -> String {
        self.random
            .pick(&[
                "x.t",
                "x.t COLLATE \"C\"",
                "x::text",
                "CAST(x.a AS text) || x.t",
                "format('%s-%s', x.id, x.t)",
                "substring(x.t FROM 1 FOR 2)",
                "trim(BOTH 'x' FROM x.t)",
                "xmlelement(name e, xmlattributes(x.id AS i), x.t)::text",
                "xmlforest(x.id, x.a)::text",
                "current_schema::text",
                "(array_agg(x.t) OVER ())[1]",
                "overlay(x.t PLACING 'o' FROM 1)",
                "x.tableoid::regclass::text",
                "U&'\\0061' || x.t",
            ])
            .to_string()
    }

    fn document(&mut self) -> String {
        if self.random.chance(20) && self.left > 1 {
            let name = self.name();
            return format!(
                "to_jsonb(ARRAY(SELECT {name}.id FROM ({}) AS {name} WHERE {name}.a = x.a ORDER BY 1))",
                self.query()
            );
        }
        self.random
            .pick(&[
                "x.doc",
                "to_jsonb(x)",
                "jsonb_build_object('id', x.id, 'row', to_jsonb(x.*))",
                "x.doc || jsonb_build_array(x.a)",
                "x.doc['k']",
                "jsonb_path_query_first(x.doc, '$.*')",
                "row_to_json(ROW(x.id, x.t))::jsonb",
                "'1'::jsonb",
            ])
            .to_string()
    }

    fn condition(&mut self) -> String {
        if self.random.chance(30) && self.left > 1 {
            let name = self.name();
            let query = self.query();
            return match self.random.upto(7) {
                1 => format!("EXISTS (SELECT FROM ({query}) AS {name} WHERE {name}.id = x.id)"),
                2 => format!("NOT EXISTS (SELECT 1 FROM ({query}) AS {name} WHERE {name}.a = x.id OFFSET 0)"),
                3 => format!("x.id = ANY (SELECT {name}.id FROM ({query}) AS {name})"),
                4 => format!("x.a <= ALL (SELECT {name}.a FROM ({query}) AS {name})"),
                5 => format!("(x.id, x.a) IN (SELECT {name}.id, {name}.a FROM ({query}) AS {name})"),
                6 => format!("x.id NOT IN (SELECT {name}.id FROM ({query}) AS {name} WHERE {name}.id IS NOT NULL)"),
                _ => format!("(x.id, x.t) = (SELECT {name}.id, {name}.t FROM ({query}) AS {name} WHERE {name}.id = x.id LIMIT 1)"),
            };
        }
        let simple = [
            "true",
            "x.a > 0 AND x.id < 100",
            "x.a IS DISTINCT FROM x.id",
            "x.id BETWEEN SYMMETRIC 9 AND 1",
            "(x.a, x.id) < (5, 5)",
            "ROW(x.a, x.id) IS NOT NULL",
            "x.a = ANY ('{1,2,3}'::int[])",
            "x.t LIKE 'a%' ESCAPE '!' OR x.t SIMILAR TO '(a|b)%'",
            "x.doc @> '{}' OR x.doc IS NULL",
            "(x.a > 1) IS NOT TRUE",
            "NOT (x.a = 2)",
            "x IS NOT NULL OR x.a IS NULL",
            "(DATE '2026-01-01', INTERVAL '1 day') OVERLAPS (DATE '2026-01-01', DATE '2026-02-01')",
            "x.t IS NORMALIZED OR x.t IS NULL",
            "x.id OPERATOR(pg_catalog.=) x.id",
        ];
        let (one, other) = (*self.random.pick(&simple), *self.random.pick(&simple));
        match self.random.upto(3) {
            1 => format!("({one}) AND ({other})"),
            2 => format!("({one}) OR ({other})"),
            _ => one.to_string(),
        }
    }
}
