//! One query level while it is unfolded: what its range table entries have become, and which expression a
//! column is.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::Guards;
use crate::lineage::graph::Node;
use crate::postgres::query_tree::{Column, Expr, Leaf, Range, Select};

/// What a range table entry has become.
pub enum Instance {
    Node(Node),
    Outputs(Vec<Output>, Guards),
    Nothing,
}

/// An output column of a sub-select or view in FROM.
pub struct Output {
    pub expr: Option<Expr>,
    /// Optional sides of joins without which the expression is NULL. Above any other outer join the column is
    /// NULL where nothing matched, but its expression (a constant, COALESCE) is not.
    pub null_without: Guards,
}

/// The maximum number of nodes of an expression that is followed: each level of a query may double them.
const LARGEST: usize = 5_000;

pub struct Scope<'p> {
    pub select: Select,
    pub parent: Option<&'p Scope<'p>>,
    pub label: String,
    pub instances: RefCell<BTreeMap<usize, Instance>>,
}

impl<'p> Scope<'p> {
    pub fn new(select: Select, parent: Option<&'p Scope<'p>>, label: &str) -> Scope<'p> {
        Scope {
            select,
            parent,
            label: label.to_string(),
            instances: RefCell::default(),
        }
    }

    pub fn up(&self, levels: usize) -> Option<&Scope<'p>> {
        let mut scope: &Scope = self;
        for _ in 0..levels {
            scope = scope.parent?;
        }
        Some(scope)
    }

    /// The expression over occurrences that a column is, where it is read inside of the guards `within`.
    pub fn resolve(&self, column: Column, expr: Expr, within: &Guards) -> Option<Expr> {
        let scope = self.up(column.levels_up)?;
        let position = column.position();
        if let Range::Join = scope.select.range(column.range) {
            let inner = scope.select.join_column(column.range, position?)?;
            return scope.flatten(inner, within);
        }
        match scope.instances.borrow().get(&column.range)? {
            Instance::Node(_) if column.attno == 0 => None,
            Instance::Node(node) => Some(expr.moved_to(*node, column.attno)),
            Instance::Outputs(outputs, guards) => {
                let output = outputs.get(position?)?;
                let as_written = guards.difference(within).all(|g| output.null_without.contains(g));
                output.expr.filter(|_| as_written)
            }
            Instance::Nothing => None,
        }
    }

    pub fn flatten(&self, expr: Expr, within: &Guards) -> Option<Expr> {
        expr.substitute(|leaf, expr| match leaf {
            Leaf::Column(column) => self.resolve(column, expr, within),
            Leaf::SubSelectOutput(_) => None,
        })
        .filter(|flat| !flat.is_larger_than(LARGEST) && !flat.is_volatile() && !flat.hides_operators())
    }

    pub fn child_label(&self, name: &str) -> String {
        if self.label.is_empty() {
            name.to_string()
        } else {
            format!("{}.{name}", self.label)
        }
    }
}
