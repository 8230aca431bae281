//! The keys that statements have written, for the change feed.

use crate::refresh::plan::shape::Shape;

/// What a statement does with rows. The numbers are those that it returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Insert = 1,
    Update = 2,
    Delete = 3,
}

/// In the order of their numbers.
pub const OPERATIONS: [Operation; 3] = [Operation::Insert, Operation::Update, Operation::Delete];

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

/// How a recompute statement returns what it has written.
pub(super) struct Written {
    /// Columns of one row that is computed first: by operation a number of rows, or arrays of their keys.
    pub counts: String,
    /// Columns of the result for the keys, each after a comma.
    pub keys: String,
    /// What these columns are joined from.
    pub joined: String,
    arrays: bool,
}

impl Written {
    /// The number of rows, as an expression.
    pub fn number(&self, of: Operation) -> String {
        if self.arrays {
            format!("coalesce(cardinality({}), 0)::bigint", array_name(of, 1))
        } else {
            of.part().to_string()
        }
    }
}

fn array_name(of: Operation, place: usize) -> String {
    format!("{}_{place}", of.part())
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

    /// Whether statements that recompute some keys return those written as arrays: that costs little more than to
    /// count them. A statement for all rows may write more keys than fit into an array.
    pub fn returns_arrays(&self) -> bool {
        self.returns_keys && self.key.iter().all(|k| k.values.has_arrays())
    }

    /// What a statement returns that recomputes some keys, or all rows.
    pub(super) fn written(&self, keyed: bool) -> Written {
        if keyed && self.returns_arrays() {
            return self.written_arrays();
        }
        let (keys, joined) = self.written_keys(&self.operations());
        // In this order, which is that in which the statement writes.
        let counts = [Operation::Delete, Operation::Update, Operation::Insert]
            .map(|of| format!("(SELECT count(*) FROM {0}) AS {0}", of.part()));
        Written {
            counts: counts.join(", "),
            keys,
            joined,
            arrays: false,
        }
    }

    fn written_arrays(&self) -> Written {
        let may_write = self.operations();
        let array = |of: Operation, (place, name): (usize, &str)| {
            let array = array_name(of, place + 1);
            if may_write.contains(&of) {
                format!("(SELECT array_agg({name}) FROM {}) AS {array}", of.part())
            } else {
                format!("NULL::int[] AS {array}")
            }
        };
        let names = || self.key.iter().map(|k| &k.name[..]).enumerate();
        let arrays = [Operation::Delete, Operation::Update, Operation::Insert]
            .map(|of| names().map(|name| array(of, name)).collect::<Vec<_>>().join(", "));
        let keys = OPERATIONS.map(|of| {
            let columns = (1..=self.key.len()).map(|place| format!(", {}", array_name(of, place)));
            columns.collect::<String>()
        });
        Written {
            counts: arrays.join(", "),
            keys: keys.concat(),
            joined: String::new(),
            arrays: true,
        }
    }

    /// What a recompute statement may do with rows. Rows that consist of a key only are not updated.
    fn operations(&self) -> Vec<Operation> {
        let updates = self.may_differ().next().map(|_| Operation::Update);
        let rest = [Operation::Insert, Operation::Delete].into_iter();
        rest.chain(updates).collect()
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
