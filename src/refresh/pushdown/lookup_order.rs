//! In which order the items of a FROM clause can be looked up by a few known values, and by which conditions.
//! Plain Rust, without PostgreSQL.

use std::collections::BTreeSet;

use crate::postgres::query_tree::JoinKind;

/// A join on the path from the top of FROM to an item.
#[derive(Clone, Debug)]
pub struct Step {
    /// Which join of FROM.
    pub join: usize,
    pub kind: JoinKind,
    /// Whether the item is on its right side.
    pub right: bool,
}

/// A table or sub-select in FROM.
#[derive(Clone, Debug)]
pub struct Item {
    /// Range table index.
    pub index: usize,
    pub path: Vec<Step>,
    /// LATERAL: the item may read the items beside it.
    pub lateral: bool,
}

/// An equality between values of items and of the levels around.
#[derive(Clone, Debug)]
pub struct Fact {
    /// The items it reads.
    pub reads: BTreeSet<usize>,
    /// The items of which only rows are returned that the equality is true for.
    pub restricts: BTreeSet<usize>,
}

/// The items that can be looked up, in a possible order, each with the facts to look it up by. These use
/// values from outside, or from items before it. `known`: an item that has few rows anyway.
pub fn lookup_order(items: &[Item], facts: &[&Fact], known: Option<usize>) -> Vec<(usize, Vec<usize>)> {
    let mut reached: Vec<(usize, Vec<usize>)> = known.into_iter().map(|index| (index, Vec::new())).collect();
    loop {
        let next: Vec<(usize, Vec<usize>)> = items
            .iter()
            .filter(|item| !item.lateral && !reached.iter().any(|(index, _)| *index == item.index))
            .map(|item| (item.index, leading_to(item, items, facts, &reached)))
            .filter(|(_, by)| !by.is_empty())
            .collect();
        if next.is_empty() {
            return reached;
        }
        reached.extend(next);
    }
}

fn leading_to(item: &Item, items: &[Item], facts: &[&Fact], reached: &[(usize, Vec<usize>)]) -> Vec<usize> {
    let is_there = |index: &usize| {
        *index == item.index
            || (reached.iter().any(|(there, _)| there == index)
                && items
                    .iter()
                    .any(|other| other.index == *index && may_read(item, other)))
    };
    let leads = |fact: &Fact| fact.restricts.contains(&item.index) && fact.reads.iter().all(is_there);
    (0..facts.len()).filter(|n| leads(facts[*n])).collect()
}

/// Whether a LATERAL sub-select in the place of `reader` could read `other`, if it came last among items of a
/// free order.
fn may_read(reader: &Item, other: &Item) -> bool {
    if reader.path.iter().any(|step| step.kind == JoinKind::Full) {
        return false;
    }
    let mut steps = reader.path.iter().zip(&other.path);
    match steps.find(|(a, b)| a.join != b.join || a.right != b.right) {
        Some((a, b)) if a.join == b.join => match a.kind {
            JoinKind::Inner => true,
            JoinKind::Left => a.right,
            JoinKind::Right => !a.right,
            JoinKind::Full => false,
        },
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(index: usize, path: &[(usize, JoinKind, bool)]) -> Item {
        let path = path.iter().map(|(join, kind, right)| Step {
            join: *join,
            kind: *kind,
            right: *right,
        });
        Item {
            index,
            path: path.collect(),
            lateral: false,
        }
    }

    fn fact(reads: &[usize], restricts: &[usize]) -> Fact {
        Fact {
            reads: reads.iter().copied().collect(),
            restricts: restricts.iter().copied().collect(),
        }
    }

    fn order(items: &[Item], facts: &[Fact]) -> Vec<(usize, Vec<usize>)> {
        lookup_order(items, &facts.iter().collect::<Vec<_>>(), None)
    }

    #[test]
    fn goes_from_what_is_known_to_what_is_joined_to_it() {
        let items = [item(1, &[]), item(2, &[]), item(3, &[])];
        let facts = [fact(&[2, 3], &[2, 3]), fact(&[1, 2], &[1, 2]), fact(&[1], &[1])];
        assert_eq!(order(&items, &facts), [(1, vec![2]), (2, vec![1]), (3, vec![0])]);
    }

    #[test]
    fn nothing_is_reached_without_a_value_to_start_from() {
        let items = [item(1, &[]), item(2, &[])];
        assert_eq!(order(&items, &[fact(&[1, 2], &[1, 2])]), []);
    }

    #[test]
    fn the_optional_side_reads_the_other_and_not_the_other_way_round() {
        let items = [
            item(1, &[(0, JoinKind::Left, false)]),
            item(2, &[(0, JoinKind::Left, true)]),
        ];
        let on = fact(&[1, 2], &[2]);
        assert_eq!(
            order(&items, &[on.clone(), fact(&[1], &[1])]),
            [(1, vec![1]), (2, vec![0])]
        );
        // A value for the optional side: a condition above the join holds for both, but SQL has no LATERAL
        // that way.
        let above = fact(&[1, 2], &[1, 2]);
        assert_eq!(order(&items, &[on, above, fact(&[2], &[2])]), [(2, vec![2])]);
    }

    #[test]
    fn beside_a_full_join_nothing_is_read() {
        let items = [
            item(1, &[(0, JoinKind::Full, false)]),
            item(2, &[(0, JoinKind::Full, true)]),
        ];
        let facts = [fact(&[1, 2], &[1, 2]), fact(&[1], &[1])];
        assert_eq!(order(&items, &facts), [(1, vec![1])]);
    }

    #[test]
    fn two_values_together_reach_a_third() {
        let items = [item(1, &[]), item(2, &[]), item(3, &[])];
        let facts = [fact(&[1, 2, 3], &[3]), fact(&[1], &[1]), fact(&[2], &[2])];
        assert_eq!(order(&items, &facts), [(1, vec![1]), (2, vec![2]), (3, vec![0])]);
    }

    #[test]
    fn what_reads_the_items_beside_it_is_not_read() {
        let mut items = [item(1, &[]), item(2, &[])];
        items[0].lateral = true;
        assert_eq!(order(&items, &[fact(&[1], &[1]), fact(&[1, 2], &[2])]), []);
    }
}
