//! Inheritance: a table that inherits from a source is a source, too. Its rows are also rows of its parent,
//! but triggers of the parent do not fire for them. The columns have the same names.

use super::Source;
use crate::postgres::inheritance;

/// The tables that inherit from a source, as sources followed in the same way. Empty if no occurrence of the
/// source reads them.
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

/// Adds a source, or adds to the source of the same table if there is one.
pub fn merge(sources: &mut Vec<Source>, more: Source) {
    match sources.iter_mut().find(|known| known.relation == more.relation) {
        Some(known) => {
            known.occurrences.extend(more.occurrences);
            known.followed.extend(more.followed);
            known.versions.extend(more.versions);
            known.net.extend(more.net);
            known.watched = known.watched.take().zip(more.watched).map(|(mut known, more)| {
                known.extend(more);
                known
            });
        }
        None => sources.push(more),
    }
}
