//! Statements about keys of a TVIEW: which there are, which rows of the table they are of, who holds these.

use super::key_column::KeyColumn;
use super::recompute_sql::Within;
use super::shape::Shape;
use crate::lineage::Rowcount;
use crate::postgres::quote;
use crate::refresh::comparison::key_order::KeyOrder;

impl Shape {
    /// A key query that returns only some of the key columns (by their plain names), as one that returns keys: those
    /// of the table's rows with these values.
    pub fn whole_keys(&self, columns: &[String], query: &str) -> String {
        let (part, rest): (Vec<&KeyColumn>, Vec<&KeyColumn>) = self
            .key
            .iter()
            .partition(|k| columns.iter().any(|column| quote::identifier(column) == k.name));
        if rest.is_empty() {
            return query.to_string();
        }
        let same: Vec<String> = part
            .iter()
            .map(|k| {
                let value = k.any_as_tables(&format!("part.{}", k.name));
                format!("tv.{} {} {value}", k.name, k.table_equality)
            })
            .collect();
        format!(
            "SELECT {} FROM ({query}) AS part, {} AS tv WHERE {}",
            self.views_keys("tv"),
            self.rows(),
            same.join(" AND ")
        )
    }

    /// The keys that some queries find, each once.
    pub fn distinct_keys(&self, queries: &[String]) -> String {
        let keys: Vec<String> = self
            .key
            .iter()
            .map(|k| k.as_views(&format!("affected.{}", k.name)))
            .collect();
        format!(
            "SELECT DISTINCT {} FROM ({}) AS affected",
            keys.join(", "),
            queries.join(" UNION ALL ")
        )
    }

    /// Locks the table's rows of the wanted keys against other writers, in the order of the keys: two who want the same rows
    /// wait for each other, and not crosswise.
    pub fn lock_rows(&self) -> String {
        format!(
            "SELECT 1 FROM {} AS tv, ({}) AS k WHERE {} ORDER BY {} FOR NO KEY UPDATE OF tv",
            self.rows(),
            self.wanted_keys(),
            self.wanted("tv"),
            self.order("tv")
        )
    }

    /// Which of the keys given, counted from 1, are those of rows that somebody else holds. Locks the rows of the others, in the
    /// order of the keys.
    pub fn held_rows(&self) -> String {
        let place = self.unused_name("position");
        format!(
            "WITH given AS MATERIALIZED ({given}), \
             free AS MATERIALIZED (SELECT tv.ctid AS row FROM {rows} AS tv \
               WHERE EXISTS (SELECT 1 FROM given k WHERE {wanted}) ORDER BY {order} FOR NO KEY UPDATE SKIP LOCKED) \
             SELECT k.{place} FROM {rows} AS tv, given k WHERE {wanted} AND tv.ctid NOT IN (SELECT row FROM free)",
            given = self.given_keys(1, &place),
            rows = self.rows(),
            wanted = self.wanted("tv"),
            order = self.order("tv"),
        )
    }

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

    /// Which of the keys in the parameters, counted from 1, the table has.
    pub fn keys_in_table(&self) -> String {
        let place = self.unused_name("position");
        format!(
            "WITH given AS MATERIALIZED ({}) SELECT DISTINCT k.{place} FROM given k, {} AS tv WHERE {}",
            self.given_keys(1, &place),
            self.rows(),
            self.wanted("tv")
        )
    }

    /// Of the keys in the parameters, counted from 1, the first of those that are equal.
    pub fn first_of_equal(&self) -> String {
        let place = self.unused_name("position");
        format!(
            "SELECT min(k.{place}) FROM ({}) AS k GROUP BY {}",
            self.given_keys(1, &place),
            self.columns_of("k", "")
        )
    }

    /// Pairs of equal keys, counted from 1: of those in the first half of the parameters with those in the second.
    pub fn equal_keys(&self) -> String {
        let place = self.unused_name("position");
        let same: Vec<String> = self
            .key
            .iter()
            .map(|k| format!("a.{} {} b.{}", k.name, k.view_equality, k.name))
            .collect();
        format!(
            "SELECT a.{place}, b.{place} FROM ({}) AS a, ({}) AS b WHERE {} ORDER BY 1, 2",
            self.given_keys(1, &place),
            self.given_keys(1 + self.key.len(), &place),
            same.join(" AND ")
        )
    }

    /// The keys in the parameters, each once, in order.
    pub fn keys_in_order(&self) -> String {
        format!(
            "SELECT {} FROM ({}) AS k ORDER BY {}",
            self.columns_of("k", ""),
            self.wanted_keys(),
            self.order("k")
        )
    }

    /// The keys of the table, in order.
    pub fn table_keys_in_order(&self) -> String {
        format!(
            "SELECT {} FROM {} AS tv ORDER BY {}",
            self.views_keys("tv"),
            self.rows(),
            self.order("tv")
        )
    }

    /// The keys in as many parameters as there are columns, from this one on, with where each stands.
    fn given_keys(&self, first: usize, place: &str) -> String {
        let arrays: Vec<String> = (first..first + self.key.len()).map(|n| format!("${n}")).collect();
        format!(
            "SELECT {}, k.{place} FROM unnest({}) WITH ORDINALITY AS k({}, {place})",
            self.typed_keys(),
            arrays.join(", "),
            self.key_names()
        )
    }

    /// Every key that view or table has.
    pub fn every_key(&self) -> String {
        format!(
            "SELECT {} FROM {} AS v WHERE {} UNION SELECT {} FROM {} AS tv",
            self.views_keys("v"),
            self.view,
            self.key_not_null(),
            self.views_keys("tv"),
            self.rows()
        )
    }

    /// Up to `$1` keys of the table.
    pub fn some_keys(&self) -> String {
        format!(
            "SELECT {} FROM {} AS tv LIMIT $1",
            self.views_keys("tv"),
            self.rows()
        )
    }

    /// By key. The table's index knows an order of its type; a type of the view need not have one.
    fn order(&self, of: &str) -> String {
        let columns = self
            .key
            .iter()
            .map(|k| k.any_as_tables(&format!("{of}.{}", k.name)));
        columns.collect::<Vec<_>>().join(", ")
    }

    /// Whether the view returns rows with a NULL key.
    pub fn null_keys(&self) -> String {
        format!(
            "SELECT EXISTS (SELECT 1 FROM {} AS v WHERE {})",
            self.view,
            self.some_key_null()
        )
    }

    /// Up to ten keys that the view returns more than once, as JSON; NULL if there are none.
    pub fn repeated_keys(&self) -> String {
        let columns: Vec<String> = self.key.iter().map(|k| format!("v.{}", k.name)).collect();
        let columns = columns.join(", ");
        format!(
            "SELECT jsonb_agg(to_jsonb(r))::text FROM (SELECT {columns} FROM {} AS v WHERE {} \
             GROUP BY {columns} HAVING count(*) > 1 LIMIT 10) AS r",
            self.view,
            self.key_not_null()
        )
    }

    /// What the planner expects of the whole view.
    pub fn explain_view(&self) -> String {
        format!("EXPLAIN (FORMAT JSON) SELECT * FROM {}", self.view)
    }

    fn some_key_null(&self) -> String {
        let nulls: Vec<String> = self
            .key
            .iter()
            .map(|k| format!("v.{} IS NOT DISTINCT FROM NULL", k.name))
            .collect();
        nulls.join(" OR ")
    }

    /// What the planner expects of looking through the whole view for such rows.
    pub fn explain_null_keys(&self) -> String {
        format!(
            "EXPLAIN (FORMAT JSON) SELECT 1 FROM {} AS v WHERE {}",
            self.view,
            self.some_key_null()
        )
    }

    /// Whether the view returns rows with a NULL key among those that have the values which some key queries find for some of
    /// the key columns: `row` or `nothing`; `unknown`: one of the values is NULL. Few values are looked up one by one: `too many`
    /// if there are more than `$2`. Many are joined.
    pub fn unmatched_rows(&self, columns: &[String], queries: &[String], rows: Rowcount) -> String {
        let part = self.part(columns);
        let nulls: Vec<String> = part
            .key
            .iter()
            .map(|k| format!("k.{} IS NOT DISTINCT FROM NULL", k.name))
            .collect();
        let (limit, too_many) = match rows {
            Rowcount::Few => (
                " LIMIT $2 + 1",
                "WHEN (SELECT count(*) > $2 FROM k) THEN 'too many' ",
            ),
            Rowcount::Many => ("", ""),
        };
        format!(
            "WITH k({}) AS MATERIALIZED ({}{limit}), fresh AS ({}) \
             SELECT CASE {too_many}WHEN EXISTS (SELECT 1 FROM fresh) THEN 'row' \
             WHEN (SELECT bool_or({}) FROM k) THEN 'unknown' ELSE 'nothing' END",
            part.key_names(),
            part.distinct_keys(queries),
            self.unmatched_row(&part, rows),
            nulls.join(" OR ")
        )
    }

    /// What the planner expects of looking for such a row by one value.
    pub fn explain_unmatched_row(&self, columns: &[String]) -> String {
        let part = self.part(columns);
        let values: Vec<String> = part
            .key
            .iter()
            .map(|k| format!("NULL::{} AS {}", k.view_type, k.name))
            .collect();
        format!(
            "EXPLAIN (FORMAT JSON) WITH k AS MATERIALIZED (SELECT {}) {}",
            values.join(", "),
            self.unmatched_row(&part, Rowcount::Few)
        )
    }

    fn unmatched_row(&self, part: &Shape, rows: Rowcount) -> String {
        let same: Vec<String> = part
            .key
            .iter()
            .map(|k| format!("v.{} {} k.{} AND ", k.name, k.view_equality, k.name))
            .collect();
        let fence = match rows {
            Rowcount::Few => " OFFSET 0",
            Rowcount::Many => "",
        };
        format!(
            "SELECT 1 FROM k, LATERAL (SELECT 1 FROM {} AS v WHERE {}({}){fence}) AS f",
            self.view,
            same.concat(),
            self.some_key_null()
        )
    }

    /// The same with only some of the key columns.
    fn part(&self, columns: &[String]) -> Shape {
        let mut part = self.clone();
        part.key
            .retain(|k| columns.iter().any(|column| quote::identifier(column) == k.name));
        part
    }
}
