//! Statements that return keys: of key queries, of the parameters, of view and table.

use crate::postgres::quote;
use crate::refresh::plan::key_column::KeyColumn;
use crate::refresh::plan::shape::Shape;

impl Shape {
    /// A key query that returns only some of the key columns (by their plain names), as one that returns keys: those
    /// of the table's rows with these values.
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

    /// The keys that some queries find, each once.
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

    /// Which of the keys in the parameters, counted from 1, the table has.
    pub fn keys_in_table(&self) -> String {
        let place = self.unused_name("position");
        format!(
            "WITH given AS MATERIALIZED ({}) SELECT DISTINCT k.{place} FROM given k, {} AS tv WHERE {}",
            self.given_keys(1, &place),
            self.rows(),
            self.wanted("tv")
        )
    }

    /// Of the keys in the parameters, counted from 1, the first of those that are equal.
    pub fn first_of_equal(&self) -> String {
        let place = self.unused_name("position");
        format!(
            "SELECT min(k.{place}) FROM ({}) AS k GROUP BY {}",
            self.given_keys(1, &place),
            self.columns_of("k", "")
        )
    }

    /// Pairs of equal keys, counted from 1: of those in the first half of the parameters with those in the second.
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

    /// The keys in the parameters, each once, in order.
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

    /// The keys in as many parameters as there are columns, from this one on, with where each stands.
    pub(super) fn given_keys(&self, first: usize, place: &str) -> String {
        let arrays: Vec<String> = (first..first + self.key.len()).map(|n| format!("${n}")).collect();
        format!(
            "SELECT {}, k.{place} FROM unnest({}) WITH ORDINALITY AS k({}, {place})",
            self.typed_keys(),
            arrays.join(", "),
            self.key_names()
        )
    }

    /// Every key that view or table has.
    pub fn every_key(&self) -> String {
        format!(
            "SELECT {} FROM {} AS v WHERE {} UNION SELECT {} FROM {} AS tv",
            self.views_keys("v"),
            self.view,
            self.key_not_null(),
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

    /// By key. The table's index knows an order of its type; a type of the view need not have one.
    pub(super) fn order(&self, of: &str) -> String {
        let columns = self
            .key
            .iter()
            .map(|k| k.any_as_tables(&format!("{of}.{}", k.name)));
        columns.collect::<Vec<_>>().join(", ")
    }
}
