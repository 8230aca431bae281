//! The statement that recomputes rows and writes those that differ.

use super::{KeyRange, Reach};
use crate::refresh::plan::shape::Shape;

impl Shape {
    /// Recomputes rows and writes those that differ. One result row: inserted, updated, deleted, unchanged,
    /// and up to ten keys (as JSON) that the view returns more than once, and whether it returned NULL keys.
    ///
    /// Each row of the table is looked up once, by key; a row that differs is then found by its place.
    pub fn recompute(&self, reach: Reach) -> String {
        self.recomputed(reach, None)
    }

    /// The same for all rows with keys in a range.
    pub fn recompute_range(&self, range: &KeyRange) -> String {
        self.recomputed(Reach::Everything, Some(range))
    }

    fn recomputed(&self, reach: Reach, range: Option<&KeyRange>) -> String {
        let (table, names) = (&self.table, self.names());
        // Where the table's row is, beside the view's row with the same key, and whether they differ.
        let (place, differs) = (self.unused_name("place"), self.unused_name("differs"));
        let key_names = self.key_names();
        let fresh_key = self.same_key("tv", "fresh");
        let keyed = reach != Reach::Everything;
        let wanted = if keyed {
            format!("wanted AS MATERIALIZED ({}), ", self.wanted_keys())
        } else {
            String::new()
        };
        // Fenced: what is computed is used twice, to compare and to write.
        let fence = if reach == Reach::EachKey { "" } else { " OFFSET 0" };
        let deleted = if keyed {
            format!(
                "USING (SELECT * FROM wanted k WHERE NOT EXISTS (SELECT 1 FROM compared AS fresh WHERE {})) AS k WHERE {}{}",
                self.wanted("fresh"),
                self.some_missing(),
                self.wanted("tv")
            )
        } else {
            let within = range.map_or(String::new(), |range| format!("{} AND ", range.table));
            format!("WHERE {within}NOT EXISTS (SELECT 1 FROM compared AS fresh WHERE {fresh_key})")
        };
        let written: Vec<String> = self
            .may_differ()
            .map(|name| format!("{name} = fresh.{name}"))
            .chain(self.touch.iter().cloned())
            .collect();
        let updated = match self.may_differ().next() {
            None => "SELECT 1 WHERE false".to_string(),
            Some(_) => format!(
                "UPDATE ONLY {table} AS tv SET {} FROM compared AS fresh \
                 WHERE tv.ctid = fresh.{place} AND fresh.{differs} AND {} RETURNING 1",
                written.join(", "),
                self.not_repeated("fresh"),
            ),
        };
        format!(
            "WITH {wanted}\
             fresh AS ({fresh}{fence}), \
             compared AS MATERIALIZED (SELECT fresh.*, tv.ctid AS {place}, {is_different} AS {differs} \
               FROM fresh LEFT JOIN ONLY {table} AS tv ON {fresh_key}{between}), \
             found AS MATERIALIZED (SELECT count(*) AS keys, coalesce(sum(n), 0)::bigint AS rows \
               FROM (SELECT count(*) AS n FROM compared GROUP BY {key_names}) AS each_key), \
             repeated AS MATERIALIZED (SELECT {key_names} FROM compared WHERE (SELECT rows > keys FROM found) \
               GROUP BY {key_names} HAVING count(*) > 1), \
             deleted AS (DELETE FROM ONLY {table} AS tv {deleted} RETURNING 1), \
             updated AS ({updated}), \
             inserted AS (INSERT INTO {table} AS t ({names}) OVERRIDING SYSTEM VALUE SELECT {names} FROM compared AS fresh \
               WHERE fresh.{place} IS NULL AND {not_repeated} RETURNING 1), \
             counts AS MATERIALIZED (SELECT (SELECT count(*) FROM deleted) AS deleted, \
               (SELECT count(*) FROM updated) AS updated, (SELECT count(*) FROM inserted) AS inserted) \
             SELECT inserted, updated, deleted, greatest(found.rows - inserted - updated, 0), \
               (SELECT jsonb_agg(to_jsonb(r)) FROM (SELECT * FROM repeated LIMIT 10) r)::text FROM counts, found",
            fresh = match range {
                Some(range) => self.fresh_of_range(range),
                None => self.fresh(reach),
            },
            is_different = self.is_different("tv", "fresh"),
            between = match range {
                Some(range) => format!(" AND {}", range.table),
                None => self.between_bounds(reach),
            },
            not_repeated = self.not_repeated("fresh"),
        )
    }

    fn between_bounds(&self, reach: Reach) -> String {
        match &self.key[..] {
            [only] if reach == Reach::AllKeys && self.takes_bounds() => {
                format!(" AND tv.{} BETWEEN $2 AND $3", only.name)
            }
            _ => String::new(),
        }
    }

    /// In a recompute statement: nothing unless some of the keys wanted may have no row in the view. Each has one if there are as
    /// many, and keys of the view are as distinct in the table. The planner evaluates it once, before anything else.
    fn some_missing(&self) -> String {
        match self.key.iter().all(|k| k.view_type == k.table_type) {
            true => "(SELECT keys < cardinality($1) FROM found) AND ".to_string(),
            false => String::new(),
        }
    }

    /// In a recompute statement: only where some keys are repeated does it look for this one among them.
    fn not_repeated(&self, of: &str) -> String {
        format!(
            "((SELECT rows = keys FROM found) OR NOT EXISTS (SELECT 1 FROM repeated r WHERE {}))",
            self.each_key(|k| format!("r.{} {} {of}.{}", k.name, k.table_equality, k.name))
        )
    }
}
