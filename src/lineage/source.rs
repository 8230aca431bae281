//! What the analysis of a view finds: its sources, and how changes of each are followed.

use std::collections::{BTreeSet, HashSet};

use pgrx::pg_sys::Oid;

use super::key_query::KeyQuery;
use crate::postgres::privileges;

/// How changes of one occurrence of a source are followed.
#[derive(Debug, Clone)]
pub enum Strategy {
    /// By these key queries together: they find the keys of the affected rows.
    Keyed(Vec<KeyQuery>),
    /// The whole view is recomputed, and the differences are written.
    Full { reason: String },
}

/// One occurrence of a source in the view.
#[derive(Debug, Clone)]
pub struct Occurrence {
    /// Its name in the view, with the views and sub-selects around it: `v_post.p`.
    pub label: String,
    /// Order in which this occurrence appears in the view.
    pub order: usize,
    pub strategy: Strategy,
    /// Captured columns its key queries read.
    pub captured: BTreeSet<String>,
}

impl Occurrence {
    /// The order of an occurrence that the view does not have: `fk_columns` declares it.
    pub const DECLARED: usize = usize::MAX;

    pub fn is_declared(&self) -> bool {
        self.order == Self::DECLARED
    }
}

/// A table whose changes affect rows of the view.
#[derive(Debug, Clone)]
pub struct Source {
    pub relation: Oid,
    pub occurrences: Vec<Occurrence>,
    /// Columns the view reads; None: all, also those added later.
    pub watched: Option<BTreeSet<String>>,
    /// Columns that running aggregates read; empty: there are none.
    pub net: BTreeSet<String>,
    /// System columns the view reads that every update changes.
    pub versions: BTreeSet<String>,
    /// Tables its key queries read.
    pub followed: Vec<Oid>,
    /// The tables below a partitioned one, at every level.
    pub partitions: Vec<Oid>,
}

impl Source {
    /// A table that key queries of this source read and that `owner` has no right to read. Key queries read
    /// tables directly, as the owner of the TVIEW, who may have rights on the views only.
    pub fn unreadable_by(&self, owner: Oid) -> Option<Oid> {
        let mut followed = self.followed.iter().copied();
        followed.find(|table| !privileges::may_select(owner, *table))
    }

    /// The source itself, its partitions, and the tables its key queries read.
    pub fn tables(&self) -> impl Iterator<Item = Oid> + '_ {
        let others = self.followed.iter().chain(&self.partitions).copied();
        others.chain([self.relation])
    }

    /// Columns that key queries start from.
    pub fn captured(&self) -> BTreeSet<String> {
        self.occurrences
            .iter()
            .flat_map(|occurrence| occurrence.captured.iter().cloned())
            .collect()
    }
}

/// What the query of a view says about its sources.
#[derive(Debug, Clone, Default)]
pub struct Lineage {
    pub sources: Vec<Source>,
    /// The backing view, if it exists already.
    pub root_view: Option<Oid>,
    /// The views that the backing view reads, at every level.
    pub views: HashSet<Oid>,
    /// Key columns that may be NULL because an outer join found no match. No key query finds such rows.
    pub unmatched: BTreeSet<String>,
}

impl Lineage {
    /// Whether changes of some occurrence are followed by key.
    pub fn has_key_queries(&self) -> bool {
        let mut occurrences = self.sources.iter().flat_map(|source| &source.occurrences);
        occurrences.any(|occurrence| matches!(occurrence.strategy, Strategy::Keyed(_)))
    }
}
