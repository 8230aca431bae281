//! What the combinations of a view have shown so far about the occurrences of its sources.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use pgrx::pg_sys::Oid;

use super::inheriting::{inheriting, merge};
use super::key_query::KeyQuery;
use super::source::{Lineage, Occurrence, Source, Strategy};
use super::tables_below;
use crate::error::Problem;
use crate::postgres::query_tree::Select;
use crate::postgres::{column_facts, inheritance};

/// Label and relation: sub-selects beside each other use the same names.
type Name = (String, u32);

/// One occurrence.
#[derive(Default)]
struct Entry {
    /// Order in which the occurrence appears in the view.
    order: usize,
    queries: Vec<KeyQuery>,
    /// Why the whole view is recomputed.
    full: Option<String>,
}

#[derive(Default)]
pub struct Gathered {
    entries: BTreeMap<Name, Entry>,
    /// Those entries that also read the tables that inherit.
    with_children: BTreeSet<Name>,
    watched: HashMap<Oid, BTreeSet<i16>>,
    views: HashSet<Oid>,
    unmatched: BTreeSet<String>,
}

impl Gathered {
    /// Adds columns that the view reads, by relation; attribute 0 stands for the whole row.
    pub fn watch(&mut self, columns: &HashMap<Oid, BTreeSet<i16>>) {
        for (relation, columns) in columns {
            self.watched.entry(*relation).or_default().extend(columns);
        }
    }

    pub fn views(&mut self, views: impl IntoIterator<Item = Oid>) {
        self.views.extend(views);
    }

    pub fn unmatched(&mut self, columns: Vec<String>) {
        self.unmatched.extend(columns);
    }

    /// Adds an occurrence. `with_children`: it also reads the tables that inherit.
    pub fn occurrence(&mut self, label: &str, relation: Oid, with_children: bool) {
        self.entry(label, relation);
        if with_children {
            self.with_children.insert((label.to_string(), relation.to_u32()));
        }
    }

    pub fn key_query(&mut self, label: &str, relation: Oid, query: KeyQuery) {
        let entry = self.entry(label, relation);
        if !entry.queries.contains(&query) {
            entry.queries.push(query);
        }
    }

    /// Changes of this occurrence recompute the whole view. The first reason stays.
    pub fn full(&mut self, label: &str, relation: Oid, reason: String) {
        self.entry(label, relation).full.get_or_insert(reason);
    }

    /// The same, whatever was found before.
    pub fn full_in_any_case(&mut self, label: &str, relation: Oid, reason: String) {
        self.entry(label, relation).full = Some(reason);
    }

    fn entry(&mut self, label: &str, relation: Oid) -> &mut Entry {
        let order = self.entries.len();
        self.entries
            .entry((label.to_string(), relation.to_u32()))
            .or_insert_with(|| Entry {
                order,
                ..Entry::default()
            })
    }

    /// Every change recomputes the whole view, also changes of tables that no combination has reached.
    pub fn all_full(&mut self, query: Select, reason: &str) -> Result<(), Problem> {
        let below = tables_below::below(query, &[])?;
        self.views.extend(below.views);
        for (name, relation) in below.tables {
            self.watched.entry(relation).or_default().insert(0);
            self.occurrence(&name, relation, true);
        }
        for entry in self.entries.values_mut() {
            entry.full.get_or_insert(reason.to_string());
        }
        Ok(())
    }

    pub fn into_lineage(self) -> Lineage {
        let mut sources: HashMap<Oid, Source> = HashMap::new();
        for (relation, columns) in &self.watched {
            sources.insert(*relation, source(*relation, columns));
        }
        for ((label, relation), entry) in self.entries {
            if let Some(source) = sources.get_mut(&Oid::from(relation)) {
                let reads = entry.queries.iter().flat_map(|query| &query.reads);
                source.followed.extend(reads);
                source.occurrences.push(entry.into_occurrence(label));
            }
        }
        let mut sources: Vec<Source> = sources.into_values().collect();
        let inherited: Vec<Source> = sources
            .iter()
            .flat_map(|source| inherited(source, &self.with_children))
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

impl Entry {
    fn into_occurrence(self, label: String) -> Occurrence {
        let captured = |queries: &[KeyQuery]| {
            let captured = queries.iter().flat_map(|query| query.captured.iter().cloned());
            captured.collect()
        };
        match self.full {
            Some(reason) => Occurrence {
                label,
                order: self.order,
                strategy: Strategy::Full { reason },
                captured: BTreeSet::new(),
            },
            None => Occurrence {
                label,
                order: self.order,
                captured: captured(&self.queries),
                strategy: Strategy::Keyed(self.queries),
            },
        }
    }
}

/// A source with its columns, without occurrences yet.
fn source(relation: Oid, columns: &BTreeSet<i16>) -> Source {
    let named = |columns: &mut dyn Iterator<Item = &i16>| -> BTreeSet<String> {
        columns
            .filter_map(|attno| column_facts::name(relation, *attno))
            .collect()
    };
    let whole = columns.contains(&0);
    Source {
        relation,
        occurrences: Vec::new(),
        watched: (!whole).then(|| named(&mut columns.iter().filter(|attno| **attno > 0))),
        versions: named(&mut columns.iter().filter(|attno| **attno < 0)),
        followed: Vec::new(),
        net: BTreeSet::new(),
        partitions: inheritance::below(relation),
    }
}

/// The tables that inherit from a source, as sources of those of its occurrences that read them.
fn inherited(source: &Source, with_children: &BTreeSet<Name>) -> Vec<Source> {
    let mut source = source.clone();
    let relation = source.relation.to_u32();
    source
        .occurrences
        .retain(|occurrence| with_children.contains(&(occurrence.label.clone(), relation)));
    inheriting(&source)
}
