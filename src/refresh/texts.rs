//! The statements that recompute rows, as SQL text. Every name is quoted before it gets here; values are
//! parameters: one `text[]` per key column.

use crate::postgres::relation::quote_literal;

/// Where the table's row is, beside the view's row with the same key, and whether they differ. Names that no column of a
/// user has.
const PLACE: &str = "\"pg_tviews place\"";
const TABLE: &str = "\"pg_tviews table\"";
const DIFFERS: &str = "\"pg_tviews differs\"";

/// A maintained column that is not part of the key.
#[derive(Debug, Clone)]
pub struct Content {
    /// Name in the tv table.
    pub name: String,
    /// Its value from the view `v`, cast to the table's type.
    pub value: String,
}

/// A key column.
#[derive(Debug, Clone)]
pub struct Key {
    pub name: String,
    pub view_type: String,
    pub table_type: String,
    /// Equality on the view's type and on the table's type.
    pub view_equality: String,
    pub table_equality: String,
}

/// A TVIEW as the statements see it.
#[derive(Debug, Clone)]
pub struct Shape {
    pub table: String,
    pub view: String,
    pub key: Vec<Key>,
    pub content: Vec<Content>,
    /// `updated_at = now()` or nothing.
    pub touch: Option<String>,
}

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
        let Shape { table, .. } = self;
        let names = self.names();
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
        let (differs, updated) = if self.content.is_empty() {
            ("false".to_string(), "SELECT 1 WHERE false".to_string())
        } else {
            let mut sets: Vec<String> = self
                .content
                .iter()
                .map(|c| format!("{} = fresh.{}", c.name, c.name))
                .collect();
            sets.extend(self.touch.iter().cloned());
            (
                format!("{} *<> {}", self.row("tv"), self.row("fresh")),
                format!(
                    "UPDATE {table} AS tv SET {} FROM compared AS fresh \
                     WHERE tv.ctid = fresh.{PLACE} AND tv.tableoid = fresh.{TABLE} AND fresh.{DIFFERS} AND {} RETURNING 1",
                    sets.join(", "),
                    self.not_repeated("fresh"),
                ),
            )
        };
        format!(
            "WITH {wanted}\
             fresh AS ({fresh}{fence}), \
             compared AS MATERIALIZED (SELECT fresh.*, tv.ctid AS {PLACE}, tv.tableoid AS {TABLE}, {differs} AS {DIFFERS} \
               FROM fresh LEFT JOIN {table} AS tv ON {fresh_key}{between}), \
             found AS MATERIALIZED (SELECT count(*) AS keys, coalesce(sum(n), 0)::bigint AS rows \
               FROM (SELECT count(*) AS n FROM compared GROUP BY {key_names}) AS each_key), \
             repeated AS MATERIALIZED (SELECT {key_names} FROM compared WHERE (SELECT rows > keys FROM found) \
               GROUP BY {key_names} HAVING count(*) > 1), \
             deleted AS (DELETE FROM {table} AS tv {deleted} RETURNING 1), \
             updated AS ({updated}), \
             inserted AS (INSERT INTO {table} AS t ({names}) OVERRIDING SYSTEM VALUE SELECT {names} FROM compared AS fresh \
               WHERE fresh.{PLACE} IS NULL AND {not_repeated} RETURNING 1), \
             counts AS MATERIALIZED (SELECT (SELECT count(*) FROM deleted) AS deleted, \
               (SELECT count(*) FROM updated) AS updated, (SELECT count(*) FROM inserted) AS inserted) \
             SELECT inserted, updated, deleted, greatest(found.rows - inserted - updated, 0), \
               (SELECT jsonb_agg(to_jsonb(r)) FROM (SELECT * FROM repeated LIMIT 10) r)::text FROM counts, found",
            fresh = match range {
                Some(range) => self.fresh_within(range),
                None => self.fresh(reach),
            },
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

    /// Whether table (or view) have at most `$1` rows.
    pub fn has_at_most(&self, with_view: bool) -> String {
        let within =
            |of: &str| format!("(SELECT count(*) <= $1 FROM (SELECT 1 FROM {of} LIMIT $1 + 1) AS few)");
        match with_view {
            true => format!("SELECT {} AND {}", within(&self.table), within(&self.view)),
            false => format!("SELECT {}", within(&self.table)),
        }
    }

    /// Differences between view and table: key as JSON, problem.
    pub fn check(&self, reach: Reach) -> String {
        let Shape { table, .. } = self;
        let keys = |of: &str| {
            let pairs: Vec<String> = self
                .key
                .iter()
                .map(|k| format!("{}, {of}.{}", quote_literal(&unquote(&k.name)), k.name))
                .collect();
            format!("jsonb_build_object({})", pairs.join(", "))
        };
        let same = self.same_key("tv", "fresh");
        let different = if self.content.is_empty() {
            String::new()
        } else {
            format!(
                " UNION ALL SELECT {}, 'different' FROM {table} AS tv, fresh WHERE {same} AND {} *<> {}",
                keys("tv"),
                self.row("tv"),
                self.row("fresh")
            )
        };
        let (wanted, among) = match reach {
            Reach::Everything => (String::new(), String::new()),
            _ => (
                format!("wanted AS MATERIALIZED ({}), ", self.wanted_keys()),
                format!("EXISTS (SELECT 1 FROM wanted k WHERE {}) AND ", self.wanted("tv")),
            ),
        };
        format!(
            "WITH {wanted}fresh AS MATERIALIZED ({}) \
             SELECT {} AS key, 'missing' AS problem FROM fresh WHERE NOT EXISTS (SELECT 1 FROM {table} AS tv WHERE {same}) \
             UNION ALL SELECT {}, 'extra' FROM {table} AS tv WHERE {among}NOT EXISTS (SELECT 1 FROM fresh WHERE {same}){different}",
            self.fresh(reach),
            keys("fresh"),
            keys("tv"),
        )
    }

    /// The rows of the view, in the table's types.
    fn fresh(&self, reach: Reach) -> String {
        let values: Vec<String> = self
            .key
            .iter()
            .map(|k| format!("v.{}::{} AS {}", k.name, k.table_type, k.name))
            .chain(self.content.iter().map(|c| format!("{} AS {}", c.value, c.name)))
            .collect();
        let select = format!("SELECT {} FROM {} AS v", values.join(", "), self.view);
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
    pub(super) fn wanted_keys(&self) -> String {
        // Different texts may be equal keys: 2 and 2.00.
        format!(
            "SELECT DISTINCT {} FROM unnest({}) AS k({})",
            self.typed_keys(),
            self.key_arrays(),
            self.key_names()
        )
    }

    /// The parameters: an array of texts for each column of the key.
    pub(super) fn key_arrays(&self) -> String {
        let arrays: Vec<String> = (1..=self.key.len()).map(|n| format!("${n}")).collect();
        arrays.join(", ")
    }

    /// The columns of a row `k` of these, in the types of the view.
    pub(super) fn typed_keys(&self) -> String {
        let typed: Vec<String> = self
            .key
            .iter()
            .map(|k| format!("k.{}::{} AS {}", k.name, k.view_type, k.name))
            .collect();
        typed.join(", ")
    }

    fn wanted_in_view(&self) -> String {
        self.each_key(|k| format!("v.{} {} k.{}", k.name, k.view_equality, k.name))
    }

    pub(super) fn wanted(&self, table: &str) -> String {
        self.each_key(|k| {
            format!(
                "{table}.{} {} k.{}::{}",
                k.name, k.table_equality, k.name, k.table_type
            )
        })
    }

    fn same_key(&self, a: &str, b: &str) -> String {
        self.each_key(|k| format!("{a}.{} {} {b}.{}", k.name, k.table_equality, k.name))
    }

    /// Whether the statement for many keys takes two parameters more, the least and the greatest of them: it then reads no more
    /// of the table than what lies between, and the planner knows how much that is.
    pub fn takes_bounds(&self) -> bool {
        let integer = |k: &Key| ["smallint", "integer", "bigint"].contains(&k.view_type.as_str());
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

    pub(super) fn key_not_null(&self) -> String {
        self.each_key(|k| format!("v.{} IS NOT NULL", k.name))
    }

    fn each_key(&self, condition: impl Fn(&Key) -> String) -> String {
        self.key.iter().map(condition).collect::<Vec<_>>().join(" AND ")
    }

    pub(super) fn key_names(&self) -> String {
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

    fn row(&self, of: &str) -> String {
        let columns: Vec<String> = self.content.iter().map(|c| format!("{of}.{}", c.name)).collect();
        format!("ROW({})::record", columns.join(", "))
    }
}

/// A quoted name as it is.
pub(super) fn unquote(name: &str) -> String {
    match name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inner) => inner.replace("\"\"", "\""),
        None => name.to_string(),
    }
}
