//! The TVIEWs that a worker refreshes in one transaction, as indexes into its list.

use std::collections::HashSet;

use pgrx::pg_sys::Oid;

use super::tracked::Tracked;
use crate::catalog::feeds;

/// All units of a database.
#[derive(Default)]
pub struct Units {
    /// Each TVIEW comes after those that feed it.
    units: Vec<Vec<usize>>,
}

impl Units {
    /// The units of newly loaded TVIEWs.
    pub fn of(list: &[Tracked]) -> Units {
        let number = list.iter().filter_map(|tracked| tracked.info.unit).max();
        let unit = |number: usize| {
            let is_in = |tracked: &&Tracked| tracked.info.unit == Some(number);
            let tviews: Vec<Oid> = list
                .iter()
                .filter(is_in)
                .map(|tracked| tracked.info.tview)
                .collect();
            let position = |tview: Oid| list.iter().position(|tracked| tracked.info.tview == tview);
            let sources = |tview: Oid| {
                let tracked = &list[position(tview)?];
                is_in(&tracked).then_some(&tracked.info.sources[..])
            };
            let order = feeds::sources_first(&tviews, sources);
            order.into_iter().filter_map(position).collect()
        };
        Units {
            units: number.map_or(Vec::new(), |last| (0..=last).map(unit).collect()),
        }
    }

    /// Those that are refreshed with the one at `index` now, and that one.
    pub fn with(&self, list: &[Tracked], index: usize) -> Vec<usize> {
        let unit = list[index].info.unit.and_then(|number| self.units.get(number));
        match unit.filter(|_| list[index].is_with_others()) {
            Some(unit) => {
                let joined = unit.iter().copied();
                joined.filter(|member| list[*member].is_with_others()).collect()
            }
            None => vec![index],
        }
    }

    /// One for each unit among these, and those that are refreshed alone.
    pub fn first_of_each(&self, list: &[Tracked], indexes: &[usize]) -> Vec<usize> {
        if self.units.is_empty() {
            return indexes.to_vec();
        }
        let mut seen = HashSet::new();
        let first = |index: &usize| {
            let tracked = &list[*index];
            match tracked.info.unit.filter(|_| tracked.is_with_others()) {
                Some(unit) if !seen.insert(unit) => None,
                Some(_) => self.with(list, *index).first().copied(),
                None => Some(*index),
            }
        };
        indexes.iter().filter_map(first).collect()
    }
}
