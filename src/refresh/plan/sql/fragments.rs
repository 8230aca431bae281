//! Fragments that several statements share: column lists, conditions on keys, rows of the view.

use super::Reach;
use crate::postgres::quote;
use crate::refresh::plan::key_column::KeyColumn;
use crate::refresh::plan::shape::Shape;

impl Shape {
    /// Names of the columns that refreshes write.
    pub fn maintained(&self) -> impl Iterator<Item = String> + '_ {
        let key = self.key.iter().map(|k| &k.name);
        key.chain(self.content.iter().map(|c| &c.name))
            .map(|name| unquote(name))
    }

    /// All rows of the view, in the types of the table.
    pub(super) fn of_view(&self) -> String {
        let key = self.key.iter().map(|k| {
            let value = k.as_tables(&format!("v.{}", k.name));
            format!("{value} AS {}", k.name)
        });
        let content = self.content.iter().map(|c| format!("{} AS {}", c.value, c.name));
        let values: Vec<String> = key.chain(content).collect();
        format!("SELECT {} FROM {} AS v", values.join(", "), self.view)
    }

    /// All rows of the view whose key is not NULL, in the types of the table.
    pub(super) fn with_key(&self) -> String {
        format!("{} WHERE {}", self.of_view(), self.key_not_null("v"))
    }

    /// The rows of the view for these keys, in the types of the table.
    pub(super) fn fresh(&self, reach: Reach) -> String {
        let select = self.of_view();
        match reach {
            // Rows without a key, too: the statement reports them, and the view is computed once.
            Reach::Everything => select,
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

    /// The distinct keys of the parameters.
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

    /// The key columns of a row `k` of the parameters, in the types of the view.
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

    pub(super) fn wanted_in_view(&self) -> String {
        self.each_key(|k| format!("v.{} {} k.{}", k.name, k.view_equality, k.name))
    }

    pub fn wanted(&self, table: &str) -> String {
        self.each_key(|k| {
            let wanted = k.as_tables(&format!("k.{}", k.name));
            format!("{table}.{} {} {wanted}", k.name, k.table_equality)
        })
    }

    pub(super) fn same_key(&self, a: &str, b: &str) -> String {
        self.each_key(|k| format!("{a}.{} {} {b}.{}", k.name, k.table_equality, k.name))
    }

    pub fn key_not_null(&self, of: &str) -> String {
        // IS NULL is true for a composite value of NULLs, which may be a key.
        self.each_key(|k| format!("{of}.{} IS DISTINCT FROM NULL", k.name))
    }

    pub(super) fn each_key(&self, condition: impl Fn(&KeyColumn) -> String) -> String {
        self.key.iter().map(condition).collect::<Vec<_>>().join(" AND ")
    }

    pub fn key_names(&self) -> String {
        self.key
            .iter()
            .map(|k| k.name.clone())
            .collect::<Vec<_>>()
            .join(", ")
    }

    pub(super) fn names(&self) -> String {
        let all = self
            .key
            .iter()
            .map(|k| k.name.clone())
            .chain(self.content.iter().map(|c| c.name.clone()));
        all.collect::<Vec<_>>().join(", ")
    }

    /// The columns that new rows get values for, and these values from the rows of the view. `parameters`: how many
    /// the statement has besides the revision that new rows begin with, which is the last one.
    pub(super) fn inserted(&self, parameters: usize) -> (String, String) {
        let names = self.names();
        match &self.revision {
            Some(_) => (
                format!("{names}, revision"),
                format!("{names}, ${}::bigint", parameters + 1),
            ),
            None => (names.clone(), names),
        }
    }

    /// How many parameters a statement has for its keys.
    pub(super) fn key_parameters(&self, reach: Reach) -> usize {
        match reach {
            Reach::Everything => 0,
            Reach::AllKeys if self.takes_bounds() => self.key.len() + 2,
            Reach::AllKeys | Reach::EachKey => self.key.len(),
        }
    }

    /// The rows of the table, without those of tables that inherit from it.
    pub fn rows(&self) -> String {
        format!("ONLY {}", self.table)
    }

    /// Whether the statement for many keys takes two more parameters, the least and the greatest key. It then
    /// reads only the rows of the table between them, and the planner can estimate how many.
    pub fn takes_bounds(&self) -> bool {
        let integer = |k: &KeyColumn| ["smallint", "integer", "bigint"].contains(&k.view_type.as_str());
        matches!(&self.key[..], [only] if integer(only) && only.view_type == only.table_type)
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

    /// The same with only some of the key columns.
    pub(super) fn part(&self, columns: &[String]) -> Shape {
        let mut part = self.clone();
        part.key
            .retain(|k| columns.iter().any(|column| quote::identifier(column) == k.name));
        part
    }

    pub(super) fn columns_of(&self, of: &str, direction: &str) -> String {
        let columns: Vec<String> = self
            .key
            .iter()
            .map(|k| format!("{of}.{}{direction}", k.name))
            .collect();
        columns.join(", ")
    }
}

/// A quoted name without its quotes.
pub fn unquote(name: &str) -> String {
    match name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inner) => inner.replace("\"\"", "\""),
        None => name.to_string(),
    }
}
