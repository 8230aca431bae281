//! Reads the definitions that a graph shows.

use std::collections::{BTreeMap, HashMap};

use pgrx::pg_sys::Oid;

use super::select::around;
use super::{Followed, Graph, Group, Read, Source, Tview};
use crate::catalog::definition;
use crate::catalog::rights;
use crate::error::Problem;
use crate::postgres::relation;
use crate::postgres::run_as::run_internal;
use crate::postgres::spi::{self, Access, Rows};
use crate::statement;

/// A TVIEW as its definition has it.
struct Registered {
    oid: Oid,
    tview: Tview,
    sources: Vec<Oid>,
    strategies: Vec<String>,
    group: Option<String>,
    owner: Oid,
}

/// The graph of one TVIEW with all below and above it, or of all TVIEWs.
pub fn read(name: Option<&str>) -> Result<Graph, Problem> {
    rights::check_meta_reader()?;
    let only = definition::find_or_all(name)?.map(|definition| definition.tview);
    let mut all = run_internal(|| spi::session(registered));
    if let Some(only) = only {
        let sources: HashMap<Oid, &[Oid]> = all.iter().map(|one| (one.oid, &one.sources[..])).collect();
        let shown = around(only, &sources);
        all.retain(|one| shown.tviews.contains(&one.oid));
        for one in &mut all {
            one.keep_sources(|source| shown.sources.contains(&source));
        }
    }
    all.sort_by(|a, b| (&a.tview.name, a.oid.to_u32()).cmp(&(&b.tview.name, b.oid.to_u32())));
    Ok(graph(all))
}

fn registered() -> Vec<Registered> {
    let rows = spi::run(&statement!("graph_read"), Access::Snapshot, &[]);
    (0..rows.len())
        .filter_map(|row| Registered::of(&rows, row))
        .collect()
}

impl Registered {
    fn of(rows: &Rows, row: usize) -> Option<Registered> {
        pgrx::check_for_interrupts!();
        let oid: Oid = rows.get(row, 0)?;
        Some(Registered {
            oid,
            tview: Tview {
                name: relation::display(oid),
                entity: rows.get(row, 1)?,
                view: rows.get(row, 2)?,
                state: rows.get(row, 3)?,
                key: rows.get(row, 4)?,
            },
            sources: rows.get(row, 5)?,
            strategies: rows.get(row, 6)?,
            group: rows.get(row, 7),
            owner: rows.get(row, 8)?,
        })
    }

    /// How changes of the source at this place are followed.
    fn followed(&self, place: usize) -> Followed {
        // Registration stores one for each source. Before, there is none.
        Followed::read(self.strategies.get(place))
    }

    fn keep_sources(&mut self, keep: impl Fn(Oid) -> bool) {
        self.strategies.resize(self.sources.len(), String::new());
        let both = self.sources.drain(..).zip(self.strategies.drain(..));
        (self.sources, self.strategies) = both.filter(|(source, _)| keep(*source)).unzip();
    }
}

/// `all`: the TVIEWs to show, sorted.
fn graph(all: Vec<Registered>) -> Graph {
    let place: HashMap<Oid, usize> = all
        .iter()
        .enumerate()
        .map(|(place, one)| (one.oid, place))
        .collect();
    let read = all.iter().flat_map(|one| &one.sources);
    let tables: BTreeMap<(String, u32), Oid> = read
        .filter(|source| !place.contains_key(source))
        .map(|source| ((relation::display(*source), source.to_u32()), *source))
        .collect();
    let table_place: HashMap<Oid, usize> = tables
        .values()
        .enumerate()
        .map(|(place, oid)| (*oid, place))
        .collect();
    let mut reads = Vec::new();
    for (tview, one) in all.iter().enumerate() {
        for (at, source) in one.sources.iter().enumerate() {
            let table = || table_place.get(source).map(|table| Source::Table(*table));
            let found = place
                .get(source)
                .map(|tview| Source::Tview(*tview))
                .or_else(table);
            reads.extend(found.map(|source| Read {
                source,
                tview,
                followed: one.followed(at),
            }));
        }
    }
    reads.sort_by_key(|read| (read.tview, read.source));
    Graph {
        groups: groups(&all),
        tables: tables.into_keys().map(|(name, _)| name).collect(),
        tviews: all.into_iter().map(|one| one.tview).collect(),
        reads,
    }
}

/// The groups of the TVIEWs that are shown, by name. Those of several owners are several, also with the same name.
fn groups(all: &[Registered]) -> Vec<Group> {
    let mut members: BTreeMap<(&str, u32), Vec<usize>> = BTreeMap::new();
    for (place, one) in all.iter().enumerate() {
        if let Some(group) = &one.group {
            let of_group = members.entry((group, one.owner.to_u32())).or_default();
            of_group.push(place);
        }
    }
    let mut groups: Vec<Group> = members
        .into_iter()
        .map(|((name, _), members)| Group {
            name: name.to_string(),
            members,
        })
        .collect();
    groups.sort_by(|a, b| (&a.name, &a.members).cmp(&(&b.name, &b.members)));
    groups
}
