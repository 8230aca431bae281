//! Statements that find rows whose key is NULL by their other key columns.

use crate::lineage::Rowcount;
use crate::refresh::plan::shape::Shape;

impl Shape {
    /// Whether the view returns rows whose key is NULL among those with certain values in some of the key
    /// columns. The key queries find these values.
    ///
    /// The answer is `row` or `nothing`; `unknown` if one of the values is NULL. A few values are looked up
    /// one by one: `too many` if there are more than `$2`. Many values are joined.
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

    /// What the planner expects of one such look-up.
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

    pub(super) fn unmatched_row(&self, part: &Shape, rows: Rowcount) -> String {
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
}
