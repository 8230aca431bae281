//! Statements about keys of a TVIEW: which there are, which rows of the table they are of, who holds these.

use super::key_order::KeyOrder;
use super::texts::{unquote, Key, Shape, Within};
use crate::postgres::relation::{quote, quote_literal};

impl Shape {
    /// A key query that returns only some of the key columns (by their plain names), as one that returns keys: those
    /// of the table's rows with these values.
    pub fn whole_keys(&self, columns: &[String], query: &str) -> String {
        let (part, rest): (Vec<&Key>, Vec<&Key>) = self
            .key
            .iter()
            .partition(|k| columns.iter().any(|column| quote(column) == k.name));
        if rest.is_empty() {
            return query.to_string();
        }
        let keys: Vec<String> = self
            .key
            .iter()
            .map(|k| format!("tv.{}::{} AS {}", k.name, k.view_type, k.name))
            .collect();
        let same: Vec<String> = part
            .iter()
            .map(|k| {
                format!(
                    "tv.{} {} part.{}::{}",
                    k.name, k.table_equality, k.name, k.table_type
                )
            })
            .collect();
        format!(
            "SELECT {} FROM ({query}) AS part, {} AS tv WHERE {}",
            keys.join(", "),
            self.table,
            same.join(" AND ")
        )
    }

    /// Keys as JSON objects, in the order given.
    pub fn key_objects(&self) -> String {
        let pairs: Vec<String> = self
            .key
            .iter()
            .map(|k| {
                format!(
                    "{}, k.{}::{}",
                    quote_literal(&unquote(&k.name)),
                    k.name,
                    k.view_type
                )
            })
            .collect();
        let arrays: Vec<String> = (1..=self.key.len()).map(|n| format!("${n}")).collect();
        format!(
            "SELECT jsonb_build_object({})::text FROM unnest({}) WITH ORDINALITY AS k({}, position) ORDER BY position",
            pairs.join(", "),
            arrays.join(", "),
            self.key_names()
        )
    }

    /// Locks the table's rows of the wanted keys against other writers, in the order of the keys: two who want the same rows
    /// wait for each other, and not crosswise.
    pub fn lock_rows(&self) -> String {
        let order: Vec<String> = self.key.iter().map(|k| format!("tv.{}", k.name)).collect();
        format!(
            "SELECT 1 FROM {} AS tv, ({}) AS k WHERE {} ORDER BY {} FOR NO KEY UPDATE OF tv",
            self.table,
            self.wanted_keys(),
            self.wanted("tv"),
            order.join(", ")
        )
    }

    /// Which of the keys given, counted from 1, are those of rows that somebody else holds. Locks the rows of the others, in the
    /// order of the keys.
    pub fn held_rows(&self) -> String {
        let order: Vec<String> = self.key.iter().map(|k| format!("tv.{}", k.name)).collect();
        let position = "pg_tviews position";
        format!(
            "WITH given AS MATERIALIZED (SELECT {typed}, k.\"{position}\" \
               FROM unnest({arrays}) WITH ORDINALITY AS k({names}, \"{position}\")), \
             free AS MATERIALIZED (SELECT tv.tableoid, tv.ctid AS row FROM {table} AS tv \
               WHERE EXISTS (SELECT 1 FROM given k WHERE {wanted}) ORDER BY {order} FOR NO KEY UPDATE SKIP LOCKED) \
             SELECT k.\"{position}\" FROM {table} AS tv, given k \
              WHERE {wanted} AND (tv.tableoid, tv.ctid) NOT IN (SELECT tableoid, row FROM free)",
            typed = self.typed_keys(),
            arrays = self.key_arrays(),
            names = self.key_names(),
            table = self.table,
            wanted = self.wanted("tv"),
            order = order.join(", "),
        )
    }

    /// Every key that view or table has, as texts.
    pub fn every_key(&self) -> String {
        format!(
            "SELECT {} FROM {} AS v WHERE {} UNION SELECT {} FROM {} AS tv",
            self.key_texts("v"),
            self.view,
            self.key_not_null(),
            self.key_texts("tv"),
            self.table
        )
    }

    /// The keys that follow one another in view and table, as texts and in descending order: about `$1` of them, those after the
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
             SELECT {texts}, EXISTS (SELECT 1 FROM ends), EXISTS (SELECT 1 FROM in_table WHERE {in_reach_in_table}) \
               FROM (SELECT * FROM in_view UNION SELECT * FROM in_table) AS k WHERE {in_reach} ORDER BY {descending}{limit}",
            in_view = some("in_view", "v", &self.view, self.key_not_null()),
            in_table = some("in_table", "tv", &self.table, "true".to_string()),
            last_in_view = last("in_view"),
            last_in_table = last("in_table"),
            first_end = self.columns_of("e", ""),
            texts = self.key_texts("k"),
            in_reach_in_table = in_reach("in_table"),
            in_reach = in_reach("k"),
            descending = self.columns_of("k", " DESC"),
            limit = if all { "" } else { " LIMIT 1" },
        )
    }

    /// Rows with keys after the one in the first parameters, if `after`, and up to the one in the next, if `upto`: a text
    /// for each column.
    pub fn within(&self, order: &KeyOrder, after: bool, upto: bool) -> Within {
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
        Within {
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

    fn columns_of(&self, of: &str, direction: &str) -> String {
        let columns: Vec<String> = self
            .key
            .iter()
            .map(|k| format!("{of}.{}{direction}", k.name))
            .collect();
        columns.join(", ")
    }

    /// Up to `$1` keys of the table, as texts.
    pub fn some_keys(&self) -> String {
        format!(
            "SELECT {} FROM {} AS tv LIMIT $1",
            self.key_texts("tv"),
            self.table
        )
    }

    /// Those of the keys in the parameters that the table has, as texts.
    pub fn keys_in_table(&self) -> String {
        format!(
            "WITH wanted AS MATERIALIZED ({}) SELECT {} FROM wanted k, {} AS tv WHERE {}",
            self.wanted_keys(),
            self.key_texts("tv"),
            self.table,
            self.wanted("tv")
        )
    }

    fn key_texts(&self, of: &str) -> String {
        let texts: Vec<String> = self
            .key
            .iter()
            .map(|k| format!("{of}.{}::{}::text", k.name, k.view_type))
            .collect();
        texts.join(", ")
    }

    /// Whether the view returns rows with a NULL key.
    pub fn null_keys(&self) -> String {
        let nulls: Vec<String> = self.key.iter().map(|k| format!("v.{} IS NULL", k.name)).collect();
        format!(
            "SELECT EXISTS (SELECT 1 FROM {} AS v WHERE {})",
            self.view,
            nulls.join(" OR ")
        )
    }
}
