//! Every table that a query reads, at any level, where no way through the query is searched for.

use std::collections::{BTreeSet, HashSet};

use pgrx::pg_sys::Oid;

use crate::error::Problem;
use crate::postgres::query_tree::{Range, Select};
use crate::postgres::{recursion, source_check};

/// What a query reads.
#[derive(Default)]
pub struct Below {
    /// Tables, with the names the query gives them.
    pub tables: Vec<(String, Oid)>,
    pub views: Vec<Oid>,
}

/// The tables below `query`; an error if one cannot be a source. `around`: the queries around it, whose CTEs
/// it may read.
pub fn below(query: Select, around: &[Select]) -> Result<Below, Problem> {
    let mut refused = None;
    let found = gather(query, around, |problem| {
        refused.get_or_insert(problem);
    });
    refused.map_or(Ok(found), Err)
}

/// The tables below `query` that can be sources.
pub fn followable(query: Select) -> Below {
    gather(query, &[], |_| {})
}

fn gather(query: Select, around: &[Select], mut refuse: impl FnMut(Problem)) -> Below {
    let mut found = Below::default();
    let mut open = vec![query];
    let mut named = BTreeSet::new();
    let mut views = HashSet::new();
    while let Some(select) = open.pop() {
        recursion::step();
        for index in select.all_ranges() {
            match select.range(index) {
                Range::Table { oid, kind: 'v', .. } if !views.insert(oid) => {}
                Range::Table { oid, kind: 'v', .. } => {
                    found.views.push(oid);
                    open.push(Select::of_view(oid));
                }
                Range::Table {
                    oid,
                    kind,
                    with_children,
                } => match source_check::check_source(oid, kind, with_children) {
                    Ok(()) => found.tables.push((select.range_name(index), oid)),
                    Err(problem) => refuse(problem),
                },
                Range::Subquery(query) => open.push(query),
                Range::Cte { name, .. } if named.insert(name.clone()) => {
                    let ctes = around.iter().flat_map(|select| select.ctes());
                    open.extend(ctes.filter(|cte| cte.name == name).map(|cte| cte.query));
                }
                _ => {}
            }
        }
        open.extend(select.ctes().into_iter().map(|cte| cte.query));
        open.extend(select.all_links().into_iter().map(|link| link.query));
    }
    found
}
