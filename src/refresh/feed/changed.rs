//! The keys of rows that a transaction has written, by operation.

use crate::postgres::spi::Rows;
use crate::refresh::plan::key::key_values;
use crate::refresh::plan::Plan;
use crate::settings;

/// Maximum size of the keys of one transaction. Beyond it, any row may have been written.
const MAXIMUM_BYTES: usize = 16 << 20;

/// In the order in which the statements number them, from 1.
const OPERATIONS: [&str; 3] = ["INSERT", "UPDATE", "DELETE"];
pub const EVERYTHING: &str = "EVERYTHING";

/// The keys of rows that were written: nothing for a TVIEW without a feed.
#[must_use]
#[derive(Debug, Clone, Default)]
pub struct Changed {
    /// JSON arrays without their brackets, one for each operation.
    keys: [String; 3],
    number: usize,
}

impl Changed {
    /// Reads what a statement returns that writes rows: the operation in column `first`, then the key.
    pub fn read(plan: &Plan, rows: &Rows, first: usize) -> Changed {
        let mut changed = Changed::default();
        if !plan.shape.returns_keys {
            return changed;
        }
        for row in 0..rows.len() {
            let Some(operation) = rows.get::<i32>(row, first) else {
                break;
            };
            let key = key_values(&plan.shape, rows, row, first + 1);
            let key: Vec<Option<&str>> = key.iter().map(Option::as_deref).collect();
            changed.push(operation as usize - 1, &plan.key_object_of(&key));
        }
        changed
    }

    fn push(&mut self, operation: usize, key: &str) {
        self.number += 1;
        let keys = &mut self.keys[operation];
        if !keys.is_empty() {
            keys.push_str(", ");
        }
        keys.push_str(key);
    }

    fn is_empty(&self) -> bool {
        self.number == 0
    }

    fn is_too_much(&self) -> bool {
        self.number > settings::feed_max_keys()
            || self.keys.iter().map(String::len).sum::<usize>() > MAXIMUM_BYTES
    }

    /// Takes the operations with their keys as JSON arrays; None: any row.
    pub fn take(&mut self) -> Vec<(&'static str, Option<String>)> {
        let changed = std::mem::take(self);
        if changed.is_empty() {
            return Vec::new();
        }
        if changed.is_too_much() {
            return vec![(EVERYTHING, None)];
        }
        let each = OPERATIONS.into_iter().zip(changed.keys);
        each.filter(|(_, keys)| !keys.is_empty())
            .map(|(operation, keys)| (operation, Some(format!("[{keys}]"))))
            .collect()
    }
}

impl std::ops::AddAssign for Changed {
    fn add_assign(&mut self, other: Changed) {
        if self.is_empty() {
            *self = other;
            return;
        }
        // What is too much already stays so, and need not grow.
        if !self.is_too_much() {
            for (keys, more) in self.keys.iter_mut().zip(&other.keys) {
                if !keys.is_empty() && !more.is_empty() {
                    keys.push_str(", ");
                }
                keys.push_str(more);
            }
        }
        self.number += other.number;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(keys: &[(usize, &str)]) -> Changed {
        let mut changed = Changed::default();
        for (operation, key) in keys {
            changed.push(*operation, key);
        }
        changed
    }

    #[test]
    fn keys_are_added_by_operation() {
        let mut all = changed(&[(0, "1"), (2, "2")]);
        all += changed(&[(0, "3"), (1, "4")]);
        all += Changed::default();
        let keys = |keys: &str| Some(keys.to_string());
        assert_eq!(all.number, 4);
        assert_eq!(all.keys, ["1, 3", "4", "2"]);
        assert_eq!(
            all.take(),
            [
                ("INSERT", keys("[1, 3]")),
                ("UPDATE", keys("[4]")),
                ("DELETE", keys("[2]"))
            ]
        );
        assert!(all.take().is_empty(), "taken once");
    }

    #[test]
    fn too_many_keys_become_everything() {
        let mut all = Changed::default();
        (0..10_000).for_each(|_| all.push(1, "1"));
        assert_eq!(all.clone().take()[0].0, "UPDATE");
        all.push(0, "1");
        assert_eq!(all.take(), [(EVERYTHING, None)]);
        let mut long = changed(&[(0, &"x".repeat(MAXIMUM_BYTES + 1))]);
        assert_eq!(long.take(), [(EVERYTHING, None)]);
    }
}
