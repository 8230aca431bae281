//! Which TVIEWs and sources belong to the graph of one TVIEW.

use std::collections::{HashMap, HashSet};

use pgrx::pg_sys::Oid;

use crate::catalog::feeds;

/// What is shown.
pub struct Shown {
    pub tviews: HashSet<Oid>,
    /// Sources of the shown TVIEWs, tables or TVIEWs, that are shown.
    pub sources: HashSet<Oid>,
}

/// A TVIEW, all that it reads at any depth, and all that read it. What else the TVIEWs above read is not shown.
/// `sources`: what each TVIEW reads.
pub fn around(tview: Oid, sources: &HashMap<Oid, &[Oid]>) -> Shown {
    let below = feeds::sources_first(&[tview], |one| sources.get(&one).copied());
    let read = below
        .iter()
        .flat_map(|one| sources.get(one).copied().unwrap_or_default());
    let mut shown = Shown {
        sources: read.copied().collect(),
        tviews: below.iter().copied().collect(),
    };
    let mut readers: HashMap<Oid, Vec<Oid>> = HashMap::new();
    for (reader, sources) in sources {
        for source in *sources {
            readers.entry(*source).or_default().push(*reader);
        }
    }
    let above = feeds::sources_first(&[tview], |one| {
        Some(readers.get(&one).map_or(&[][..], Vec::as_slice))
    });
    shown.sources.extend(&above);
    shown.tviews.extend(above);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn oids(numbers: &[u32]) -> Vec<Oid> {
        numbers.iter().map(|number| Oid::from(*number)).collect()
    }

    /// The numbers of the TVIEWs and of the sources.
    fn shown(tview: u32, reads: &[(u32, &[u32])]) -> [Vec<u32>; 2] {
        let reads: HashMap<Oid, Vec<Oid>> = reads
            .iter()
            .map(|(tview, sources)| (Oid::from(*tview), oids(sources)))
            .collect();
        let reads = reads
            .iter()
            .map(|(tview, sources)| (*tview, &sources[..]))
            .collect();
        let shown = around(Oid::from(tview), &reads);
        [shown.tviews, shown.sources].map(|oids| {
            let mut numbers: Vec<u32> = oids.iter().map(|oid| oid.to_u32()).collect();
            numbers.sort_unstable();
            numbers
        })
    }

    const READS: &[(u32, &[u32])] = &[
        (1, &[11, 12]),
        (2, &[1, 13]),
        (3, &[2, 4]),
        (4, &[14]),
        (5, &[11]),
    ];

    #[test]
    fn below_and_above_and_nothing_beside() {
        assert_eq!(shown(2, READS), [vec![1, 2, 3], vec![1, 2, 3, 11, 12, 13]]);
        assert_eq!(shown(4, READS), [vec![3, 4], vec![3, 4, 14]]);
        assert_eq!(shown(5, READS), [vec![5], vec![5, 11]]);
    }

    #[test]
    fn long_chains_need_no_stack() {
        let reads: Vec<(u32, [u32; 1])> = (1..100_000).map(|n| (n, [n + 1])).collect();
        let reads: Vec<(u32, &[u32])> = reads.iter().map(|(n, reads)| (*n, &reads[..])).collect();
        assert_eq!(shown(50_000, &reads)[0].len(), 99_999);
    }
}
