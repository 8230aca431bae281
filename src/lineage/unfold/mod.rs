//! A view's query, views inside views expanded, laid flat: every occurrence of a relation becomes a node,
//! every condition an edge between the occurrences it reads, every output column an expression over them.
//!
//! Where a query level hides which row an output value came from (an aggregate, LIMIT), the output is
//! absent, so that no condition on it can be followed. A level with windows or DISTINCT ON stands twice: once
//! for the rows that influence a partition (sealed), once for the rows of the partition that come out; the
//! partition's values tie the two together.

mod conditions;
mod from;
mod levels;
mod scope;

use std::collections::{BTreeSet, HashMap, HashSet};

use pgrx::pg_sys::Oid;

use super::choices::Choices;
use super::graph::{Graph, Guard};
use crate::error::Problem;
use crate::postgres::query_tree::{Expr, Select};

/// One occurrence of something that has rows.
pub struct Occurrence {
    /// How the query calls it, with the views and sub-selects around it: `v_post.p`.
    pub label: String,
    pub rows: Rows,
    /// What around it keeps a change from being followed, should no way be found.
    pub obstacles: Vec<&'static str>,
}

pub enum Rows {
    Table {
        oid: Oid,
        with_children: bool,
    },
    /// Functions in FROM, at a range table index of a query.
    Functions {
        select: Select,
        index: usize,
        calls: Vec<Expr>,
    },
}

/// A flat view in one combination of choices.
#[derive(Default)]
pub struct Unfolded {
    pub graph: Graph,
    pub occurrences: Vec<Occurrence>,
    /// The condition of each edge; None where the tie itself is the condition (a function's arguments).
    pub conditions: Vec<Option<Expr>>,
    /// Output columns by position; None where the value hides its row.
    pub outputs: Vec<Option<Expr>>,
    /// Columns read anywhere, by relation; attribute 0 stands for the whole row.
    pub watched: HashMap<Oid, BTreeSet<i16>>,
    /// Views the query goes through.
    pub views: HashSet<Oid>,
    /// Sources whose changes cannot be followed whatever the conditions, with the reason.
    pub unfollowed: Vec<(String, Oid, &'static str)>,
}

type Guards = BTreeSet<Guard>;

/// Unfolds a query in the combination that `choices` stands at.
pub fn unfold(query: Select, choices: &mut Choices) -> Result<Unfolded, Problem> {
    let mut unfolder = Unfolder {
        flat: Unfolded::default(),
        choices,
        obstacles: Vec::new(),
    };
    let outputs = unfolder.level(query, None, &Guards::new(), "")?;
    unfolder.flat.outputs = outputs;
    Ok(unfolder.flat)
}

struct Unfolder<'c> {
    flat: Unfolded,
    choices: &'c mut Choices,
    obstacles: Vec<&'static str>,
}

impl Unfolder<'_> {
    fn obstructed<R>(&mut self, obstacle: Option<&'static str>, work: impl FnOnce(&mut Self) -> R) -> R {
        self.obstacles.extend(obstacle);
        let result = work(self);
        if obstacle.is_some() {
            self.obstacles.pop();
        }
        result
    }
}
