//! Statements that return keys: of key queries, of the parameters, of view and table.

use crate::postgres::quote;
use crate::refresh::plan::key_column::KeyColumn;
use crate::refresh::plan::shape::Shape;

impl Shape {
    /// A query of whole keys from a key query that returns only some of the key columns: the keys of the rows
    /// in the table with these values.
    pub fn whole_keys(&self, columns: &[String], query: &str) -> String {
        let (part, rest): (Vec<&KeyColumn>, Vec<&KeyColumn>) = self
            .key
            .iter()
            .partition(|k| columns.iter().any(|column| quote::identifier(column) == k.name));
        if rest.is_empty() {
            return query.to_string();
        }
        let same: Vec<String> = part
            .iter()
            .map(|k| {
                let value = k.any_as_tables(&format!("part.{}", k.name));
                format!("tv.{} {} {value}", k.name, k.table_equality)
            })
            .collect();
        format!(
            "SELECT {} FROM ({query}) AS part, {} AS tv WHERE {}",
            self.views_keys("tv"),
            self.rows(),
            same.join(" AND ")
        )
    }

    /// The distinct keys that some queries find.
    pub fn distinct_keys(&self, queries: &[String]) -> String {
        let keys: Vec<String> = self
            .key
            .iter()
            .map(|k| k.as_views(&format!("affected.{}", k.name)))
            .collect();
        format!(
            "SELECT DISTINCT {} FROM ({}) AS affected",
            keys.join(", "),
            queries.join(" UNION ALL ")
        )
    }

    /// The positions, counted from 1, of those keys in the parameters that the table has.
    pub fn keys_in_table(&self) -> String {
        let place = self.unused_name("position");
        format!(
            "WITH given AS MATERIALIZED ({}) SELECT DISTINCT k.{place} FROM given k, {} AS tv WHERE {}",
            self.given_keys(1, &place),
            self.rows(),
            self.wanted("tv")
        )
    }

    /// The position, counted from 1, of the first key in the parameters among those that are equal to it.
    pub fn first_of_equal(&self) -> String {
        let place = self.unused_name("position");
        format!(
            "SELECT min(k.{place}) FROM ({}) AS k GROUP BY {}",
            self.given_keys(1, &place),
            self.columns_of("k", "")
        )
    }

    /// Pairs of positions, counted from 1: of a key in the first half of the parameters and an equal key in
    /// the second half.
    pub fn equal_keys(&self) -> String {
        let place = self.unused_name("position");
        let same: Vec<String> = self
            .key
            .iter()
            .map(|k| format!("a.{} {} b.{}", k.name, k.view_equality, k.name))
            .collect();
        format!(
            "SELECT a.{place}, b.{place} FROM ({}) AS a, ({}) AS b WHERE {} ORDER BY 1, 2",
            self.given_keys(1, &place),
            self.given_keys(1 + self.key.len(), &place),
            same.join(" AND ")
        )
    }

    /// The distinct keys of the parameters, in order.
    pub fn keys_in_order(&self) -> String {
        format!(
            "SELECT {} FROM ({}) AS k ORDER BY {}",
            self.columns_of("k", ""),
            self.wanted_keys(),
            self.order("k")
        )
    }

    /// The keys of the table, in order.
    pub fn table_keys_in_order(&self) -> String {
        format!(
            "SELECT {} FROM {} AS tv ORDER BY {}",
            self.views_keys("tv"),
            self.rows(),
            self.order("tv")
        )
    }

    /// The keys in the parameters from `$first` on, with the position of each in the column `place`.
    pub(super) fn given_keys(&self, first: usize, place: &str) -> String {
        let arrays: Vec<String> = (first..first + self.key.len()).map(|n| format!("${n}")).collect();
        format!(
            "SELECT {}, k.{place} FROM unnest({}) WITH ORDINALITY AS k({}, {place})",
            self.typed_keys(),
            arrays.join(", "),
            self.key_names()
        )
    }

    /// The keys of view and table.
    pub fn every_key(&self) -> String {
        format!(
            "SELECT {} FROM {} AS v WHERE {} UNION SELECT {} FROM {} AS tv",
            self.views_keys("v"),
            self.view,
            self.key_not_null("v"),
            self.views_keys("tv"),
            self.rows()
        )
    }

    /// Up to `$1` keys of the table.
    pub fn some_keys(&self) -> String {
        format!(
            "SELECT {} FROM {} AS tv LIMIT $1",
            self.views_keys("tv"),
            self.rows()
        )
    }

    /// The columns to order by. They are in the type of the table, which always has an order: a type of the
    /// view need not.
    pub(super) fn order(&self, of: &str) -> String {
        let columns = self
            .key
            .iter()
            .map(|k| k.any_as_tables(&format!("{of}.{}", k.name)));
        columns.collect::<Vec<_>>().join(", ")
    }
}
