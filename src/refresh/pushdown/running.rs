//! Finds the levels of a query whose aggregates run along, and puts stored groups in the place of their tables.

use std::collections::BTreeSet;

use super::candidate::Candidate;
use super::level::Level;
use super::lookup_order::{Fact, Item};
use super::stored_group::{Refused, Running};
use crate::postgres::query_tree::{Expr, GroupLookup, Range, Select};
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
        let mut refused = Vec::new();
        let mut found = items.iter().rev().find_map(|item| {
            let by = reached.iter().find(|(index, _)| *index == item.index);
            let by = by.map_or(&[][..], |(_, by)| by);
            let by = by.iter().map(|fact| facts[*fact].1).collect();
            let one = Candidate::new(running, flat, vec![item], by).and_then(replaced);
            let refuse = |reason| refused.extend(refusal(flat, item, reason));
            one.map_err(refuse).ok()
        });
        if found.is_none() && Candidate::is_inner_join(flat, items) {
            match join(running, flat, items, facts) {
                Ok(join) => found = Some(join),
                Err(reason) => {
                    let all = items
                        .iter()
                        .filter_map(|item| refusal(flat, item, reason.clone()));
                    refused = all.collect();
                }
            }
        }
        let Some((level, changed)) = found else {
            return running.refused.borrow_mut().extend(refused);
        };
        if running.levels.iter().flatten().any(|stored| *stored == level) {
            changed.put_in_place_of(self.select);
        }
        running.found.borrow_mut().push(level);
    }
}

/// Several tables of an inner join together: all of them, or those without a column to group by, which only
/// aggregates read.
fn join(
    running: &Running,
    flat: Select,
    items: &[Item],
    facts: &[(Fact, Expr)],
) -> Result<(running::Level, Select), String> {
    let several = |items: Vec<_>| {
        let by = facts.iter().map(|(_, fact)| *fact).collect();
        Candidate::new(running, flat, items, by).and_then(replaced)
    };
    several(items.iter().collect()).or_else(|reason| {
        let groups = flat.group_exprs();
        let grouped: BTreeSet<usize> = groups.iter().flat_map(|group| group.ranges()).collect();
        let rest = items.iter().filter(|item| !grouped.contains(&item.index));
        let rest: Vec<&Item> = rest.collect();
        if (2..items.len()).contains(&rest.len()) {
            several(rest)
        } else {
            Err(reason)
        }
    })
}

/// The level that a candidate makes, and the query that reads its stored groups; or why there is none.
fn replaced(candidate: Candidate) -> Result<(running::Level, Select), String> {
    let running = candidate.running;
    let found = candidate.found()?;
    let level = running::Level {
        number: running.found.borrow().len() as i32 + 1,
        ..found.level
    };
    let lookup = GroupLookup {
        indexes: found.indexes,
        sql: &running.lookup(&level, &found.outputs),
        values: found.values,
        keys: found.keys,
        calls: found.calls,
        conditions: found.conditions,
        free: running.store,
    };
    match candidate.flat.with_group_lookup(&lookup) {
        Some(changed) => Ok((level, changed)),
        None => Err("columns of it are read outside of its groups and aggregates".to_string()),
    }
}

/// Why an item of FROM does not run along, if it is a table.
fn refusal(flat: Select, item: &Item, reason: String) -> Option<Refused> {
    let Range::Table { oid, .. } = flat.range(item.index) else {
        return None;
    };
    Some(Refused {
        name: flat.range_name(item.index),
        table: oid,
        reason,
    })
}
