//! Which TVIEWs a query depends on, in the order they are recomputed.

use pgrx::pg_sys::Oid;

use crate::catalog::feeds;
use crate::catalog::tview_cache::KnownTviews;

/// The TVIEWs that are read, and those whose tables these are computed from: each after its sources. A TVIEW
/// that is not being refreshed is left out, and so are its sources.
pub fn sources_first(read: &[Oid], known: &KnownTviews) -> Vec<Oid> {
    feeds::sources_first(read, |tview| {
        let known = known.get(&tview).filter(|known| known.active)?;
        Some(&known.sources)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::tview_cache::Known;

    fn known(tviews: &[(u32, &[u32], bool)]) -> KnownTviews {
        let known = |(tview, sources, active): &(u32, &[u32], bool)| {
            let sources = sources.iter().map(|source| Oid::from(*source)).collect();
            let active = *active;
            (Oid::from(*tview), Known { sources, active })
        };
        tviews.iter().map(known).collect()
    }

    fn order(read: &[u32], known: &KnownTviews) -> Vec<u32> {
        let read: Vec<Oid> = read.iter().map(|tview| Oid::from(*tview)).collect();
        sources_first(&read, known)
            .iter()
            .map(|tview| tview.to_u32())
            .collect()
    }

    #[test]
    fn a_tview_comes_after_those_it_is_made_from() {
        let known = known(&[
            (3, &[2, 10], true),
            (2, &[1], true),
            (1, &[11], true),
            (4, &[12], true),
        ]);
        assert_eq!(order(&[3, 1], &known), [1, 2, 3]);
        assert_eq!(order(&[4], &known), [4]);
        assert!(order(&[10], &known).is_empty());
    }

    #[test]
    fn a_tview_that_is_not_being_refreshed_stays_as_it_is() {
        let known = known(&[(3, &[2], true), (2, &[1], false), (1, &[11], true)]);
        assert_eq!(order(&[3], &known), [3]);
        assert!(order(&[2], &known).is_empty());
    }

    #[test]
    fn tviews_that_read_each_other_end() {
        let known = known(&[(1, &[2], true), (2, &[1], true)]);
        assert_eq!(order(&[1], &known), [2, 1]);
    }
}
