//! The keys that statements have written, for the change feed.

use crate::refresh::plan::shape::Shape;

/// What a statement does with rows. The numbers are those that it returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Insert = 1,
    Update = 2,
    Delete = 3,
}

impl Operation {
    /// The part of a statement that does it.
    fn part(self) -> &'static str {
        match self {
            Operation::Insert => "inserted",
            Operation::Update => "updated",
            Operation::Delete => "deleted",
        }
    }
}

impl Shape {
    /// What a part of a statement returns of the rows that it writes.
    pub(super) fn returned(&self, of: &str) -> String {
        if self.returns_keys {
            self.views_keys(of)
        } else {
            "1".to_string()
        }
    }

    /// Columns of the result, and what they are joined from: the operation, by its number, and the key, in the
    /// types of the view. One row more than `pg_tviews.feed_max_keys` at most; NULL if nothing was written.
    pub(super) fn written_keys(&self, operations: &[Operation]) -> (String, String) {
        if !self.returns_keys {
            return (String::new(), String::new());
        }
        let (operation, names) = (self.unused_name("operation"), self.key_names());
        let parts: Vec<String> = operations
            .iter()
            .map(|of| format!("SELECT {} AS {operation}, {names} FROM {}", *of as i32, of.part()))
            .collect();
        (
            format!(", w.{operation}, {}", self.columns_of("w", "")),
            format!(
                " LEFT JOIN (SELECT * FROM ({}) AS each_part \
                 LIMIT current_setting('pg_tviews.feed_max_keys')::bigint + 1) AS w ON true",
                parts.join(" UNION ALL ")
            ),
        )
    }
}
