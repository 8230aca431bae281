//! The statement that recomputes rows and writes those that differ.

use super::{KeyRange, Reach};
use crate::refresh::plan::revision::Revision;
use crate::refresh::plan::shape::Shape;
use crate::refresh::plan::sql::written_keys::Operation;

impl Shape {
    /// Recomputes rows and writes those that differ. Returns one row: the numbers of rows inserted, updated,
    /// deleted and unchanged, up to ten keys (as JSON) that the view returns more than once, whether the whole
    /// view returns rows whose key is NULL, and the greatest revision that was deleted.
    ///
    /// With `returns_keys`, the keys that were written follow: for some keys, as arrays if there are such arrays
    /// ([`Shape::returns_arrays`]), those of INSERT first, then UPDATE, then DELETE. Otherwise one row is returned
    /// for each of them, with the same counts and what [`Shape::written_keys`] returns.
    ///
    /// Each row of the table is looked up once, by key. A row that differs is updated by its ctid.
    pub fn recompute(&self, reach: Reach) -> String {
        self.recomputed(reach, None)
    }

    /// The same for all rows with keys in a range.
    pub fn recompute_range(&self, range: &KeyRange) -> String {
        self.recomputed(Reach::Everything, Some(range))
    }

    fn recomputed(&self, reach: Reach, range: Option<&KeyRange>) -> String {
        let parameters = range.map_or(self.key_parameters(reach), |range| range.parameters);
        let (table, (names, values)) = (&self.table, self.inserted(parameters));
        // The ctid of the row in the table with the same key, and whether that row differs.
        let (place, differs) = (self.unused_name("place"), self.unused_name("differs"));
        let key_names = self.key_names();
        let fresh_key = self.same_key("tv", "fresh");
        let keyed = reach != Reach::Everything;
        let wanted = if keyed {
            format!("wanted AS MATERIALIZED ({}), ", self.wanted_keys())
        } else {
            String::new()
        };
        // OFFSET 0, so that no expression of the view is computed twice: to compare and to write.
        let fence = if reach == Reach::EachKey { "" } else { " OFFSET 0" };
        // Only the whole view can have rows without a key here.
        let (with_key, and_with_key, without_key) = if keyed || range.is_some() {
            (String::new(), String::new(), "false".to_string())
        } else {
            let with_key = self.key_not_null("fresh");
            (
                format!(" WHERE {with_key}"),
                format!(" AND {with_key}"),
                format!("EXISTS (SELECT 1 FROM compared AS fresh WHERE NOT ({with_key}))"),
            )
        };
        let deleted = self.deleted(keyed, range);
        let updated = self.updated(&place, &differs);
        let (deleted_revision, greatest_deleted) = match self.revision {
            Some(_) => (", tv.revision", "(SELECT max(revision) FROM deleted)"),
            None => ("", "NULL::bigint"),
        };
        let written = self.written(keyed);
        format!(
            "WITH {wanted}\
             fresh AS ({fresh}{fence}), \
             compared AS MATERIALIZED (SELECT fresh.*, tv.ctid AS {place}, {is_different} AS {differs} \
               FROM fresh LEFT JOIN ONLY {table} AS tv ON {fresh_key}{between}), \
             found AS MATERIALIZED (SELECT count(*) AS keys, coalesce(sum(n), 0)::bigint AS rows \
               FROM (SELECT count(*) AS n FROM compared AS fresh{with_key} GROUP BY {key_names}) AS each_key), \
             repeated AS MATERIALIZED (SELECT {key_names} FROM compared AS fresh WHERE (SELECT rows > keys FROM found){and_with_key} \
               GROUP BY {key_names} HAVING count(*) > 1), \
             deleted AS (DELETE FROM ONLY {table} AS tv {deleted} RETURNING {of_deleted}{deleted_revision}), \
             updated AS ({updated}), \
             inserted AS (INSERT INTO {table} AS t ({names}) OVERRIDING SYSTEM VALUE SELECT {values} FROM compared AS fresh \
               WHERE fresh.{place} IS NULL{and_with_key} AND {not_repeated} RETURNING {of_inserted}), \
             counts AS MATERIALIZED (SELECT {counts}) \
             SELECT {inserted}, {updated_rows}, {deleted_rows}, greatest(found.rows - {inserted} - {updated_rows}, 0), \
               (SELECT jsonb_agg(to_jsonb(r)) FROM (SELECT * FROM repeated LIMIT 10) r)::text, {without_key}, {greatest_deleted}{keys} FROM counts CROSS JOIN found{joined}",
            counts = written.counts,
            inserted = written.number(Operation::Insert),
            updated_rows = written.number(Operation::Update),
            deleted_rows = written.number(Operation::Delete),
            keys = written.keys,
            joined = written.joined,
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
            of_deleted = self.returned("tv"),
            of_inserted = self.returned("t"),
        )
    }

    /// Which rows of the table the statement deletes: those that the view no longer returns.
    fn deleted(&self, keyed: bool, range: Option<&KeyRange>) -> String {
        if keyed {
            format!(
                "USING (SELECT * FROM wanted k WHERE NOT EXISTS (SELECT 1 FROM compared AS fresh WHERE {})) AS k WHERE {}{}",
                self.wanted("fresh"),
                self.some_missing(),
                self.wanted("tv")
            )
        } else {
            let within = range.map_or(String::new(), |range| format!("{} AND ", range.table));
            format!(
                "WHERE {within}NOT EXISTS (SELECT 1 FROM compared AS fresh WHERE {})",
                self.same_key("tv", "fresh")
            )
        }
    }

    /// The part of the statement that updates rows which differ.
    fn updated(&self, place: &str, differs: &str) -> String {
        if self.may_differ().next().is_none() {
            return "SELECT 1 WHERE false".to_string();
        }
        let written: Vec<String> = self
            .may_differ()
            .map(|name| format!("{name} = fresh.{name}"))
            .chain(self.touch.iter().cloned())
            .chain(self.revision.iter().map(|_| Revision::next().to_string()))
            .collect();
        format!(
            "UPDATE ONLY {} AS tv SET {} FROM compared AS fresh \
             WHERE tv.ctid = fresh.{place} AND fresh.{differs} AND {} RETURNING {}",
            self.table,
            written.join(", "),
            self.not_repeated("fresh"),
            self.returned("tv"),
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

    /// A condition that is false if each key has a row in the view: if there are as many rows as keys, and
    /// different keys of the view are different in the table. The executor evaluates it once, before the
    /// rest.
    fn some_missing(&self) -> String {
        if self.key.iter().all(|k| k.view_type == k.table_type) {
            "(SELECT keys < cardinality($1) FROM found) AND ".to_string()
        } else {
            String::new()
        }
    }

    /// A condition that is false for repeated keys. If no key is repeated, keys are not searched for.
    fn not_repeated(&self, of: &str) -> String {
        format!(
            "((SELECT rows = keys FROM found) OR NOT EXISTS (SELECT 1 FROM repeated r WHERE {}))",
            self.each_key(|k| format!("r.{} {} {of}.{}", k.name, k.table_equality, k.name))
        )
    }
}
