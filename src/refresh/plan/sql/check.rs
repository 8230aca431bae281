//! The statement that lists differences between view and table.

use super::Reach;
use crate::refresh::plan::shape::Shape;

impl Shape {
    /// Lists the differences between view and table: the problem, and the columns of the key.
    pub fn check(&self, reach: Reach) -> String {
        let rows = self.rows();
        let keys = |of: &str| {
            let columns: Vec<String> = self
                .key
                .iter()
                .map(|k| k.as_views(&format!("{of}.{}", k.name)))
                .collect();
            columns.join(", ")
        };
        let same = self.same_key("tv", "fresh");
        let (wanted, among, view) = match reach {
            // A row whose key is NULL has no place in the table, and is reported as missing.
            Reach::Everything => (String::new(), String::new(), self.of_view()),
            _ => (
                format!("wanted AS MATERIALIZED ({}), ", self.wanted_keys()),
                format!("EXISTS (SELECT 1 FROM wanted k WHERE {}) AND ", self.wanted("tv")),
                self.fresh(reach),
            ),
        };
        format!(
            "WITH {wanted}fresh AS MATERIALIZED ({view}) \
             SELECT 'missing', {} FROM fresh WHERE NOT EXISTS (SELECT 1 FROM {rows} AS tv WHERE {same}) \
             UNION ALL SELECT 'extra', {} FROM {rows} AS tv WHERE {among}NOT EXISTS (SELECT 1 FROM fresh WHERE {same}) \
             UNION ALL SELECT 'different', {} FROM {rows} AS tv, fresh WHERE {same} AND {}",
            keys("fresh"),
            keys("tv"),
            keys("tv"),
            self.is_different("tv", "fresh"),
        )
    }
}
