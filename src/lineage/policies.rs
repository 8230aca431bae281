//! Row security: tables that policies of a source read decide which of its rows the view sees. They are
//! sources, too.

use std::collections::BTreeSet;

use pgrx::pg_sys::{self, Oid};

use super::tables_below::{self, Below};
use super::{inheriting, merge, Lineage, Occurrence, Source, Strategy};
use crate::postgres::query_tree::PolicyCondition;
use crate::postgres::spi::{self, Access, Value};
use crate::postgres::{inheritance, privileges, relation};

/// Adds the tables that policies read. `readers`: the roles with whose rights the view's tables are read.
/// Inside an SPI session.
pub fn extend(lineage: &mut Lineage, readers: &[Oid]) {
    let mut open: Vec<Oid> = lineage.sources.iter().map(|source| source.relation).collect();
    let mut seen = BTreeSet::new();
    while let Some(table) = open.pop() {
        if !seen.insert(table.to_u32()) || !is_hiding(table, readers) {
            continue;
        }
        for condition in conditions(table) {
            for query in condition.queries {
                let found = tables_below::followable(query);
                open.extend(found.tables.iter().map(|(_, table)| *table));
                add(lineage, table, found);
            }
        }
    }
    lineage.sources.sort_by_key(|source| source.relation.to_u32());
}

/// The conditions that rows of a table must meet to be read, if any of `readers` is subject to them.
pub fn of(table: Oid, readers: &[Oid]) -> Vec<PolicyCondition> {
    if is_hiding(table, readers) {
        conditions(table)
    } else {
        Vec::new()
    }
}

fn is_hiding(table: Oid, readers: &[Oid]) -> bool {
    readers
        .iter()
        .any(|reader| privileges::hides_rows_from(table, *reader))
}

fn conditions(table: Oid) -> Vec<PolicyCondition> {
    let rows = spi::run(
        "SELECT polqual::text FROM pg_catalog.pg_policy WHERE polrelid = $1 AND polcmd IN ('r', '*') ORDER BY oid",
        Access::Current,
        &[(pg_sys::OIDOID, Value::of(table))],
    );
    (0..rows.len())
        .filter_map(|row| PolicyCondition::read(&rows.get::<String>(row, 0)?))
        .collect()
}

fn add(lineage: &mut Lineage, table: Oid, found: Below) {
    lineage.views.extend(found.views);
    for (label, relation) in found.tables {
        let known = lineage.sources.iter().flat_map(|source| &source.occurrences);
        let order = known.map(|occurrence| occurrence.order + 1).max().unwrap_or(0);
        let source = Source {
            relation,
            occurrences: vec![Occurrence {
                label,
                order,
                strategy: Strategy::Full {
                    reason: format!("row security of {} reads it", relation::display(table)),
                },
                captured: BTreeSet::new(),
            }],
            watched: None,
            versions: BTreeSet::new(),
            followed: Vec::new(),
            net: BTreeSet::new(),
            partitions: inheritance::below(relation),
        };
        let children = inheriting(&source);
        merge(&mut lineage.sources, source);
        children
            .into_iter()
            .for_each(|child| merge(&mut lineage.sources, child));
    }
}
