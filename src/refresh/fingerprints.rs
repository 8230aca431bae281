//! Which of very many values are known, without keeping the values.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hash, RandomState};

/// Two hashes of each value, with seeds that are random in each process. Two values that share both are out of reach.
#[derive(Default)]
pub struct Fingerprints {
    of: [RandomState; 2],
    known: HashSet<u128>,
}

impl Fingerprints {
    /// Adds a value; false: it was known.
    pub fn add(&mut self, value: &(impl Hash + ?Sized)) -> bool {
        self.known.insert(self.one(value))
    }

    pub fn knows(&self, value: &(impl Hash + ?Sized)) -> bool {
        self.known.contains(&self.one(value))
    }

    /// The number of values.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    fn one(&self, value: &(impl Hash + ?Sized)) -> u128 {
        let [high, low] = &self.of;
        u128::from(high.hash_one(value)) << 64 | u128::from(low.hash_one(value))
    }
}
