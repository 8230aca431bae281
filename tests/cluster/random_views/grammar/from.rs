//! What stands in FROM.

use super::{Column, Grammar, Item};
use crate::random_views::schema::{Kind, Type, COLUMNS};

impl Grammar<'_> {
    /// A table under an alias.
    pub(super) fn table(&mut self) -> Item {
        let table = *self.random.pick(&self.tables);
        let alias = self.alias();
        let mut only = "";
        match table.kind {
            Kind::Plain => {}
            Kind::Partitioned => self.uses("partitioned table"),
            Kind::Inherited => {
                self.uses("inherited table");
                if self.chance(25) {
                    only = "ONLY ";
                }
            }
        }
        let columns = COLUMNS
            .iter()
            .chain(&[("u", Type::Uuid)])
            .map(|(name, of)| Column {
                sql: format!("{alias}.{name}"),
                of: *of,
            })
            .collect();
        Item {
            sql: format!("{only}{} {alias}", table.name),
            columns,
        }
    }

    /// Joined items. `outer`: what sub-selects around this one offer.
    pub(super) fn tree(&mut self, outer: &[Column]) -> Item {
        let mut tree = self.item(outer);
        while self.more(45) {
            tree = self.join(tree, outer);
        }
        tree
    }

    /// One more join, the tree on either side.
    pub(super) fn join(&mut self, tree: Item, outer: &[Column]) -> Item {
        if self.chance(20) {
            if let Some(joined) = self.join_lateral(&tree, outer) {
                return joined;
            }
        }
        let other = if self.more(15) {
            self.tree_of_two(outer)
        } else {
            self.item(outer)
        };
        let (kind, construct) = *self.random.pick(&[
            ("JOIN", "inner join"),
            ("JOIN", "inner join"),
            ("LEFT JOIN", "left join"),
            ("LEFT JOIN", "left join"),
            ("RIGHT JOIN", "right join"),
            ("FULL JOIN", "full join"),
        ]);
        self.uses(construct);
        let mut columns = tree.columns.clone();
        columns.extend(other.columns.iter().cloned());
        let mut on = self.tie(&tree.columns, &other.columns);
        // A full join must be merged or hashed: no other conditions.
        if construct != "full join" && self.more(15) {
            on = format!("{on} AND {}", self.condition(&columns, outer));
        }
        Item {
            sql: format!("{} {kind} {} ON {on}", tree.sql, other.sql),
            columns,
        }
    }

    fn tree_of_two(&mut self, outer: &[Column]) -> Item {
        let first = self.item(outer);
        let joined = self.join(first, outer);
        Item {
            sql: format!("({})", joined.sql),
            columns: joined.columns,
        }
    }

    /// An equality of two sides that a full join can use as well.
    fn tie(&mut self, left: &[Column], right: &[Column]) -> String {
        match self.pair(left, right) {
            Some((left, right, Type::Text)) if self.chance(30) => format!("lower({left}) = lower({right})"),
            Some((left, right, Type::Int)) if self.chance(10) => format!("{left} + 1 = {right}"),
            Some((left, right, Type::Int)) if self.chance(8) => {
                format!("coalesce({left}, 0) = coalesce({right}, 0)")
            }
            Some((left, right, _)) => format!("{left} = {right}"),
            None => "true".to_string(),
        }
    }

    fn join_lateral(&mut self, tree: &Item, outer: &[Column]) -> Option<Item> {
        let alias = self.alias();
        let mut visible = tree.columns.clone();
        visible.extend(outer.iter().cloned());
        let (sql, columns) = if self.chance(40) {
            self.uses("function in FROM");
            let call = if self.chance(50) {
                format!("unnest({})", self.column(&tree.columns, Type::Array)?)
            } else {
                let doc = self.column(&tree.columns, Type::Document)?;
                let elements = format!("SELECT e::int FROM jsonb_array_elements_text({doc}) AS e");
                match self.chance(50) {
                    true => format!("unnest(ARRAY({elements}))"),
                    false => format!("({elements})"),
                }
            };
            (
                format!("{call} AS {alias}(n)"),
                vec![("n".to_string(), Type::Int)],
            )
        } else {
            self.uses("LATERAL");
            let query = self.scoped(|this| this.query(&visible));
            (format!("({}) AS {alias}", query.sql), query.columns)
        };
        let own: Vec<Column> = columns
            .iter()
            .map(|(name, of)| Column {
                sql: format!("{alias}.{name}"),
                of: *of,
            })
            .collect();
        let mut columns = tree.columns.clone();
        let join = if self.chance(50) {
            format!("{} CROSS JOIN LATERAL {sql}", tree.sql)
        } else {
            self.uses("left join");
            let on = match self.chance(30) {
                true => self.tie(&tree.columns, &own),
                false => "true".to_string(),
            };
            format!("{} LEFT JOIN LATERAL {sql} ON {on}", tree.sql)
        };
        columns.extend(own);
        Some(Item { sql: join, columns })
    }

    /// A table, a view, a sub-select, a CTE, a join with USING or constants.
    fn item(&mut self, outer: &[Column]) -> Item {
        match self.random.upto(100) {
            1..=6 => self.using(),
            7 | 8 => self.natural(),
            9..=15 if !self.views.is_empty() => {
                self.uses("view on view");
                let (name, query) = self.random.pick(&self.views).clone();
                self.named(name, query.columns)
            }
            16..=26 if self.more(100) => {
                self.uses("sub-select in FROM");
                let query = self.scoped(|this| this.query(outer));
                self.named(format!("({})", query.sql), query.columns)
            }
            27..=34 if self.more(100) => {
                self.uses("CTE");
                if self.ctes.is_empty() || self.chance(60) {
                    let query = self.scoped(|this| this.query(&[]));
                    self.ctes.push(query);
                }
                let number = self.random.upto(self.ctes.len() as u64) as usize - 1;
                let columns = self.ctes[number].columns.clone();
                self.named(format!("c{number}"), columns)
            }
            35 => {
                let alias = self.alias();
                Item {
                    sql: format!("(VALUES (1), (2), (3)) AS {alias}(n)"),
                    columns: vec![Column {
                        sql: format!("{alias}.n"),
                        of: Type::Int,
                    }],
                }
            }
            _ => self.table(),
        }
    }

    fn named(&mut self, sql: String, columns: Vec<(String, Type)>) -> Item {
        let alias = self.alias();
        Item {
            sql: format!("{sql} AS {alias}"),
            columns: columns
                .into_iter()
                .map(|(name, of)| Column {
                    sql: format!("{alias}.{name}"),
                    of,
                })
                .collect(),
        }
    }

    fn using(&mut self) -> Item {
        self.uses("USING");
        let (left, right) = (self.table(), self.table());
        let merged = self.alias();
        let kind = *self
            .random
            .pick(&["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"]);
        let (name, of) = *self.random.pick(&COLUMNS[..5]);
        let mut columns = left.columns;
        columns.extend(right.columns);
        for _ in 0..4 {
            columns.push(Column {
                sql: format!("{merged}.{name}"),
                of,
            });
        }
        Item {
            sql: format!("({} {kind} {} USING ({name}) AS {merged})", left.sql, right.sql),
            columns,
        }
    }

    /// Both sides offer the column `n`.
    fn natural(&mut self) -> Item {
        self.uses("NATURAL");
        let (left, right) = (self.table(), self.table());
        let kind = *self
            .random
            .pick(&["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"]);
        let (n, other) = (
            self.column(&left.columns, Type::Int),
            self.column(&right.columns, Type::Int),
        );
        let (n, other) = (n.unwrap_or_default(), other.unwrap_or_default());
        let (m, s) = (&left.columns[0].sql, &right.columns[4].sql);
        let sql = format!(
            "(SELECT n, m, s FROM (SELECT {n} AS n, {m} AS m FROM {}) l NATURAL {kind} (SELECT {other} AS n, {s} AS s FROM {}) r)",
            left.sql, right.sql
        );
        let columns = [("n", Type::Int), ("m", Type::Int), ("s", Type::Text)];
        self.named(sql, columns.map(|(name, of)| (name.to_string(), of)).to_vec())
    }
}
