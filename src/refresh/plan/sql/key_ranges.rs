//! Keys in order: the next keys after a key, and conditions for a range of keys.

use super::KeyRange;
use crate::refresh::comparison::key_order::KeyOrder;
use crate::refresh::plan::shape::Shape;

impl Shape {
    /// The keys that follow one another in view and table, in descending order: about `$1` of them, those after the
    /// key in `$2`, `$3`, ... if `after`; whether there may be more; and whether the table has rows with any of them. Neither
    /// view nor table have more than `$1` rows with them, apart from those that repeat the last one. Only the last of
    /// them if they are not `all` wanted.
    pub fn next_keys(&self, order: &KeyOrder, after: bool, all: bool) -> String {
        let from = |of: &str| match after {
            true => format!(" AND {}", self.compared(of, &order.greater, 2)),
            false => String::new(),
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
            in_view = some("in_view", "v", &self.view, self.key_not_null()),
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

    /// Rows with keys after the one in the first parameters, if `after`, and up to the one in the next, if `upto`: one
    /// for each column.
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
        }
    }

    /// The key of a row compared with the one in the parameters from `first` on.
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
