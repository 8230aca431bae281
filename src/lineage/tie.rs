//! What a condition ties rows by: a key, or a value that many rows share.

use std::collections::BTreeSet;

use super::graph::Node;

/// How closely the rows of a condition belong together, the closest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Closeness {
    /// The columns of one side are unique.
    Key,
    /// The columns of one side have a foreign key.
    ForeignKey,
    /// A column of one side is the first of an index.
    Indexed,
    /// Any other condition.
    Loose,
}

impl Closeness {
    /// In a chain each condition costs more than any number of closer ones.
    pub fn cost(self) -> u64 {
        match self {
            Closeness::Key => 0,
            Closeness::ForeignKey => 1 << 16,
            Closeness::Indexed => 1 << 32,
            Closeness::Loose => 1 << 48,
        }
    }
}

/// What a condition ties rows by, together with the conditions beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tie {
    pub closeness: Closeness,
    /// Occurrences of which at most one row meets a row of the other side.
    pub single: BTreeSet<Node>,
}

impl Tie {
    /// Of a condition that no key takes part in.
    pub fn loose() -> Tie {
        Tie {
            closeness: Closeness::Loose,
            single: BTreeSet::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_looser_condition_costs_more_than_all_closer_ones() {
        let all = [
            Closeness::Key,
            Closeness::ForeignKey,
            Closeness::Indexed,
            Closeness::Loose,
        ];
        for pair in all.windows(2) {
            assert!(500 * (pair[0].cost() + 8) < pair[1].cost());
        }
    }
}
