//! The keys of rows that a transaction has written, by operation.

use crate::json::text;
use crate::postgres::process::memory;
use crate::postgres::spi::{Elements, Rows};
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
    keys: [Vec<u8>; 3],
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
            let object = plan.key_object_of(&key);
            changed
                .next(operation as usize - 1)
                .extend_from_slice(object.as_bytes());
        }
        changed
    }

    /// Reads what a statement returns that recomputes some keys: by operation, an array for each column of the key,
    /// from column `first` on.
    pub fn read_arrays(plan: &Plan, rows: &Rows, first: usize) -> Changed {
        let mut changed = Changed::default();
        let width = plan.shape.key.len();
        // What is in front of the value in each column.
        let names = plan.definition.key_columns.iter().enumerate();
        let heads: Vec<Vec<u8>> = names.map(|(place, name)| head(place, name)).collect();
        for operation in 0..OPERATIONS.len() {
            let column = |place| Elements::of(&rows.value(0, first + operation * width + place));
            let Some(columns) = (0..width).map(column).collect::<Option<Vec<_>>>() else {
                continue;
            };
            changed.push_all(plan, operation, &heads, &columns);
        }
        changed
    }

    fn push_all(&mut self, plan: &Plan, operation: usize, heads: &[Vec<u8>], columns: &[Elements]) {
        let number = columns.first().map_or(0, Elements::number);
        let all = self.number + number;
        for row in 0..number {
            // Then the keys are not needed.
            if all > settings::feed_max_keys() || self.bytes() > MAXIMUM_BYTES {
                break;
            }
            memory::check();
            let json = self.next(operation);
            for ((k, head), values) in plan.shape.key.iter().zip(heads).zip(columns) {
                json.extend_from_slice(head);
                k.values.push_value(&values.get(row), json);
            }
            json.push(b'}');
        }
        self.number = all;
    }

    /// Where the next key goes.
    fn next(&mut self, operation: usize) -> &mut Vec<u8> {
        self.number += 1;
        let keys = &mut self.keys[operation];
        if !keys.is_empty() {
            keys.extend_from_slice(b",");
        }
        keys
    }

    fn is_empty(&self) -> bool {
        self.number == 0
    }

    fn is_too_much(&self) -> bool {
        self.number > settings::feed_max_keys() || self.bytes() > MAXIMUM_BYTES
    }

    fn bytes(&self) -> usize {
        self.keys.iter().map(Vec::len).sum()
    }

    /// Takes the operations with their keys as JSON arrays; None: any row.
    pub fn take(&mut self) -> Vec<(&'static str, Option<Vec<u8>>)> {
        let changed = std::mem::take(self);
        if changed.is_empty() {
            return Vec::new();
        }
        if changed.is_too_much() {
            return vec![(EVERYTHING, None)];
        }
        let each = OPERATIONS.into_iter().zip(changed.keys);
        each.filter(|(_, keys)| !keys.is_empty())
            .map(|(operation, keys)| (operation, Some([b"[", &keys[..], b"]"].concat())))
            .collect()
    }
}

/// What is in front of a value in the JSON object of a key.
fn head(place: usize, name: &str) -> Vec<u8> {
    let mut head = (if place == 0 { b"{" } else { b"," }).to_vec();
    text::push_string(&mut head, name.as_bytes());
    head.push(b':');
    head
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
                    keys.extend_from_slice(b",");
                }
                keys.extend_from_slice(more);
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
            changed.next(*operation).extend_from_slice(key.as_bytes());
        }
        changed
    }

    #[test]
    fn keys_are_added_by_operation() {
        let mut all = changed(&[(0, "1"), (2, "2")]);
        all += changed(&[(0, "3"), (1, "4")]);
        all += Changed::default();
        let keys = |keys: &str| Some(keys.as_bytes().to_vec());
        assert_eq!(all.number, 4);
        assert_eq!(all.keys, [&b"1,3"[..], b"4", b"2"]);
        assert_eq!(
            all.take(),
            [
                ("INSERT", keys("[1,3]")),
                ("UPDATE", keys("[4]")),
                ("DELETE", keys("[2]"))
            ]
        );
        assert!(all.take().is_empty(), "taken once");
    }

    #[test]
    fn too_many_keys_become_everything() {
        let mut all = Changed::default();
        (0..10_000).for_each(|_| all.next(1).push(b'1'));
        assert_eq!(all.clone().take()[0].0, "UPDATE");
        all.next(0).push(b'1');
        assert_eq!(all.take(), [(EVERYTHING, None)]);
        let mut long = changed(&[(0, &"x".repeat(MAXIMUM_BYTES + 1))]);
        assert_eq!(long.take(), [(EVERYTHING, None)]);
    }
}
