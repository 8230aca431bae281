//! Statements that fill a table, or a range of keys, without comparing.

use super::written_keys::Operation;
use super::KeyRange;
use crate::refresh::plan::shape::Shape;

impl Shape {
    /// Fills an empty table. The primary key refuses repeated keys.
    pub fn fill(&self) -> String {
        self.filled_with(self.with_key(), 0)
    }

    /// The same for a range of keys of which the table has no row.
    pub fn fill_range(&self, range: &KeyRange) -> String {
        self.filled_with(self.fresh_of_range(range), range.parameters)
    }

    fn filled_with(&self, fresh: String, parameters: usize) -> String {
        let (names, values) = self.inserted(parameters);
        let insert = format!(
            "INSERT INTO {} AS t ({names}) OVERRIDING SYSTEM VALUE SELECT {values} FROM ({fresh}) fresh",
            self.table,
        );
        if !self.returns_keys {
            return insert;
        }
        // The columns of a recompute statement.
        let (keys, written) = self.written_keys(&[Operation::Insert]);
        format!(
            "WITH inserted AS ({insert} RETURNING {}) \
             SELECT n, 0::bigint, 0::bigint, 0::bigint, NULL::text, false, NULL::bigint{keys} \
               FROM (SELECT count(*) AS n FROM inserted) AS counts{written}",
            self.returned("t"),
        )
    }

    pub(super) fn fresh_of_range(&self, range: &KeyRange) -> String {
        format!("{} AND {}", self.with_key(), range.view)
    }
}
