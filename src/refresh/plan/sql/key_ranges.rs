//! Keys in order: the next keys after a key, and conditions for a range of keys.

use super::KeyRange;
use crate::refresh::comparison::key_order::KeyOrder;
use crate::refresh::plan::shape::Shape;

impl Shape {
    /// The next keys of view and table, in descending order: about `$1` keys; with `after`, those after the
    /// key in `$2`, `$3`, ... Also whether there may be more keys, and whether the table has rows with any of
    /// these. Without `all`, only the last key.
    ///
    /// Neither view nor table has more than `$1` rows with these keys, apart from rows that repeat the last
    /// key.
    pub fn next_keys(&self, order: &KeyOrder, after: bool, all: bool) -> String {
        let from = |of: &str| {
            if after {
                format!(" AND {}", self.compared(of, &order.greater, 2))
            } else {
                String::new()
            }
        };
        let some = |name: &str, of: &str, relation: &str, not_null: String| {
            format!(
                "{name} AS MATERIALIZED (SELECT {} FROM {relation} AS {of} WHERE {not_null}{} ORDER BY {} LIMIT $1)",
                self.columns_of(of, ""),
                from(of),
                self.columns_of(of, "")
            )
        };
        let last = |name: &str| {
            format!(
                "(SELECT * FROM {name} WHERE (SELECT count(*) FROM {name}) >= $1 ORDER BY {} LIMIT 1)",
                self.columns_of(name, " DESC")
            )
        };
        let in_reach = |of: &str| {
            format!(
                "(NOT EXISTS (SELECT 1 FROM ends) OR ({}) {} (SELECT {} FROM ends))",
                self.columns_of(of, ""),
                order.at_most,
                self.columns_of("ends", "")
            )
        };
        format!(
            "WITH {in_view}, {in_table}, \
             ends AS MATERIALIZED (SELECT * FROM ({last_in_view} UNION ALL {last_in_table}) AS e ORDER BY {first_end} LIMIT 1) \
             SELECT {keys}, EXISTS (SELECT 1 FROM ends), EXISTS (SELECT 1 FROM in_table WHERE {in_reach_in_table}) \
               FROM (SELECT * FROM in_view UNION SELECT * FROM in_table) AS k WHERE {in_reach} ORDER BY {descending}{limit}",
            in_view = some("in_view", "v", &self.view, self.key_not_null("v")),
            in_table = some("in_table", "tv", &self.rows(), "true".to_string()),
            last_in_view = last("in_view"),
            last_in_table = last("in_table"),
            first_end = self.columns_of("e", ""),
            keys = self.views_keys("k"),
            in_reach_in_table = in_reach("in_table"),
            in_reach = in_reach("k"),
            descending = self.columns_of("k", " DESC"),
            limit = if all { "" } else { " LIMIT 1" },
        )
    }

    /// A range of keys: with `after`, after the key in the first parameters; with `upto`, up to the key in
    /// the next ones. One parameter per key column.
    pub fn range(&self, order: &KeyOrder, after: bool, upto: bool) -> KeyRange {
        let condition = |of: &str| {
            let mut conditions = Vec::new();
            if after {
                conditions.push(self.compared(of, &order.greater, 1));
            }
            if upto {
                let first = if after { 1 + self.key.len() } else { 1 };
                conditions.push(self.compared(of, &order.at_most, first));
            }
            if conditions.is_empty() {
                conditions.push("true".to_string());
            }
            conditions.join(" AND ")
        };
        KeyRange {
            view: condition("v"),
            table: condition("tv"),
            parameters: self.key.len() * (usize::from(after) + usize::from(upto)),
        }
    }

    /// Compares the key of a row with the key in the parameters from `$first` on.
    fn compared(&self, of: &str, operator: &str, first: usize) -> String {
        let parameters: Vec<String> = self
            .key
            .iter()
            .enumerate()
            .map(|(n, k)| format!("${}::{}", n + first, k.view_type))
            .collect();
        format!(
            "({}) {operator} ({})",
            self.columns_of(of, ""),
            parameters.join(", ")
        )
    }
}
