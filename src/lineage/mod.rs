//! What a change of a source row means for a TVIEW: the key queries.
//!
//! ```text
//! analysed view -> unfold (flat occurrences, conditions) -> follow (ways to the key) -> key_query (SQL)
//! ```
//!
//! Complete because of this: take any row of the view, before or after, that a change may concern, and in
//! its derivation the changed source row whose way to the key is shortest. Everything on that way is
//! unchanged, so its key query finds the key. docs/lineage.md has the whole argument.

mod combinations;
pub mod declared;
mod effort;
mod follow;
mod graph;
mod index_lookups;
mod inheriting;
mod key;
mod key_query;
pub mod policies;
mod search;
mod shorten;
mod shown_query;
mod tables_below;
#[cfg(any(test, feature = "pg_test"))]
mod tests;
mod unfold;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use pgrx::pg_sys::Oid;

use crate::error::Problem;
use crate::postgres::query_tree::Select;
use crate::postgres::{column_facts, inheritance, privileges, recursion};
use combinations::Choices;
use effort::Effort;
use follow::Follow;
use graph::Node;
use shorten::Way;
use unfold::{Rows, Unfolded, ViewQueries};

pub use index_lookups::Lookup;
pub use inheriting::{inheriting, merge};
pub use key_query::{changed_rows, ChangedColumn, KeyQuery, Rowcount};
pub use shown_query::{distinct, every_row};

/// How changes of one occurrence of a source are followed.
#[derive(Debug, Clone)]
pub enum Strategy {
    /// By these key queries together.
    Keyed(Vec<KeyQuery>),
    /// The view is recomputed, and differences written.
    Full { reason: String },
}

/// One occurrence of a source in the view.
#[derive(Debug, Clone)]
pub struct Occurrence {
    pub label: String,
    /// The how manieth it is that is met in the view.
    pub met: usize,
    pub strategy: Strategy,
    /// Captured columns its key queries read.
    pub captured: BTreeSet<String>,
}

/// A table whose changes matter.
#[derive(Debug, Clone)]
pub struct Source {
    pub relation: Oid,
    pub occurrences: Vec<Occurrence>,
    /// Columns the view reads; None: all, whatever they will be.
    pub watched: Option<BTreeSet<String>>,
    /// System columns the view reads that every update changes.
    pub versions: BTreeSet<String>,
    /// Tables its key queries read.
    pub followed: Vec<Oid>,
    /// The tables below a partitioned one, at every level.
    pub partitions: Vec<Oid>,
}

impl Source {
    /// A table that key queries of this source read, and the owner may not. They read tables directly, as the owner of the TVIEW, who
    /// may have rights on the views only.
    pub fn unreadable_by(&self, owner: Oid) -> Option<Oid> {
        let mut followed = self.followed.iter().copied();
        followed.find(|table| !privileges::may_select(owner, *table))
    }

    /// Itself, its partitions, and the tables its key queries read.
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

/// Everything a view's text says about its sources.
#[derive(Debug, Clone, Default)]
pub struct Lineage {
    pub sources: Vec<Source>,
    /// The backing view itself, where there is one already.
    pub root_view: Option<Oid>,
    /// The backing view's own views, all the way down.
    pub views: HashSet<Oid>,
    /// Key columns that are NULL in rows to which no key query leads: an outer join found no match for them.
    pub unmatched: BTreeSet<String>,
}

/// More ways than this are not written down: planning their key queries would cost more than the view.
const MOST_WAYS: usize = 500;
/// What each table in a key query counts for: it is parsed, analysed and written.
const STEPS_PER_TABLE: usize = 200;

/// Analyses a query whose key is in the output columns named `key`.
pub fn analyse(query: Select, key: &[String]) -> Result<Lineage, Problem> {
    let mut found = Found::default();
    let mut choices = Choices::default();
    let effort = Effort::new(recursion::step);
    let views = ViewQueries::default();
    for _ in 0..combinations::LIMIT {
        let flat = unfold::unfold(query, &mut choices, &effort, &views)?;
        found.combination(query, &flat, key, &effort);
        if let Some(reason) = effort.given_up() {
            found.give_up(query, reason)?;
            return Ok(found.lineage());
        }
        if found.tried > MOST_WAYS {
            break;
        }
        if !choices.advance() {
            return Ok(found.lineage());
        }
    }
    found.give_up(
        query,
        "the view has too many combinations of UNION branches, windows and alternatives",
    )?;
    Ok(found.lineage())
}

#[derive(Default)]
struct Entry {
    met: usize,
    queries: Vec<KeyQuery>,
    full: Option<String>,
}

#[derive(Default)]
struct Found {
    /// Ways looked at so far.
    tried: usize,
    /// By label and relation: sub-selects beside each other use the same names.
    entries: BTreeMap<(String, u32), Entry>,
    /// Those entries that read the tables that inherit as well.
    with_children: BTreeSet<(String, u32)>,
    watched: HashMap<Oid, BTreeSet<i16>>,
    views: HashSet<Oid>,
    unmatched: BTreeSet<String>,
}

impl Found {
    fn combination(&mut self, query: Select, flat: &Unfolded, key: &[String], effort: &Effort) {
        if effort.given_up().is_some() {
            return;
        }
        for (relation, columns) in &flat.watched {
            self.watched.entry(*relation).or_default().extend(columns);
        }
        self.views.extend(&flat.views);
        for (label, relation, reason) in &flat.unfollowed {
            self.with_children.insert((label.clone(), relation.to_u32()));
            self.entry(label, *relation).full = Some(format!("{reason} around it"));
        }
        self.unmatched.extend(key::unmatched(query, flat, key));
        let keys = key::alternatives(query, flat, key);
        for (node, occurrence) in flat.occurrences.iter().enumerate() {
            let Rows::Table { oid, with_children } = occurrence.rows else {
                continue;
            };
            self.entry(&occurrence.label, oid);
            if with_children {
                self.with_children
                    .insert((occurrence.label.clone(), oid.to_u32()));
            }
            if keys.is_none() {
                let hidden = "the key's value hides the row it comes from".to_string();
                self.full(flat, node, obstacle(flat, node).unwrap_or(hidden));
            }
        }
        for alternative in keys.unwrap_or_default() {
            if self.tried > MOST_WAYS {
                return;
            }
            for (node, followed) in follow::follow(flat, &alternative, effort) {
                match followed {
                    Follow::Keyed(followed) => {
                        for way in followed.ways.iter().chain(&followed.through_table) {
                            if !effort.spend(STEPS_PER_TABLE * way.path.steps.len()) || self.tried > MOST_WAYS
                            {
                                return;
                            }
                            self.key_query(flat, node, way, key);
                        }
                    }
                    Follow::NoWay => self.full(flat, node, no_way(flat, node)),
                    Follow::Circle => self.full(
                        flat,
                        node,
                        "it and another source can only be followed to the key through each other"
                            .to_string(),
                    ),
                }
            }
        }
    }

    fn key_query(&mut self, flat: &Unfolded, node: Node, way: &Way, key: &[String]) {
        self.tried += 1;
        let Rows::Table { oid, .. } = flat.occurrences[node].rows else {
            return;
        };
        match key_query::build(flat, oid, way, key) {
            Some(query) => {
                let entry = self.entry(&flat.occurrences[node].label, oid);
                if !entry.queries.contains(&query) {
                    entry.queries.push(query);
                }
            }
            None => self.full(
                flat,
                node,
                "its conditions cannot be written as a key query".to_string(),
            ),
        }
    }

    fn entry(&mut self, label: &str, relation: Oid) -> &mut Entry {
        let met = self.entries.len();
        self.entries
            .entry((label.to_string(), relation.to_u32()))
            .or_insert_with(|| Entry {
                met,
                ..Entry::default()
            })
    }

    fn full(&mut self, flat: &Unfolded, node: Node, reason: String) {
        if let Rows::Table { oid, .. } = flat.occurrences[node].rows {
            self.entry(&flat.occurrences[node].label, oid)
                .full
                .get_or_insert(reason);
        }
    }

    /// Also those tables that no combination has come to.
    fn give_up(&mut self, query: Select, reason: &str) -> Result<(), Problem> {
        let below = tables_below::below(query, &[])?;
        self.views.extend(below.views);
        for (name, relation) in below.tables {
            self.watched.entry(relation).or_default().insert(0);
            self.entry(&name, relation);
            self.with_children.insert((name, relation.to_u32()));
        }
        for entry in self.entries.values_mut() {
            entry.full.get_or_insert(reason.to_string());
        }
        Ok(())
    }

    fn lineage(self) -> Lineage {
        let mut sources: HashMap<Oid, Source> = HashMap::new();
        for (relation, columns) in &self.watched {
            let named = |columns: &mut dyn Iterator<Item = &i16>| -> BTreeSet<String> {
                columns
                    .filter_map(|attno| column_facts::name(*relation, *attno))
                    .collect()
            };
            let whole = columns.contains(&0);
            let watched = (!whole).then(|| named(&mut columns.iter().filter(|attno| **attno > 0)));
            let versions = named(&mut columns.iter().filter(|attno| **attno < 0));
            sources.insert(
                *relation,
                Source {
                    relation: *relation,
                    occurrences: Vec::new(),
                    watched,
                    versions,
                    followed: Vec::new(),
                    partitions: inheritance::below(*relation),
                },
            );
        }
        for ((label, relation), entry) in self.entries {
            let Some(source) = sources.get_mut(&Oid::from(relation)) else {
                continue;
            };
            source
                .followed
                .extend(entry.queries.iter().flat_map(|query| query.reads.iter().copied()));
            let occurrence = match entry.full {
                Some(reason) => Occurrence {
                    label,
                    met: entry.met,
                    strategy: Strategy::Full { reason },
                    captured: BTreeSet::new(),
                },
                None => Occurrence {
                    label,
                    met: entry.met,
                    captured: entry
                        .queries
                        .iter()
                        .flat_map(|query| query.captured.iter().cloned())
                        .collect(),
                    strategy: Strategy::Keyed(entry.queries),
                },
            };
            source.occurrences.push(occurrence);
        }
        let mut sources: Vec<Source> = sources.into_values().collect();
        let inherited: Vec<Source> = sources
            .iter()
            .flat_map(|source| {
                let mut with_children = source.clone();
                with_children.occurrences.retain(|occurrence| {
                    let entry = (occurrence.label.clone(), source.relation.to_u32());
                    self.with_children.contains(&entry)
                });
                inheriting(&with_children)
            })
            .collect();
        inherited
            .into_iter()
            .for_each(|source| merge(&mut sources, source));
        sources.sort_by_key(|source| source.relation.to_u32());
        Lineage {
            sources,
            root_view: None,
            views: self.views,
            unmatched: self.unmatched,
        }
    }
}

fn no_way(flat: &Unfolded, node: Node) -> String {
    obstacle(flat, node)
        .unwrap_or_else(|| "no join or correlation condition leads from it to the key".to_string())
}

/// What around an occurrence keeps its changes from being followed.
fn obstacle(flat: &Unfolded, node: Node) -> Option<String> {
    let obstacle = flat.occurrences[node].obstacles.last()?;
    Some(format!("{obstacle} around it"))
}
