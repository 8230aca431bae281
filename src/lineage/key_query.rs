//! A way through the graph as SQL.

use std::collections::{BTreeMap, BTreeSet};

use pgrx::pg_sys::{self, Oid};

use super::graph::{Node, Path};
use super::lookup::{self, Lookup};
use super::readable;
use super::unfold::{Rows, Unfolded};
use crate::postgres::query_tree::{self, Expr, KeyQueryParts, Leaf};
use crate::postgres::relation;

/// SQL that maps change keys (`$1 jsonb[]`, each an array of objects as in `pg_tview_queue.keys`) to TVIEW keys.
///
/// Two texts that mean the same: the planner takes the change keys for few rows in one, for as many as there
/// are in the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyQuery {
    pub few: String,
    pub many: String,
    /// The same for people: over all rows of the source in place of change keys.
    pub shown: String,
    pub captured: BTreeSet<String>,
    /// Tables it reads: `r1`, `r2`, ...
    pub reads: Vec<Oid>,
    /// What indexes would serve it, or the way back.
    pub lookups: Vec<Lookup>,
}

/// The way from an occurrence to all that a key reads, functions in FROM with what they are called on.
pub fn way(flat: &Unfolded, start: Node, key: &[Expr]) -> Option<Path> {
    let mut targets: BTreeSet<Node> = key.iter().flat_map(|expr| expr.ranges()).collect();
    loop {
        let path = flat.graph.path(start, &targets)?;
        let missing: Vec<Node> = path
            .nodes
            .iter()
            .filter_map(|node| match &flat.occurrences[*node].rows {
                Rows::Functions { reads, .. } => Some(reads),
                Rows::Table { .. } => None,
            })
            .flatten()
            .copied()
            .filter(|node| !path.nodes.contains(node))
            .collect();
        if missing.is_empty() {
            return Some(path);
        }
        targets.extend(missing);
    }
}

/// Writes the key query of a way.
pub fn build(flat: &Unfolded, start: Node, path: &Path, key: &[Expr], names: &[String]) -> Option<KeyQuery> {
    let Rows::Table { oid: source, .. } = flat.occurrences[start].rows else {
        return None;
    };
    let conditions = conditions(flat, start, path, key);
    let mut functions = Vec::new();
    let mut from = Vec::new();
    let mut reads = Vec::new();
    let mut places: BTreeMap<Node, usize> = BTreeMap::from([(start, 1)]);
    for node in path.nodes.iter().filter(|node| **node != start) {
        if let Rows::Table { oid, with_children } = &flat.occurrences[*node].rows {
            let only = if *with_children { "" } else { "ONLY " };
            from.push(format!(
                "{only}{} AS r{}",
                relation::qualified_name(*oid)?,
                from.len() + 1
            ));
            places.insert(*node, from.len() + 1);
            reads.push(*oid);
        }
    }
    for node in &path.nodes {
        if let Rows::Functions {
            select, index, calls, ..
        } = &flat.occurrences[*node].rows
        {
            functions.push((*select, *index, calls.clone()));
            places.insert(*node, from.len() + 1 + functions.len());
        }
    }

    let mut captured: BTreeMap<i16, Expr> = BTreeMap::new();
    let calls = functions.iter().flat_map(|(_, _, calls)| calls);
    for expr in conditions.iter().chain(key).chain(calls) {
        collect_columns(*expr, start, &mut captured);
    }
    let columns: Vec<(i16, String, String)> = captured
        .iter()
        .map(|(attno, expr)| Some((*attno, relation::column_name(source, *attno)?, definition(*expr))))
        .collect::<Option<_>>()?;
    let definitions: Vec<String> = columns
        .iter()
        .map(|(_, name, definition)| format!("{} {definition}", relation::quote(name)))
        .collect();
    let place = |node: usize, attno: i16| {
        let range = *places.get(&node)?;
        if node == start {
            let position = columns.iter().position(|(column, _, _)| *column == attno)?;
            return Some((range, position as i16 + 1));
        }
        Some((range, attno))
    };
    let sql = |changed: String, pretty: bool| {
        let changed = std::iter::once(format!("({changed}) AS changed"));
        query_tree::key_query(KeyQueryParts {
            skeleton: format!(
                "SELECT FROM {}",
                changed.chain(from.iter().cloned()).collect::<Vec<_>>().join(", ")
            ),
            parameters: &[pg_sys::JSONBARRAYOID],
            pretty,
            functions: functions.clone(),
            conditions: conditions.clone(),
            outputs: key.iter().copied().zip(names.iter().cloned()).collect(),
            place: &place,
        })
    };
    let names: Vec<String> = columns.iter().map(|(_, name, _)| name.clone()).collect();
    let table_of = |node: Node| match flat.occurrences[node].rows {
        Rows::Table { oid, .. } => Some((*places.get(&node)? - 1, oid)),
        Rows::Functions { .. } => None,
    };
    Some(KeyQuery {
        few: sql(changed_rows(&definitions, Rowcount::Few), false)?,
        many: sql(changed_rows(&definitions, Rowcount::Many), false)?,
        shown: readable::distinct(&sql(readable::every_row(source, &names)?, true)?),
        captured: names.into_iter().collect(),
        lookups: lookup::lookups(&conditions, key, start, &table_of),
        reads,
    })
}

/// What the planner is to think of the number of change keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rowcount {
    Few,
    Many,
}

/// The distinct changed rows in `$1 jsonb[]`, with these columns (`name type`).
pub fn changed_rows(columns: &[String], rows: Rowcount) -> String {
    if columns.is_empty() {
        return "SELECT true AS any_row FROM unnest($1) AS log(keys) LIMIT 1".to_string();
    }
    let log = match rows {
        // One call of jsonb_to_recordset counts as 100 rows, one per queue row as 1000 and more.
        Rowcount::Few => "(SELECT jsonb_path_query_array(to_jsonb($1), '$[*][*]') AS keys) AS log",
        Rowcount::Many => "unnest($1) AS log(keys)",
    };
    format!(
        "SELECT DISTINCT change.* FROM {log}, LATERAL jsonb_to_recordset(log.keys) AS change({})",
        columns.join(", ")
    )
}

/// The conditions of a way, and those that tie the same occurrences under the same guards: a join on two
/// columns is followed by both.
fn conditions(flat: &Unfolded, start: Node, path: &Path, key: &[Expr]) -> Vec<Expr> {
    let edges = flat.graph.edges();
    let targets: BTreeSet<Node> = key.iter().flat_map(|expr| expr.ranges()).collect();
    let mut chosen: BTreeSet<usize> = path.edges.iter().copied().collect();
    for (index, edge) in edges.iter().enumerate() {
        let beside = path
            .edges
            .iter()
            .any(|step| edges[*step].nodes == edge.nodes && edge.guards.is_subset(&edges[*step].guards));
        if beside && flat.graph.is_about(edge, start, &targets) {
            chosen.insert(index);
        }
    }
    chosen
        .into_iter()
        .filter_map(|index| flat.conditions[index])
        .collect()
}

fn collect_columns(expr: Expr, node: Node, into: &mut BTreeMap<i16, Expr>) {
    expr.substitute(|leaf, leaf_expr| {
        if let Leaf::Column(column) = leaf {
            if column.range == node {
                into.insert(column.attno, leaf_expr);
            }
        }
        Some(leaf_expr)
    });
}

/// Type and collation of a captured column, as in a column definition list.
fn definition(column: Expr) -> String {
    let (type_oid, modifier, collation): (Oid, i32, Oid) = column.column_type();
    let name = relation::type_name(type_oid, modifier);
    if collation == Oid::INVALID || collation == pg_sys::DEFAULT_COLLATION_OID {
        return name;
    }
    match relation::collation_name(collation) {
        Some(collation) => format!("{name} COLLATE {collation}"),
        None => name,
    }
}
