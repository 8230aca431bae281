//! The indexes that a key query could use, in either direction.

use pgrx::pg_sys::Oid;

use super::graph::Node;
use crate::postgres::query_tree::{Expr, IndexColumn};

/// One condition, as a search in one of the tables that it joins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup {
    /// The occurrence in the key query: 0 is the changed one, n is `rn`.
    pub place: usize,
    pub table: Oid,
    pub column: IndexColumn,
}

/// The lookups of a way's conditions. Rows at its end are looked up by the values the key is computed from.
/// `table_of`: place and table of an occurrence.
pub fn lookups(
    conditions: &[Expr],
    key: &[Expr],
    start: Node,
    table_of: &dyn Fn(Node) -> Option<(usize, Oid)>,
) -> Vec<Lookup> {
    let mut found: Vec<Lookup> = Vec::new();
    let mut add = |node: Node, column: &dyn Fn(Oid) -> Option<IndexColumn>| {
        let lookup = table_of(node).and_then(|(place, table)| {
            let column = column(table)?;
            Some(Lookup { place, table, column })
        });
        found.extend(
            lookup
                .filter(|lookup| !found.contains(lookup))
                .into_iter()
                .collect::<Vec<_>>(),
        );
    };
    for search in conditions.iter().flat_map(|condition| condition.searches()) {
        let other = search.other.ranges();
        if let Some(node) = only(search.side).filter(|node| !other.is_empty() && !other.contains(node)) {
            add(node, &|table| search.index_column(table));
        }
    }
    for expr in key.iter().filter(|expr| only(**expr) == Some(start)) {
        add(start, &|table| expr.index_column(table));
    }
    found
}

/// The one occurrence an expression reads.
fn only(expr: Expr) -> Option<Node> {
    let ranges = expr.ranges();
    ranges.first().copied().filter(|_| ranges.len() == 1)
}
