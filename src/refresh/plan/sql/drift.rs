//! Statements of the verification: which rows differ, compared as a refresh compares, and how.

use super::{KeyRange, Reach};
use crate::postgres::quote;
use crate::refresh::plan::shape::Shape;
use crate::refresh::plan::sql::unquote;

/// Characters of a row that are returned.
const MOST_OF_A_ROW: usize = 200_000;

impl Shape {
    /// The number of rows of the view, and the keys of the rows that differ: all rows, those in a range, or those
    /// with the keys in the parameters. At least one row, whose key is NULL if no row differs. A key that the view
    /// returns more than once may be among them. Without `contents`, only
    /// missing and extra rows differ.
    pub fn differing(&self, reach: Reach, range: Option<&KeyRange>, contents: bool) -> String {
        let place = self.unused_name("place");
        let differs = self.unused_name("differs");
        let fresh_key = self.same_key("tv", "fresh");
        let keyed = reach != Reach::Everything;
        let (wanted, within) = match range {
            Some(range) => (String::new(), range.table.clone()),
            None if keyed => (
                format!("wanted AS MATERIALIZED ({}), ", self.wanted_keys()),
                format!("EXISTS (SELECT 1 FROM wanted k WHERE {})", self.wanted("tv")),
            ),
            None => (String::new(), "true".to_string()),
        };
        let between = range.map_or(String::new(), |range| format!(" AND {}", range.table));
        format!(
            "WITH {wanted}fresh AS ({fresh} OFFSET 0), \
             compared AS MATERIALIZED (SELECT fresh.*, tv.ctid AS {place}, {is_different} AS {differs} \
               FROM fresh LEFT JOIN {rows} AS tv ON {fresh_key}{between}) \
             SELECT total.rows, drifted.* FROM (SELECT count(*) AS rows FROM compared) AS total LEFT JOIN (\
               SELECT {fresh_keys} FROM compared AS fresh WHERE fresh.{place} IS NULL OR fresh.{differs} \
               UNION ALL \
               SELECT {table_keys} FROM {rows} AS tv WHERE {within} AND NOT EXISTS (SELECT 1 FROM compared AS fresh WHERE {fresh_key})\
             ) AS drifted ON true",
            fresh = match range {
                Some(range) => self.fresh_of_range(range),
                None if keyed => self.fresh(reach),
                None => self.with_key(),
            },
            is_different = if contents {
                self.is_different("tv", "fresh")
            } else {
                "false".to_string()
            },
            rows = self.rows(),
            fresh_keys = self.views_keys("fresh"),
            table_keys = self.views_keys("tv"),
        )
    }

    /// For each key in the parameters, computed key by key: the key, the number of rows in the view, whether the
    /// table has a row, whether both rows differ. With `texts` also the columns that differ, and both rows as JSON;
    /// otherwise NULL.
    pub fn examined(&self, texts: bool) -> String {
        let described = if texts {
            let columns = self.may_differ().map(|name| {
                let plain = quote::literal(&unquote(name));
                format!("CASE WHEN ROW(tv.{name})::record *<> ROW(fresh.{name})::record THEN {plain} END")
            });
            let columns: Vec<String> = columns.collect();
            format!(
                "array_remove(ARRAY[{}]::text[], NULL), {}, {}",
                columns.join(", "),
                self.as_json("tv"),
                self.as_json("fresh")
            )
        } else {
            "NULL::text[], NULL::text, NULL::text".to_string()
        };
        format!(
            "WITH wanted AS MATERIALIZED ({wanted}), fresh AS MATERIALIZED ({fresh}) \
             SELECT {keys}, (SELECT count(*) FROM fresh AS each WHERE {of_each}), tv.ctid IS NOT NULL, coalesce({is_different}, false), {described} \
               FROM wanted k LEFT JOIN fresh ON {of_fresh} LEFT JOIN {rows} AS tv ON {of_table}",
            wanted = self.wanted_keys(),
            fresh = self.fresh(Reach::EachKey),
            keys = self.typed_keys(),
            of_each = self.wanted("each"),
            is_different = self.is_different("tv", "fresh"),
            of_fresh = self.wanted("fresh"),
            rows = self.rows(),
            of_table = self.wanted("tv"),
        )
    }

    /// The content of a row as JSON, NULL if there is no row.
    fn as_json(&self, of: &str) -> String {
        let columns: Vec<String> = self.may_differ().map(|name| format!("{of}.{name}")).collect();
        let Some(key) = self.key.first().filter(|_| !columns.is_empty()) else {
            return "NULL::text".to_string();
        };
        format!(
            "CASE WHEN {of}.{} IS DISTINCT FROM NULL THEN left((SELECT row_to_json(r)::text FROM (SELECT {}) AS r), {MOST_OF_A_ROW}) END",
            key.name,
            columns.join(", ")
        )
    }
}
