//! What indexes would hold for a way to be taken through them, in either direction.

use pgrx::pg_sys::Oid;

use super::graph::Node;
use crate::postgres::query_tree::{Expr, IndexColumn};

/// One condition, as seen from one of the tables it ties.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup {
    /// The occurrence in the key query: 0 the changed one, n that called `rn`.
    pub place: usize,
    pub table: Oid,
    pub column: IndexColumn,
}

/// The lookups of a way's conditions; what the key is made of is how the rows at its end are looked up. `table_of`
/// tells place and table of an occurrence.
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
