//! Statements that ask the planner what a refresh costs.

use super::{KeyRange, Reach};
use crate::refresh::plan::shape::Shape;

impl Shape {
    /// What the planner expects of computing the rows of one key, or all rows.
    pub fn explain(&self, reach: Reach) -> String {
        format!("EXPLAIN (VERBOSE, FORMAT JSON) {}", self.looked_up(reach))
    }

    /// The rows of the view for one key, or all rows.
    pub fn looked_up(&self, reach: Reach) -> String {
        let nulls: Vec<String> = self
            .key
            .iter()
            .map(|k| format!("NULL::{} AS {}", k.view_type, k.name))
            .collect();
        let wanted = match reach {
            Reach::Everything => String::new(),
            _ => format!("WITH wanted AS MATERIALIZED (SELECT {}) ", nulls.join(", ")),
        };
        format!("{wanted}{}", self.fresh(reach))
    }

    /// What the planner expects of computing the rows of a range of keys.
    pub fn explain_range(&self, range: &KeyRange) -> String {
        format!("EXPLAIN (FORMAT JSON) {}", self.fresh_of_range(range))
    }

    /// What the planner expects of the whole view.
    pub fn explain_view(&self) -> String {
        format!("EXPLAIN (FORMAT JSON) SELECT * FROM {}", self.view)
    }

    /// What the planner expects of reading the table.
    pub fn explain_table(&self) -> String {
        format!("EXPLAIN (FORMAT JSON) SELECT FROM {}", self.table)
    }

    /// Whether the table, and with `with_view` also the view, has at most `$1` rows.
    pub fn has_at_most(&self, with_view: bool) -> String {
        let within =
            |of: &str| format!("(SELECT count(*) <= $1 FROM (SELECT 1 FROM {of} LIMIT $1 + 1) AS few)");
        if with_view {
            format!("SELECT {} AND {}", within(&self.rows()), within(&self.view))
        } else {
            format!("SELECT {}", within(&self.rows()))
        }
    }
}
