//! Which keys are equal. For most types equal keys have the same text. Other types have equal values with
//! different texts (1.0 and 1.00; 'a' and 'A' under a case-insensitive collation): PostgreSQL decides which
//! of these are equal.

use std::collections::HashMap;

use super::batch::Batch;
use super::plan::key::Key;
use super::plan::Plan;
use crate::postgres::spi::{self, Access};

/// Pairs of positions, counted from 0: of a key of `a` and an equal key of `b`. As the owner of the TVIEW,
/// inside an SPI session.
pub fn pairs(plan: &Plan, a: &[Key], b: &[Key]) -> Vec<(usize, usize)> {
    if a.is_empty() || b.is_empty() {
        return Vec::new();
    }
    if plan.shape.one_text_per_key() {
        let places: HashMap<&Key, usize> = b.iter().enumerate().map(|(place, key)| (key, place)).collect();
        let found = a
            .iter()
            .enumerate()
            .map(|(place, key)| Some((place, *places.get(key)?)));
        return found.flatten().collect();
    }
    let mut parameters = Batch::from(a).typed(plan);
    parameters.extend(Batch::from(b).typed(plan));
    let rows = spi::run(&plan.shape.equal_keys(), Access::Snapshot, &parameters);
    let place = |row, column| usize::try_from(rows.get::<i64>(row, column)? - 1).ok();
    (0..rows.len())
        .filter_map(|row| Some((place(row, 0)?, place(row, 1)?)))
        .collect()
}

/// Removes all but the first of equal keys. The keys that are left keep their order. As [`pairs`].
pub fn merge(plan: &Plan, keys: &mut Vec<Key>) {
    if keys.len() < 2 || plan.shape.one_text_per_key() {
        return;
    }
    let parameters = Batch::from(&keys[..]).typed(plan);
    let rows = spi::run(&plan.shape.first_of_equal(), Access::Snapshot, &parameters);
    let mut first = vec![false; keys.len()];
    for row in 0..rows.len() {
        let place = rows
            .get::<i64>(row, 0)
            .and_then(|place| usize::try_from(place - 1).ok());
        if let Some(is_first) = place.and_then(|place| first.get_mut(place)) {
            *is_first = true;
        }
    }
    let mut first = first.into_iter();
    keys.retain(|_| first.next() == Some(true));
}
