//! The statements that recompute rows, as SQL text. Every name is quoted before it gets here; values are
//! parameters: one array per key column, in the types of the view.

use super::key_column::KeyColumn;
use super::shape::Shape;

/// A part of all keys: conditions on a row `v` of the view and on a row `tv` of the table.
pub struct Within {
    pub view: String,
    pub table: String,
}

/// How the keys reach the view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// One look-up per key: every part of the view that depends on the key is reached through an index.
    EachKey,
    /// All keys at once: the planner sees how many there are.
    AllKeys,
    /// No keys: the whole view against the whole table.
    Everything,
}

impl Shape {
    /// Recomputes rows and writes those that differ. One result row: inserted, updated, deleted, unchanged,
    /// and up to ten keys (as JSON) that the view returns more than once, and whether it returned NULL keys.
    ///
    /// Each row of the table is looked up once, by key; a row that differs is then found by its place.
    pub fn recompute(&self, reach: Reach) -> String {
        self.recomputed(reach, None)
    }

    /// The same for all rows with keys in a range.
    pub fn recompute_within(&self, range: &Within) -> String {
        self.recomputed(Reach::Everything, Some(range))
    }

    fn recomputed(&self, reach: Reach, range: Option<&Within>) -> String {
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
                Some(range) => self.fresh_within(range),
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

    /// Names of the columns that refreshes write.
    pub fn maintained(&self) -> impl Iterator<Item = String> + '_ {
        let key = self.key.iter().map(|k| &k.name);
        key.chain(self.content.iter().map(|c| &c.name))
            .map(|name| unquote(name))
    }

    /// Fills an empty table in one go; duplicates are the primary key's to refuse.
    pub fn fill(&self) -> String {
        self.filled_with(self.fresh(Reach::Everything))
    }

    /// The same for a range of keys that the table has no row of.
    pub fn fill_within(&self, range: &Within) -> String {
        self.filled_with(self.fresh_within(range))
    }

    fn filled_with(&self, fresh: String) -> String {
        let names = self.names();
        format!(
            "INSERT INTO {} ({names}) OVERRIDING SYSTEM VALUE SELECT {names} FROM ({fresh}) fresh",
            self.table,
        )
    }

    /// What the planner expects of computing the rows of a range of keys.
    pub fn explain_within(&self, range: &Within) -> String {
        format!("EXPLAIN (FORMAT JSON) {}", self.fresh_within(range))
    }

    fn fresh_within(&self, range: &Within) -> String {
        format!("{} AND {}", self.fresh(Reach::Everything), range.view)
    }

    /// What the planner expects of computing rows: one key, or everything.
    pub fn explain(&self, reach: Reach) -> String {
        let nulls: Vec<String> = self
            .key
            .iter()
            .map(|k| format!("NULL::{} AS {}", k.view_type, k.name))
            .collect();
        let wanted = match reach {
            Reach::Everything => String::new(),
            _ => format!("WITH wanted AS MATERIALIZED (SELECT {}) ", nulls.join(", ")),
        };
        format!("EXPLAIN (VERBOSE, FORMAT JSON) {wanted}{}", self.fresh(reach))
    }

    /// What the planner expects of reading the table.
    pub fn explain_table(&self) -> String {
        format!("EXPLAIN (FORMAT JSON) SELECT FROM {}", self.table)
    }

    /// Whether table (or view) have at most `$1` rows.
    pub fn has_at_most(&self, with_view: bool) -> String {
        let within =
            |of: &str| format!("(SELECT count(*) <= $1 FROM (SELECT 1 FROM {of} LIMIT $1 + 1) AS few)");
        match with_view {
            true => format!("SELECT {} AND {}", within(&self.rows()), within(&self.view)),
            false => format!("SELECT {}", within(&self.rows())),
        }
    }

    /// Differences between view and table: problem, and the columns of the key.
    pub fn check(&self, reach: Reach) -> String {
        let rows = self.rows();
        let keys = |of: &str| {
            let columns: Vec<String> = self
                .key
                .iter()
                .map(|k| k.as_views(&format!("{of}.{}", k.name)))
                .collect();
            columns.join(", ")
        };
        let same = self.same_key("tv", "fresh");
        let (wanted, among, view) = match reach {
            // A row whose key is NULL is missing, as it has no place in the table.
            Reach::Everything => (String::new(), String::new(), self.of_view()),
            _ => (
                format!("wanted AS MATERIALIZED ({}), ", self.wanted_keys()),
                format!("EXISTS (SELECT 1 FROM wanted k WHERE {}) AND ", self.wanted("tv")),
                self.fresh(reach),
            ),
        };
        format!(
            "WITH {wanted}fresh AS MATERIALIZED ({view}) \
             SELECT 'missing', {} FROM fresh WHERE NOT EXISTS (SELECT 1 FROM {rows} AS tv WHERE {same}) \
             UNION ALL SELECT 'extra', {} FROM {rows} AS tv WHERE {among}NOT EXISTS (SELECT 1 FROM fresh WHERE {same}) \
             UNION ALL SELECT 'different', {} FROM {rows} AS tv, fresh WHERE {same} AND {}",
            keys("fresh"),
            keys("tv"),
            keys("tv"),
            self.is_different("tv", "fresh"),
        )
    }

    /// All rows of the view, in the table's types.
    fn of_view(&self) -> String {
        let key = self.key.iter().map(|k| {
            let value = k.as_tables(&format!("v.{}", k.name));
            format!("{value} AS {}", k.name)
        });
        let content = self.content.iter().map(|c| format!("{} AS {}", c.value, c.name));
        let values: Vec<String> = key.chain(content).collect();
        format!("SELECT {} FROM {} AS v", values.join(", "), self.view)
    }

    /// The rows of the view, in the table's types.
    fn fresh(&self, reach: Reach) -> String {
        let select = self.of_view();
        match reach {
            Reach::Everything => format!("{select} WHERE {}", self.key_not_null()),
            Reach::EachKey => format!(
                "SELECT f.* FROM wanted k, LATERAL ({select} WHERE {} OFFSET 0) f",
                self.wanted_in_view()
            ),
            Reach::AllKeys => match &self.key[..] {
                // An array of arrays would be read as one array of more dimensions.
                [only] if !only.view_type.ends_with("[]") => format!(
                    "{select} WHERE v.{} {} ANY ($1::{}[])",
                    only.name, only.view_equality, only.view_type
                ),
                _ => format!("{select}, wanted k WHERE {}", self.wanted_in_view()),
            },
        }
    }

    /// The keys in the parameters, each once.
    pub fn wanted_keys(&self) -> String {
        // Different texts may be equal keys: 2 and 2.00.
        format!(
            "SELECT DISTINCT {} FROM unnest({}) AS k({})",
            self.typed_keys(),
            self.key_arrays(),
            self.key_names()
        )
    }

    /// The parameters: an array for each column of the key.
    pub fn key_arrays(&self) -> String {
        let arrays: Vec<String> = (1..=self.key.len()).map(|n| format!("${n}")).collect();
        arrays.join(", ")
    }

    /// The columns of a row `k` of these, in the types of the view.
    pub fn typed_keys(&self) -> String {
        self.views_keys("k")
    }

    /// The key columns of rows, in the types of the view.
    pub fn views_keys(&self, of: &str) -> String {
        let typed = self.key.iter().map(|k| {
            let value = k.as_views(&format!("{of}.{}", k.name));
            format!("{value} AS {}", k.name)
        });
        typed.collect::<Vec<_>>().join(", ")
    }

    fn wanted_in_view(&self) -> String {
        self.each_key(|k| format!("v.{} {} k.{}", k.name, k.view_equality, k.name))
    }

    pub fn wanted(&self, table: &str) -> String {
        self.each_key(|k| {
            let wanted = k.as_tables(&format!("k.{}", k.name));
            format!("{table}.{} {} {wanted}", k.name, k.table_equality)
        })
    }

    fn same_key(&self, a: &str, b: &str) -> String {
        self.each_key(|k| format!("{a}.{} {} {b}.{}", k.name, k.table_equality, k.name))
    }

    /// Whether the statement for many keys takes two parameters more, the least and the greatest of them: it then reads no more
    /// of the table than what lies between, and the planner knows how much that is.
    pub fn takes_bounds(&self) -> bool {
        let integer = |k: &KeyColumn| ["smallint", "integer", "bigint"].contains(&k.view_type.as_str());
        matches!(&self.key[..], [only] if integer(only) && only.view_type == only.table_type)
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

    pub fn key_not_null(&self) -> String {
        // A row of NULLs IS NULL, and one with some is neither that nor IS NOT NULL; both are keys.
        self.each_key(|k| format!("v.{} IS DISTINCT FROM NULL", k.name))
    }

    fn each_key(&self, condition: impl Fn(&KeyColumn) -> String) -> String {
        self.key.iter().map(condition).collect::<Vec<_>>().join(" AND ")
    }

    pub fn key_names(&self) -> String {
        self.key
            .iter()
            .map(|k| k.name.clone())
            .collect::<Vec<_>>()
            .join(", ")
    }

    fn names(&self) -> String {
        let all = self
            .key
            .iter()
            .map(|k| k.name.clone())
            .chain(self.content.iter().map(|c| c.name.clone()));
        all.collect::<Vec<_>>().join(", ")
    }

    /// The rows of the table: not those of tables that inherit from it.
    pub fn rows(&self) -> String {
        format!("ONLY {}", self.table)
    }

    /// The columns that may differ in rows whose keys are equal: those of the key have images of their own, too.
    fn may_differ(&self) -> impl Iterator<Item = &String> {
        let key = self.key.iter().filter(|k| !k.same_image).map(|k| &k.name);
        key.chain(self.content.iter().map(|c| &c.name))
    }

    fn is_different(&self, a: &str, b: &str) -> String {
        let row = |of: &str| {
            let columns: Vec<String> = self.may_differ().map(|name| format!("{of}.{name}")).collect();
            format!("ROW({})::record", columns.join(", "))
        };
        match self.may_differ().next() {
            None => "false".to_string(),
            Some(_) => format!("{} *<> {}", row(a), row(b)),
        }
    }

    /// Whether keys of the view that are equal have the same text.
    pub fn one_text_per_key(&self) -> bool {
        self.key.iter().all(|k| k.same_text)
    }

    /// A name that no column of the TVIEW has.
    pub fn unused_name(&self, purpose: &str) -> String {
        let mut name = format!("\"pg_tviews {purpose}\"");
        let is_used = |name: &String| {
            let key = self.key.iter().map(|k| &k.name);
            let mut all = key.chain(self.content.iter().map(|c| &c.name));
            all.any(|column| column == name)
        };
        while is_used(&name) {
            name.insert(1, '_');
        }
        name
    }
}

/// A quoted name as it is.
pub fn unquote(name: &str) -> String {
    match name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inner) => inner.replace("\"\"", "\""),
        None => name.to_string(),
    }
}
