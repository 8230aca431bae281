//! From change keys to keys of the TVIEW: the statements of one source.

use pgrx::pg_sys;

use super::key::{key_of, Key};
use super::shape::Shape;
use crate::catalog::definition::Definition;
use crate::lineage::{self, ChangedColumn, KeyQuery, Rowcount, Source, Strategy};
use crate::postgres::spi::{Access, Rows, Statement, Value};

/// The statements from change keys (`$1 jsonb[]`) to keys of the TVIEW, for few and for many changes.
pub struct SourcePlan {
    pub few: Statement,
    pub many: Statement,
    /// The statements return texts, not values in the types of the view.
    texts: bool,
}

/// The statements of a source; None if its changes mean that all rows are compared.
pub fn source_plan(definition: &Definition, shape: &Shape, source: &Source) -> Option<SourcePlan> {
    let mut queries = Vec::new();
    for occurrence in &source.occurrences {
        match &occurrence.strategy {
            Strategy::Full { .. } => return None,
            Strategy::Keyed(keyed) => queries.extend(keyed),
        }
    }
    if source.unreadable_by(definition.owner).is_some() {
        return None;
    }
    let keys = |text: fn(&KeyQuery) -> &String| -> Vec<String> {
        queries
            .iter()
            .map(|query| shape.whole_keys(&query.columns, text(query)))
            .collect()
    };
    Some(SourcePlan::new(
        shape,
        keys(|query| &query.few),
        keys(|query| &query.many),
    ))
}

impl SourcePlan {
    /// The keys that change keys (`jsonb[]`) lead to. Inside an SPI session.
    pub fn keys(&self, shape: &Shape, changes: Value) -> Vec<Key> {
        let rows = self.few.run(Access::Snapshot, &[changes], 0);
        (0..rows.len())
            .filter_map(|row| self.key(shape, &rows, row))
            .collect()
    }

    /// The key in a row that a statement returned; None if a part of it is NULL.
    pub fn key(&self, shape: &Shape, rows: &Rows, row: usize) -> Option<Key> {
        if !self.texts {
            return key_of(shape, rows, row);
        }
        let columns = shape.key.iter().enumerate();
        columns
            .map(|(place, k)| Some(k.values.normal(&rows.get::<String>(row, place)?)))
            .collect()
    }

    fn new(shape: &Shape, few: Vec<String>, many: Vec<String>) -> SourcePlan {
        let changes = [pg_sys::JSONBARRAYOID];
        SourcePlan {
            few: Statement::new(shape.distinct_keys(&few), &changes),
            many: Statement::new(shape.distinct_keys(&many), &changes),
            texts: false,
        }
    }
}

/// The statements for requests, which have keys of the TVIEW itself as JSON objects.
pub fn requested(shape: &Shape) -> SourcePlan {
    let columns: Vec<ChangedColumn> = shape.key.iter().map(|k| ChangedColumn::text(&k.name)).collect();
    let changes = [pg_sys::JSONBARRAYOID];
    let statement = |rows| Statement::new(lineage::changed_rows(&columns, rows), &changes);
    SourcePlan {
        few: statement(Rowcount::Few),
        many: statement(Rowcount::Many),
        texts: true,
    }
}
