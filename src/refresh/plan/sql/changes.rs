//! The statement that lists what another query of the view would change.

use super::unquote;
use crate::catalog::document::json_object;
use crate::json::text;
use crate::postgres::quote;
use crate::refresh::plan::shape::Shape;

/// How a column is compared.
enum Compared {
    /// By the images of its values, as a refresh does.
    Image,
    /// By the JSON of its values: the types differ.
    Json,
    /// The table gets the column.
    New,
    /// The table loses the column.
    Gone,
}

impl Shape {
    /// Lists what changes if rows are those of this shape's view, not of `old`'s. `retyped`: columns whose type differs, quoted;
    /// `drops`: the table loses columns that only `old` has. At most `$1` rows: the key, in the types of the view; the change;
    /// and path, old and new value as JSON. Both views are computed once, in full.
    pub fn changes(&self, old: &Shape, retyped: &[String], drops: bool) -> String {
        let old = Shape {
            key: self.key.clone(),
            ..old.clone()
        };
        let keys = self.key_names();
        let places: Vec<String> = (1..=self.key.len()).map(|place| format!("k{place}")).collect();
        let of_few: Vec<String> = places.iter().map(|place| format!("f.{place}")).collect();
        format!(
            "WITH RECURSIVE old_rows AS MATERIALIZED ({old_rows}), new_rows AS MATERIALIZED ({new_rows}), \
             repeated AS MATERIALIZED (SELECT {keys} FROM new_rows AS n WHERE {n_has_key} GROUP BY {keys} HAVING count(*) > 1), \
             changed AS ({changed}), \
             few AS MATERIALIZED (SELECT row_number() OVER () AS n, c.* \
               FROM (SELECT * FROM changed ORDER BY place, {places}, path COLLATE \"C\" LIMIT $1) AS c), \
             walk AS ({walk}) \
             SELECT {of_few}, f.change, coalesce(w.path, f.path), \
               CASE WHEN w.n IS NULL THEN f.old ELSE w.old END::text, CASE WHEN w.n IS NULL THEN f.new ELSE w.new END::text \
               FROM few AS f LEFT JOIN (SELECT * FROM walk AS w WHERE NOT {goes_on}) AS w ON w.n = f.n \
              ORDER BY f.n, w.path COLLATE \"C\" LIMIT $1",
            old_rows = old.of_view(),
            new_rows = self.of_view(),
            n_has_key = self.key_not_null("n"),
            changed = self.changed(&old, retyped, drops),
            places = places.join(", "),
            walk = walk(),
            goes_on = goes_on(),
            of_few = of_few.join(", "),
        )
    }

    /// Rows and columns that change, before documents are compared.
    fn changed(&self, old: &Shape, retyped: &[String], drops: bool) -> String {
        let keys = |of: &str| {
            let keys = self.key.iter().enumerate();
            let keys = keys
                .map(|(place, k)| format!("{} AS k{}", k.as_views(&format!("{of}.{}", k.name)), place + 1));
            keys.collect::<Vec<_>>().join(", ")
        };
        let (has_key, same) = (self.key_not_null("n"), self.same_key("o", "n"));
        let repeated = format!(
            "EXISTS (SELECT 1 FROM repeated AS r WHERE {})",
            self.same_key("r", "n")
        );
        format!(
            "SELECT 0 AS place, 'without key' AS change, {of_new}, NULL::text AS path, NULL::jsonb AS old, {new_row} AS new \
               FROM new_rows AS n WHERE NOT ({has_key}) \
             UNION ALL SELECT 1, 'repeated', {of_new}, NULL, NULL, NULL FROM repeated AS n \
             UNION ALL SELECT 2, 'inserted', {of_new}, NULL, NULL, {new_row} FROM new_rows AS n \
               WHERE {has_key} AND NOT {repeated} AND NOT EXISTS (SELECT 1 FROM old_rows AS o WHERE {same}) \
             UNION ALL SELECT 2, 'deleted', {of_old}, NULL, {old_row}, NULL FROM old_rows AS o \
               WHERE {old_has_key} AND NOT EXISTS (SELECT 1 FROM new_rows AS n WHERE {same}) \
             UNION ALL SELECT 2, 'updated', {of_new}, d.path, d.old, d.new FROM new_rows AS n JOIN old_rows AS o ON {same} \
               CROSS JOIN LATERAL ({columns}) AS d(path, old, new, differs) WHERE d.differs AND NOT {repeated}",
            of_new = keys("n"),
            of_old = keys("o"),
            new_row = self.row_as_json("n"),
            old_row = old.row_as_json("o"),
            old_has_key = self.key_not_null("o"),
            columns = self.compared_columns(old, retyped, drops),
        )
    }

    /// A row as one document.
    fn row_as_json(&self, of: &str) -> String {
        let key = self.key.iter().map(|k| &k.name);
        let names = key.chain(self.content.iter().map(|c| &c.name));
        let pairs: Vec<String> = names
            .map(|name| format!("{}, {of}.{name}", quote::literal(&unquote(name))))
            .collect();
        json_object(&pairs)
    }

    /// One row for each column: its path, its values, and whether they differ.
    fn compared_columns(&self, old: &Shape, retyped: &[String], drops: bool) -> String {
        let in_old = |name: &String| old.content.iter().any(|c| c.name == *name);
        let in_new = |name: &String| self.content.iter().any(|c| c.name == *name);
        let of_key = self
            .key
            .iter()
            .filter(|k| !k.same_image)
            .map(|k| (&k.name, Compared::Image));
        let of_new = self.content.iter().map(|c| &c.name).map(|name| {
            if !in_old(name) {
                (name, Compared::New)
            } else if retyped.contains(name) {
                (name, Compared::Json)
            } else {
                (name, Compared::Image)
            }
        });
        let gone = old
            .content
            .iter()
            .map(|c| &c.name)
            .filter(|name| drops && !in_new(name));
        let all = of_key
            .chain(of_new)
            .chain(gone.map(|name| (name, Compared::Gone)));
        let rows: Vec<String> = all.map(|(name, compared)| compared.row(name)).collect();
        if rows.is_empty() {
            return "SELECT NULL::text, NULL::jsonb, NULL::jsonb, false".to_string();
        }
        format!("VALUES {}", rows.join(", "))
    }
}

impl Compared {
    fn row(self, name: &str) -> String {
        let path = quote::literal(&step(&unquote(name)));
        let (old, new) = (format!("to_jsonb(o.{name})"), format!("to_jsonb(n.{name})"));
        match self {
            Compared::Image => {
                format!("({path}, {old}, {new}, ROW(o.{name})::record *<> ROW(n.{name})::record)")
            }
            Compared::Json => format!("({path}, {old}, {new}, {old}::text IS DISTINCT FROM {new}::text)"),
            Compared::New => format!("({path}, NULL::jsonb, {new}, {new} IS DISTINCT FROM NULL)"),
            Compared::Gone => format!("({path}, {old}, NULL::jsonb, {old} IS DISTINCT FROM NULL)"),
        }
    }
}

/// A name as a step of a path, which quotes names as JSON does.
fn step(name: &str) -> String {
    let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if is_plain {
        return name.to_string();
    }
    let mut quoted = Vec::new();
    text::push_string(&mut quoted, name.as_bytes());
    String::from_utf8_lossy(&quoted).into_owned()
}

/// Whether two documents are compared member by member.
fn goes_on() -> &'static str {
    "coalesce(w.old::text <> w.new::text AND jsonb_typeof(w.old) IN ('object', 'array') \
       AND jsonb_typeof(w.old) = jsonb_typeof(w.new), false)"
}

/// From each pair of documents to the members and elements that differ.
fn walk() -> String {
    let part = |of: &str, kind: &str, empty: &str| {
        format!("CASE WHEN jsonb_typeof({of}) = '{kind}' THEN {of} ELSE '{empty}' END")
    };
    format!(
        "SELECT f.n, f.path, f.old, f.new FROM few AS f WHERE f.change = 'updated' \
         UNION ALL SELECT w.n, w.path || s.step, s.old, s.new FROM walk AS w CROSS JOIN LATERAL ( \
           SELECT CASE WHEN name.part COLLATE \"C\" ~ '^[A-Za-z_][A-Za-z0-9_]*$' THEN '.' || name.part ELSE '.' || to_json(name.part)::text END AS step, \
                  o.value AS old, n.value AS new \
             FROM jsonb_each({old_object}) AS o(key, value) FULL JOIN jsonb_each({new_object}) AS n(key, value) ON o.key = n.key \
            CROSS JOIN LATERAL (SELECT coalesce(o.key, n.key)) AS name(part) \
            WHERE o.value::text IS DISTINCT FROM n.value::text \
           UNION ALL \
           SELECT '[' || coalesce(o.place, n.place) - 1 || ']', o.value, n.value \
             FROM jsonb_array_elements({old_array}) WITH ORDINALITY AS o(value, place) \
             FULL JOIN jsonb_array_elements({new_array}) WITH ORDINALITY AS n(value, place) ON o.place = n.place \
            WHERE o.value::text IS DISTINCT FROM n.value::text) AS s \
          WHERE {goes_on}",
        old_object = part("w.old", "object", "{}"),
        new_object = part("w.new", "object", "{}"),
        old_array = part("w.old", "array", "[]"),
        new_array = part("w.new", "array", "[]"),
        goes_on = goes_on(),
    )
}
