//! Inheritance: a table that inherits is a source like the one above it. Its rows are rows of both, no trigger of the
//! one above fires for them, and the columns have the same names.

use super::Source;
use crate::postgres::inheritance;

/// What a source means for the tables that inherit from it: each is a source, followed in the same way. None if
/// no occurrence of it reads them.
pub fn inheriting(source: &Source) -> Vec<Source> {
    if source.occurrences.is_empty() {
        return Vec::new();
    }
    inheritance::children(source.relation)
        .into_iter()
        .map(|relation| Source {
            relation,
            partitions: Vec::new(),
            ..source.clone()
        })
        .collect()
}

/// Adds a source, to what is known of the same table if it is there already.
pub fn merge(sources: &mut Vec<Source>, more: Source) {
    match sources.iter_mut().find(|known| known.relation == more.relation) {
        Some(known) => {
            known.occurrences.extend(more.occurrences);
            known.followed.extend(more.followed);
            known.versions.extend(more.versions);
            known.watched = known.watched.take().zip(more.watched).map(|(mut known, more)| {
                known.extend(more);
                known
            });
        }
        None => sources.push(more),
    }
}
