//! Which TVIEW feeds which: the order in which TVIEWs are refreshed and waited for.

use std::collections::{HashMap, HashSet};

use pgrx::pg_sys::Oid;

use super::definition::{self, Definition};
use crate::postgres::run_as::run_internal;

/// These TVIEWs and those that feed them, each after its sources. `sources` returns what a TVIEW reads, None
/// for a relation that is no TVIEW. The order of TVIEWs that read each other is not defined.
pub fn sources_first<'s>(tviews: &[Oid], sources: impl Fn(Oid) -> Option<&'s [Oid]>) -> Vec<Oid> {
    let mut order = Vec::new();
    let mut entered: HashSet<Oid> = HashSet::new();
    // No recursion: chains of TVIEWs may be of any length.
    let mut open: Vec<(Oid, &[Oid])> = Vec::new();
    for tview in tviews {
        let mut next = Some(*tview);
        loop {
            if let Some(tview) = next.filter(|tview| !entered.contains(tview)) {
                if let Some(sources) = sources(tview) {
                    entered.insert(tview);
                    open.push((tview, sources));
                }
            }
            let Some((tview, left)) = open.last_mut() else {
                break;
            };
            match left.split_first() {
                Some((source, rest)) => {
                    *left = rest;
                    next = Some(*source);
                }
                None => {
                    order.push(*tview);
                    open.pop();
                    next = None;
                }
            }
        }
    }
    order
}

/// The same in stages: each TVIEW comes in a later stage than its sources.
pub fn stages<'s>(tviews: &[Oid], sources: impl Fn(Oid) -> Option<&'s [Oid]>) -> Vec<Vec<Oid>> {
    let mut stage_of: HashMap<Oid, usize> = HashMap::new();
    let mut stages: Vec<Vec<Oid>> = Vec::new();
    for tview in sources_first(tviews, &sources) {
        let below = sources(tview).unwrap_or_default().iter();
        let stage = below
            .filter_map(|source| stage_of.get(source))
            .max()
            .map_or(0, |last| last + 1);
        stage_of.insert(tview, stage);
        stages.resize(stages.len().max(stage + 1), Vec::new());
        stages[stage].push(tview);
    }
    stages
}

/// One TVIEW and those that feed it, or all TVIEWs, in stages.
pub fn stages_of(only: Option<&Definition>) -> Vec<Vec<Oid>> {
    let definitions = run_internal(definition::load_all);
    let tviews: Vec<Oid> = match only {
        Some(only) => vec![only.tview],
        None => definitions.iter().map(|definition| definition.tview).collect(),
    };
    let sources: HashMap<Oid, &[Oid]> = definitions
        .iter()
        .map(|definition| (definition.tview, &definition.sources[..]))
        .collect();
    stages(&tviews, |tview| sources.get(&tview).copied())
}

/// Whether a TVIEW that reads `sources` would feed itself.
pub fn is_circle(tview: Oid, sources: &[Oid]) -> bool {
    let definitions = run_internal(definition::load_all);
    let known: HashMap<Oid, &[Oid]> = definitions
        .iter()
        .map(|definition| (definition.tview, &definition.sources[..]))
        .collect();
    let below = |read: Oid| {
        if read == tview {
            Some(&[][..])
        } else {
            known.get(&read).copied()
        }
    };
    sources_first(sources, below).contains(&tview)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Reads = HashMap<Oid, Vec<Oid>>;

    fn oids(numbers: &[u32]) -> Vec<Oid> {
        numbers.iter().map(|number| Oid::from(*number)).collect()
    }

    fn reads(tviews: &[(u32, &[u32])]) -> Reads {
        let tviews = tviews.iter();
        tviews
            .map(|(tview, sources)| (Oid::from(*tview), oids(sources)))
            .collect()
    }

    fn order(reads: &Reads, tviews: &[u32]) -> Vec<u32> {
        let order = sources_first(&oids(tviews), |tview| reads.get(&tview).map(Vec::as_slice));
        order.iter().map(|tview| tview.to_u32()).collect()
    }

    fn in_stages(reads: &Reads, tviews: &[u32]) -> Vec<Vec<u32>> {
        let stages = stages(&oids(tviews), |tview| reads.get(&tview).map(Vec::as_slice));
        let numbers = |stage: &Vec<Oid>| stage.iter().map(|tview| tview.to_u32()).collect();
        stages.iter().map(numbers).collect()
    }

    #[test]
    fn a_tview_comes_after_those_it_is_made_from() {
        let reads = reads(&[(3, &[2, 10]), (2, &[1]), (1, &[11]), (4, &[12])]);
        assert_eq!(order(&reads, &[3, 1]), [1, 2, 3]);
        assert_eq!(order(&reads, &[4]), [4]);
        assert!(order(&reads, &[10]).is_empty());
        assert_eq!(in_stages(&reads, &[4, 3]), [vec![4, 1], vec![2], vec![3]]);
    }

    #[test]
    fn tviews_that_read_each_other_end() {
        let reads = reads(&[(1, &[2]), (2, &[1])]);
        assert_eq!(order(&reads, &[1]), [2, 1]);
        assert_eq!(in_stages(&reads, &[1, 2]), [[2], [1]]);
    }

    #[test]
    fn many_paths_to_one_source_are_gone_once() {
        let pairs: Vec<[u32; 2]> = (0..60).map(|n| [2 * n + 1, 2 * n + 2]).collect();
        let of_pair = |n: usize| pairs[n].map(|tview| (tview, &pairs[n + 1][..]));
        let mut tviews: Vec<(u32, &[u32])> = (0..59).flat_map(of_pair).collect();
        tviews.extend(pairs[59].map(|tview| (tview, &[][..])));
        assert_eq!(in_stages(&reads(&tviews), &[1]).len(), 60);
    }

    #[test]
    fn long_chains_need_no_stack() {
        let mut reads: Reads = (1..200_000).map(|n| (Oid::from(n), oids(&[n + 1]))).collect();
        reads.insert(Oid::from(200_000), Vec::new());
        assert_eq!(order(&reads, &[1]).len(), 200_000);
    }
}
