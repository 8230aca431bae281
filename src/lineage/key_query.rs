//! A way through the graph as SQL.

use std::collections::{BTreeMap, BTreeSet};

use pgrx::pg_sys::{self, Oid};

use super::changed_rows::{changed_rows, ChangedColumn, Rowcount};
use super::graph::Node;
use super::index_lookups::{self, Lookup};
use super::shorten::Way;
use super::unfold::{Rows, Unfolded};
use super::{shown_query, way_conditions};
use crate::postgres::query_tree::{self, Expr, KeyQueryParts, Leaf, Select};
use crate::postgres::{column_facts, relation};

/// SQL that maps change keys to TVIEW keys. Change keys are `$1 jsonb[]`, each an array of objects as in
/// `pg_tview_queue.keys`.
///
/// Two texts that mean the same: in `few` the planner assumes few change keys, in `many` as many as there
/// are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyQuery {
    pub few: String,
    pub many: String,
    /// The same for people: over all rows of the source in place of change keys.
    pub shown: String,
    pub captured: BTreeSet<String>,
    /// The key columns it returns. If these are not all, the keys are those of the TVIEW's rows that have
    /// these values.
    pub columns: Vec<String>,
    /// Tables it reads: `r1`, `r2`, ...
    pub reads: Vec<Oid>,
    /// Which indexes would serve it, or the way back.
    pub lookups: Vec<Lookup>,
}

/// Writes the key query of a way. `names`: the key columns of the view.
pub fn build(flat: &Unfolded, source: Oid, way: &Way, names: &[String]) -> Option<KeyQuery> {
    let from = FromList::of(flat, way)?;
    let conditions = way_conditions::followed(flat, way);
    let filters = way_conditions::filters(flat, way);
    let values: Vec<Expr> = way.outputs.iter().map(|output| output.value).collect();
    let calls = from.functions.iter().flat_map(|(_, _, calls)| calls);
    let captured = Captured::of(
        source,
        from.start,
        conditions.iter().chain(&values).chain(calls).copied(),
    )?;
    let place = |node: Node, attno: i16| {
        let range = *from.places.get(&node)?;
        if node == from.start {
            return Some((range, captured.position(attno)?));
        }
        Some((range, attno))
    };
    let columns = || way.outputs.iter().map(|output| names[output.column].clone());
    let sql = |changed: String, pretty: bool| {
        query_tree::key_query(KeyQueryParts {
            skeleton: from.skeleton(changed),
            parameters: &[pg_sys::JSONBARRAYOID],
            pretty,
            functions: from.functions.clone(),
            conditions: conditions.iter().chain(&filters).copied().collect(),
            outputs: values.iter().copied().zip(columns()).collect(),
            place: &place,
        })
    };
    let table_of = |node: Node| match flat.occurrences[node].rows {
        Rows::Table { oid, .. } => Some((*from.places.get(&node)? - 1, oid)),
        Rows::Functions { .. } => None,
    };
    let changed = captured.changed_columns();
    let all_rows = shown_query::all_rows(source, &captured.names)?;
    Some(KeyQuery {
        few: sql(changed_rows(&changed, Rowcount::Few), false)?,
        many: sql(changed_rows(&changed, Rowcount::Many), false)?,
        shown: shown_query::distinct(&sql(all_rows, true)?),
        lookups: index_lookups::lookups(&conditions, &values, from.start, &table_of),
        columns: columns().collect(),
        reads: from.reads.clone(),
        captured: captured.names.into_iter().collect(),
    })
}

/// The FROM list of a key query: the changed rows, then the tables `r1`, `r2`, ..., then the functions.
struct FromList {
    start: Node,
    /// The tables, each with its alias.
    tables: Vec<String>,
    reads: Vec<Oid>,
    functions: Vec<(Select, usize, Vec<Expr>)>,
    /// Position of each occurrence in the list, from 1.
    places: BTreeMap<Node, usize>,
}

impl FromList {
    fn of(flat: &Unfolded, way: &Way) -> Option<FromList> {
        let nodes: Vec<Node> = way.path.nodes().collect();
        let mut from = FromList {
            start: nodes[0],
            tables: Vec::new(),
            reads: Vec::new(),
            functions: Vec::new(),
            places: BTreeMap::from([(nodes[0], 1)]),
        };
        for node in &nodes[1..] {
            if let Rows::Table { oid, with_children } = &flat.occurrences[*node].rows {
                let only = if *with_children { "" } else { "ONLY " };
                let number = from.tables.len() + 1;
                let table = relation::qualified_name(*oid)?;
                from.tables.push(format!("{only}{table} AS r{number}"));
                from.places.insert(*node, number + 1);
                from.reads.push(*oid);
            }
        }
        for node in &nodes {
            if let Rows::Functions {
                select, index, calls, ..
            } = &flat.occurrences[*node].rows
            {
                from.functions.push((*select, *index, calls.clone()));
                let place = from.tables.len() + 1 + from.functions.len();
                from.places.insert(*node, place);
            }
        }
        Some(from)
    }

    /// The query without functions, conditions and outputs. `changed`: what returns the changed rows.
    fn skeleton(&self, changed: String) -> String {
        let changed = std::iter::once(format!("({changed}) AS changed"));
        let items: Vec<String> = changed.chain(self.tables.iter().cloned()).collect();
        format!("SELECT FROM {}", items.join(", "))
    }
}

/// The columns of the changed rows that a key query reads, by attribute number.
struct Captured {
    columns: BTreeMap<i16, Expr>,
    names: Vec<String>,
}

impl Captured {
    fn of(source: Oid, start: Node, exprs: impl Iterator<Item = Expr>) -> Option<Captured> {
        let mut columns: BTreeMap<i16, Expr> = BTreeMap::new();
        for expr in exprs {
            collect_columns(expr, start, &mut columns);
        }
        let names = columns
            .keys()
            .map(|attno| column_facts::name(source, *attno))
            .collect::<Option<_>>()?;
        Some(Captured { columns, names })
    }

    /// Position of a column in the changed rows, from 1.
    fn position(&self, attno: i16) -> Option<i16> {
        let position = self.columns.keys().position(|column| *column == attno)?;
        Some(position as i16 + 1)
    }

    fn changed_columns(&self) -> Vec<ChangedColumn> {
        let columns = self.names.iter().zip(self.columns.values());
        columns
            .map(|(name, expr)| {
                let (type_oid, modifier, collation) = expr.column_type();
                ChangedColumn::new(name, type_oid, modifier, collation)
            })
            .collect()
    }
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
