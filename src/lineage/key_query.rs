//! A way through the graph as SQL.

use std::collections::{BTreeMap, BTreeSet};

use pgrx::pg_sys::{self, Oid};

use super::graph::{Edge, Guard, Node};
use super::index_lookups::{self, Lookup};
use super::shorten::{beside, Way};
use super::shown_query;
use super::unfold::{Rows, Unfolded};
use crate::postgres::query_tree::{self, Expr, KeyQueryParts, Leaf};
use crate::postgres::{collation, column_facts, inheritance, quote, relation, type_facts, type_operators};

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
    /// The key columns it returns. If these are not all, the keys are those of the TVIEW's rows that have these
    /// values.
    pub columns: Vec<String>,
    /// Tables it reads: `r1`, `r2`, ...
    pub reads: Vec<Oid>,
    /// What indexes would serve it, or the way back.
    pub lookups: Vec<Lookup>,
}

/// Writes the key query of a way.
pub fn build(flat: &Unfolded, source: Oid, way: &Way, names: &[String]) -> Option<KeyQuery> {
    let nodes: Vec<Node> = way.path.nodes().collect();
    let start = nodes[0];
    let conditions = conditions(flat, way);
    let filters = filters(flat, way);
    let mut functions = Vec::new();
    let mut from = Vec::new();
    let mut reads = Vec::new();
    let mut places: BTreeMap<Node, usize> = BTreeMap::from([(start, 1)]);
    for node in &nodes[1..] {
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
    for node in &nodes {
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
    let outputs = way.outputs.iter().map(|output| &output.value);
    for expr in conditions.iter().chain(outputs).chain(calls) {
        collect_columns(*expr, start, &mut captured);
    }
    let columns: Vec<(i16, String)> = captured
        .keys()
        .map(|attno| Some((*attno, column_facts::name(source, *attno)?)))
        .collect::<Option<_>>()?;
    let changed: Vec<ChangedColumn> = columns
        .iter()
        .zip(captured.values())
        .map(|((_, name), expr)| {
            let (type_oid, modifier, collation) = expr.column_type();
            ChangedColumn::new(name, type_oid, modifier, collation)
        })
        .collect();
    let place = |node: usize, attno: i16| {
        let range = *places.get(&node)?;
        if node == start {
            let position = columns.iter().position(|(column, _)| *column == attno)?;
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
            conditions: conditions.iter().chain(&filters).copied().collect(),
            outputs: way
                .outputs
                .iter()
                .map(|output| (output.value, names[output.column].clone()))
                .collect(),
            place: &place,
        })
    };
    let captured: Vec<String> = columns.iter().map(|(_, name)| name.clone()).collect();
    let values: Vec<Expr> = way.outputs.iter().map(|output| output.value).collect();
    let table_of = |node: Node| match flat.occurrences[node].rows {
        Rows::Table { oid, .. } => Some((*places.get(&node)? - 1, oid)),
        Rows::Functions { .. } => None,
    };
    Some(KeyQuery {
        few: sql(changed_rows(&changed, Rowcount::Few), false)?,
        many: sql(changed_rows(&changed, Rowcount::Many), false)?,
        shown: shown_query::distinct(&sql(shown_query::every_row(source, &captured)?, true)?),
        lookups: index_lookups::lookups(&conditions, &values, start, &table_of),
        captured: captured.into_iter().collect(),
        columns: way
            .outputs
            .iter()
            .map(|output| names[output.column].clone())
            .collect(),
        reads,
    })
}

/// What the planner is to think of the number of change keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rowcount {
    Few,
    Many,
}

/// A captured column, as change keys are read.
pub struct ChangedColumn {
    /// Quoted.
    name: String,
    /// Type and collation, as in a column definition list.
    definition: String,
    /// Values that are not the same may be equal, or cannot be compared.
    by_text: bool,
}

impl ChangedColumn {
    /// A column of this name, declared like this.
    pub fn new(name: &str, type_oid: Oid, modifier: i32, collation: Oid) -> ChangedColumn {
        ChangedColumn {
            name: quote::identifier(name),
            definition: definition(type_oid, modifier, collation),
            by_text: !type_operators::equal_is_identical(type_oid, modifier, collation),
        }
    }

    /// A column, by its quoted name, of which the text is wanted.
    pub fn text(name: &str) -> ChangedColumn {
        ChangedColumn {
            name: name.to_string(),
            definition: "text".to_string(),
            by_text: false,
        }
    }
}

/// The distinct changed rows in `$1 jsonb[]`, with these columns. Rows are one only if all their values are the same: what is
/// made of them may differ where they are merely equal, 1.0 and 1.00.
pub fn changed_rows(columns: &[ChangedColumn], rows: Rowcount) -> String {
    if columns.is_empty() {
        return "SELECT true AS any_row FROM unnest($1) AS log(keys) LIMIT 1".to_string();
    }
    let log = match rows {
        // One call of jsonb_to_recordset counts as 100 rows, one per queue row as 1000 and more.
        Rowcount::Few => "(SELECT jsonb_path_query_array(to_jsonb($1), '$[*][*]') AS keys) AS log",
        Rowcount::Many => "unnest($1) AS log(keys)",
    };
    let definitions: Vec<String> = columns
        .iter()
        .map(|column| match column.by_text {
            true => format!("{} text", column.name),
            false => format!("{} {}", column.name, column.definition),
        })
        .collect();
    let distinct = format!(
        "SELECT DISTINCT change.* FROM {log}, LATERAL jsonb_to_recordset(log.keys) AS change({})",
        definitions.join(", ")
    );
    if columns.iter().all(|column| !column.by_text) {
        return distinct;
    }
    let values: Vec<String> = columns
        .iter()
        .map(|column| match column.by_text {
            true => format!("change.{0}::{1} AS {0}", column.name, column.definition),
            false => format!("change.{}", column.name),
        })
        .collect();
    format!("SELECT {} FROM ({distinct}) AS change", values.join(", "))
}

fn conditions(flat: &Unfolded, way: &Way) -> Vec<Expr> {
    let edges: BTreeSet<usize> = way
        .path
        .edges()
        .flat_map(|edge| beside(flat, &way.path, edge))
        .collect();
    let followed = edges.into_iter().filter_map(|index| flat.conditions[index]);
    let may_be_null = |value: Expr| {
        let column = value.as_column();
        let table = column.map(|column| (column, &flat.occurrences[column.range].rows));
        !matches!(table, Some((column, Rows::Table { oid, with_children }))
            if inheritance::column_not_null(*oid, column.attno, *with_children))
    };
    let equal = way
        .outputs
        .iter()
        .filter(|output| output.equal && may_be_null(output.value));
    followed
        .chain(equal.map(|output| output.value.is_not_null()))
        .collect()
}

/// Conditions that no step needs, on what has not changed where this way counts: everything on it but its start. They keep
/// rows that are in no row of the view from leading to keys.
///
/// Only those that can neither fail nor change their value without a change of a row. IS TRUE keeps the planner from looking
/// rows up by them instead of by what changed: no index serves it.
fn filters(flat: &Unfolded, way: &Way) -> Vec<Expr> {
    let edges = flat.graph.edges();
    let start = way.path.steps[0].node;
    let unchanged: BTreeSet<Node> = way.path.leans_on().collect();
    let known: BTreeSet<Guard> = way
        .path
        .edges()
        .flat_map(|edge| edges[edge].guards.iter().copied())
        .collect();
    let followed: BTreeSet<usize> = way
        .path
        .edges()
        .flat_map(|edge| beside(flat, &way.path, edge))
        .collect();
    let holds = |edge: &Edge| {
        edge.case.is_none()
            && edge.nodes.is_subset(&unchanged)
            && edge.guards.is_subset(&known)
            && flat.graph.is_about(edge, start, &BTreeSet::new())
    };
    edges
        .iter()
        .enumerate()
        .filter(|(index, edge)| !followed.contains(index) && holds(edge))
        .filter_map(|(index, _)| flat.conditions[index])
        .filter(Expr::is_harmless)
        .map(|condition| condition.is_true())
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

fn definition(type_oid: Oid, modifier: i32, collation: Oid) -> String {
    let name = type_facts::name(type_oid, modifier);
    if collation == Oid::INVALID || collation == pg_sys::DEFAULT_COLLATION_OID {
        return name;
    }
    match collation::name(collation) {
        Some(collation) => format!("{name} COLLATE {collation}"),
        None => name,
    }
}
