//! Keys that are recomputed together.

use std::collections::HashSet;

use pgrx::pg_sys::Oid;

use super::plan::key::Key;
use super::plan::Plan;
use crate::postgres::spi::Value;

/// Keys that are recomputed together.
pub struct Batch {
    columns: Vec<Vec<String>>,
}

impl From<&[Key]> for Batch {
    fn from(rows: &[Key]) -> Batch {
        let width = rows.first().map_or(0, |row| row.len());
        Batch {
            columns: (0..width)
                .map(|column| rows.iter().map(|row| row[column].clone()).collect())
                .collect(),
        }
    }
}

impl Batch {
    pub fn of(rows: Vec<Key>) -> Batch {
        let width = rows.first().map_or(0, |row| row.len());
        let mut columns: Vec<_> = (0..width).map(|_| Vec::with_capacity(rows.len())).collect();
        for row in rows {
            columns
                .iter_mut()
                .zip(row.into_vec())
                .for_each(|(column, text)| column.push(text));
        }
        Batch { columns }
    }

    /// Two batches of half the size; the key, if there is only one.
    pub fn halves(&self) -> Result<[Batch; 2], Key> {
        if self.len() < 2 {
            return Err(self
                .columns
                .iter()
                .filter_map(|column| column.first().cloned())
                .collect());
        }
        let middle = self.len() / 2;
        let half = |range: std::ops::Range<usize>| Batch {
            columns: self
                .columns
                .iter()
                .map(|column| column[range.clone()].to_vec())
                .collect(),
        };
        Ok([half(0..middle), half(middle..self.len())])
    }

    /// The keys, one by one.
    pub fn rows(&self) -> Vec<Key> {
        let row = |row: usize| self.columns.iter().map(|column| column[row].clone()).collect();
        (0..self.len()).map(row).collect()
    }

    /// The keys without those at some positions, counted from 0.
    pub fn without(&self, positions: &HashSet<usize>) -> Batch {
        let rest = |column: &Vec<String>| {
            let values = column.iter().enumerate();
            let rest = values.filter(|(position, _)| !positions.contains(position));
            rest.map(|(_, value)| value.clone()).collect()
        };
        Batch {
            columns: self.columns.iter().map(rest).collect(),
        }
    }

    /// The batch as text to be stored. [`Batch::from_json`] reads it.
    pub fn to_json(&self) -> String {
        serde_json::json!(self.columns).to_string()
    }

    /// A batch that was stored.
    pub fn from_json(text: &str) -> Option<Batch> {
        let columns = serde_json::from_str(text).ok()?;
        Some(Batch { columns })
    }

    pub fn len(&self) -> usize {
        self.columns.first().map_or(0, Vec::len)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The least and the greatest key, for integer keys.
    pub fn bounds(&self) -> [i64; 2] {
        let keys: Option<Vec<i64>> = self
            .columns
            .iter()
            .flatten()
            .map(|text| text.parse().ok())
            .collect();
        let keys = keys.unwrap_or_default();
        let bound = |key: Option<&i64>, none: i64| key.copied().unwrap_or(none);
        [
            bound(keys.iter().min(), i64::MIN),
            bound(keys.iter().max(), i64::MAX),
        ]
    }

    /// The parameters of a recompute statement: the keys in the types of the view.
    pub fn parameters(&self, plan: &Plan) -> Vec<Value> {
        let typed = self.typed(plan).into_iter();
        typed.map(|(_, value)| value).collect()
    }

    /// The parameters with their types.
    pub fn typed(&self, plan: &Plan) -> Vec<(Oid, Value)> {
        let key = plan.shape.key.iter().zip(&self.columns);
        key.map(|(k, column)| (k.values.parameter_type(), k.values.parameter(column)))
            .collect()
    }
}
