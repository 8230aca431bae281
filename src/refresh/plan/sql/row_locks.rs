//! Statements that lock rows of the table by key.

use crate::refresh::plan::shape::Shape;

impl Shape {
    /// Locks the rows of these keys in the table against other writers. The order of the keys avoids
    /// deadlocks between two sessions that lock the same rows.
    pub fn lock_rows(&self) -> String {
        format!(
            "SELECT 1 FROM {} AS tv, ({}) AS k WHERE {} ORDER BY {} FOR NO KEY UPDATE OF tv",
            self.rows(),
            self.wanted_keys(),
            self.wanted("tv"),
            self.order("tv")
        )
    }

    /// The positions, counted from 1, of those keys in the parameters whose rows another session holds. Locks
    /// the rows of the other keys, in the order of the keys.
    pub fn held_rows(&self) -> String {
        let place = self.unused_name("position");
        format!(
            "WITH given AS MATERIALIZED ({given}), \
             free AS MATERIALIZED (SELECT tv.ctid AS row FROM {rows} AS tv \
               WHERE EXISTS (SELECT 1 FROM given k WHERE {wanted}) ORDER BY {order} FOR NO KEY UPDATE SKIP LOCKED) \
             SELECT k.{place} FROM {rows} AS tv, given k WHERE {wanted} AND tv.ctid NOT IN (SELECT row FROM free)",
            given = self.given_keys(1, &place),
            rows = self.rows(),
            wanted = self.wanted("tv"),
            order = self.order("tv"),
        )
    }
}
