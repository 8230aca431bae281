//! Statements that find rows of the view without a place in the table.

use crate::refresh::plan::shape::Shape;

impl Shape {
    /// Whether the view returns rows with a NULL key.
    pub fn null_keys(&self) -> String {
        format!(
            "SELECT EXISTS (SELECT 1 FROM {} AS v WHERE {})",
            self.view,
            self.some_key_null()
        )
    }

    /// Up to ten keys that the view returns more than once, as JSON; NULL if it returns none.
    pub fn repeated_keys(&self) -> String {
        let columns: Vec<String> = self.key.iter().map(|k| format!("v.{}", k.name)).collect();
        let columns = columns.join(", ");
        format!(
            "SELECT jsonb_agg(to_jsonb(r))::text FROM (SELECT {columns} FROM {} AS v WHERE {} \
             GROUP BY {columns} HAVING count(*) > 1 LIMIT 10) AS r",
            self.view,
            self.key_not_null("v")
        )
    }

    pub(super) fn some_key_null(&self) -> String {
        let nulls: Vec<String> = self
            .key
            .iter()
            .map(|k| format!("v.{} IS NOT DISTINCT FROM NULL", k.name))
            .collect();
        nulls.join(" OR ")
    }

    /// What the planner expects of the query for rows whose key is NULL.
    pub fn explain_null_keys(&self) -> String {
        format!(
            "EXPLAIN (FORMAT JSON) SELECT 1 FROM {} AS v WHERE {}",
            self.view,
            self.some_key_null()
        )
    }
}
