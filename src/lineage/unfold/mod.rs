//! The query of a view, laid flat, with views inside it expanded. Every occurrence of a relation becomes a
//! node, every condition an edge between the occurrences it reads, every output column an expression over
//! them.
//!
//! A query level may hide which row an output value came from (an aggregate, LIMIT). The output is then
//! absent, so that no condition on it is followed. A level with windows or DISTINCT ON appears twice: once
//! for the rows that influence a partition (sealed), once for the rows of the partition in the result. The
//! values of PARTITION BY join the two.

mod conditions;
mod from;
mod levels;
mod scope;

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, HashSet};

use pgrx::pg_sys::Oid;

use super::combinations::Combinations;
use super::effort::Effort;
use super::graph::{Graph, Guard};
use super::tie::Tie;
use crate::error::Problem;
use crate::postgres::query_tree::{Expr, Select};

/// One occurrence of a table or of functions in FROM.
pub struct Occurrence {
    /// Its name in the query, with the views and sub-selects around it: `v_post.p`.
    pub label: String,
    pub rows: Rows,
    /// What stands around it and may be why no way is found.
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
    /// The condition of each edge; None for the edge from a function to its arguments.
    pub conditions: Vec<Option<Expr>>,
    /// What each condition ties rows by; empty where the choice of conditions makes no difference.
    pub ties: Vec<Tie>,
    /// Output columns by position; None where the value hides its row.
    pub outputs: Vec<Option<Expr>>,
    /// Columns read anywhere, by relation; attribute 0 stands for the whole row.
    pub watched: HashMap<Oid, BTreeSet<i16>>,
    /// Views the query goes through.
    pub views: HashSet<Oid>,
    /// Sources whose changes cannot be followed, whatever the conditions, with the reason.
    pub unfollowed: Vec<(String, Oid, &'static str)>,
}

type Guards = BTreeSet<Guard>;

/// Unfolds a query in the current one of its `combinations`. The result is complete unless `effort` has given
/// up.
pub fn unfold(
    query: Select,
    combinations: &mut Combinations,
    effort: &Effort,
    views: &ViewQueries,
) -> Result<Unfolded, Problem> {
    let mut unfolder = Unfolder {
        flat: Unfolded::default(),
        combinations,
        obstacles: Vec::new(),
        effort,
        views,
        depth: 0,
    };
    let outputs = unfolder.level(query, None, &Guards::new(), "")?;
    unfolder.flat.outputs = outputs;
    Ok(unfolder.flat)
}

struct Unfolder<'c> {
    flat: Unfolded,
    combinations: &'c mut Combinations,
    obstacles: Vec<&'static str>,
    effort: &'c Effort,
    views: &'c ViewQueries,
    /// How many levels of the query are around this one.
    depth: usize,
}

/// The queries of views met so far, each read once.
#[derive(Default)]
pub struct ViewQueries(RefCell<HashMap<Oid, Select>>);

impl ViewQueries {
    fn of(&self, view: Oid) -> Select {
        *self
            .0
            .borrow_mut()
            .entry(view)
            .or_insert_with(|| Select::of_view(view).with_virtual_columns())
    }
}

/// The maximum number of levels; deeper queries are not followed.
const MAX_LEVELS: usize = 100;
/// The maximum number of tables and functions: each may need a key query that joins all others.
const MAX_OCCURRENCES: usize = 500;
/// Steps of effort for a level.
const STEPS_PER_LEVEL: usize = 1_000;

impl Unfolder<'_> {
    /// Whether the query is small enough for another level to be unfolded.
    fn enters(&self) -> bool {
        if self.depth > MAX_LEVELS {
            self.effort
                .give_up("the view has sub-selects or views within each other over too many levels");
        }
        if self.flat.occurrences.len() > MAX_OCCURRENCES {
            self.effort
                .give_up("the view reads too many tables, each counted as often as it is read");
        }
        self.effort.spend(STEPS_PER_LEVEL)
    }

    fn obstructed<R>(&mut self, obstacle: Option<&'static str>, work: impl FnOnce(&mut Self) -> R) -> R {
        self.obstacles.extend(obstacle);
        let result = work(self);
        if obstacle.is_some() {
            self.obstacles.pop();
        }
        result
    }
}
