//! Finds the levels of a query whose aggregates run along, and puts stored groups in the place of their tables.

use super::candidate::Candidate;
use super::level::Level;
use super::lookup_order::{Fact, Item};
use super::stored_group::Refused;
use crate::postgres::query_tree::{Expr, GroupLookup, Range};
use crate::refresh::running;

impl Level<'_> {
    /// Finds out whether aggregates of this level run along, and reads stored groups if so.
    ///
    /// `reached`: the items that are looked up, each with the facts to look it up by.
    pub fn run_along(&self, items: &[Item], facts: &[(Fact, Expr)], reached: &[(usize, Vec<usize>)]) {
        let Some(running) = self.running.filter(|_| self.select.aggregates()) else {
            return;
        };
        let flat = self.select.without_aliases();
        let at = |item: &Item| {
            let by = reached.iter().find(|(index, _)| *index == item.index);
            let by = by.map_or(&[][..], |(_, by)| by);
            let by: Vec<Expr> = by.iter().map(|fact| facts[*fact].1).collect();
            Candidate {
                running,
                flat,
                item,
                by,
            }
            .found()
        };
        let mut refused = Vec::new();
        let found = items.iter().rev().find_map(|item| match at(item) {
            Ok(found) => Some(found),
            Err(reason) => {
                let table = match flat.range(item.index) {
                    Range::Table { oid, .. } => Some(oid),
                    _ => None,
                };
                refused.extend(table.map(|table| Refused {
                    name: flat.range_name(item.index),
                    table,
                    reason,
                }));
                None
            }
        });
        let Some(found) = found else {
            return running.refused.borrow_mut().extend(refused);
        };
        let number = running.found.borrow().len() as i32 + 1;
        let level = running::Level {
            number,
            ..found.level.clone()
        };
        let is_stored = running.levels.iter().flatten().any(|stored| *stored == level);
        let lookup = GroupLookup {
            index: found.index,
            sql: &running.lookup(&level, &found.outputs),
            values: found.values,
            keys: found.keys,
            calls: found.calls,
            conditions: found.conditions,
            free: running.store,
        };
        match flat.with_group_lookup(&lookup) {
            Some(changed) => {
                if is_stored {
                    changed.put_in_place_of(self.select);
                }
                running.found.borrow_mut().push(level);
            }
            None => running.refused.borrow_mut().push(Refused {
                name: level.label,
                table: level.table,
                reason: "columns of it are read outside of its groups and aggregates".to_string(),
            }),
        }
    }
}
