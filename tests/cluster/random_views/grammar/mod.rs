//! A grammar of views. Every text is valid SQL whose result depends on the tables alone: whatever is
//! ordered and cut is ordered by all that comes out.

mod conditions;
mod from;
mod selects;
mod shapes;

use std::collections::BTreeSet;

use super::schema::{Table, Type};
use crate::harness::Random;

/// An expression that reads one column of something in FROM.
#[derive(Clone, Debug)]
pub struct Column {
    pub sql: String,
    pub of: Type,
}

/// An item of FROM and what it offers.
pub struct Item {
    pub sql: String,
    pub columns: Vec<Column>,
}

/// A query and its output columns.
#[derive(Clone)]
pub struct Query {
    pub sql: String,
    pub columns: Vec<(String, Type)>,
}

/// A finished view.
pub struct View {
    pub sql: String,
    /// Key columns, as an array literal.
    pub keys: &'static str,
    /// Constructs it is made of.
    pub constructs: BTreeSet<&'static str>,
}

/// What views of one schema are made from.
pub struct Grammar<'r> {
    random: &'r mut Random,
    tables: Vec<Table>,
    /// Plain views that others may read.
    views: Vec<(String, Query)>,
    /// How many more relations and conditions a view may get.
    size: i32,
    /// Aliases in use; those of siblings repeat.
    aliases: usize,
    ctes: Vec<Query>,
    constructs: BTreeSet<&'static str>,
}

impl<'r> Grammar<'r> {
    pub fn new(random: &'r mut Random, tables: &[Table]) -> Self {
        Self {
            random,
            tables: tables.to_vec(),
            views: Vec::new(),
            size: 0,
            aliases: 0,
            ctes: Vec::new(),
            constructs: BTreeSet::new(),
        }
    }

    /// A plain view for others to read: its definition, and another that can take its place.
    pub fn plain_view(&mut self, name: &str) -> (String, String) {
        let other = self.definition().0;
        let (sql, query) = self.definition();
        self.views.push((name.to_string(), query));
        let options = ["", "", " WITH (security_barrier)", " WITH (security_invoker)"];
        let options = self.random.pick(&options);
        (
            format!("CREATE VIEW {name}{options} AS {sql}"),
            format!("CREATE OR REPLACE VIEW {name}{options} AS {other}"),
        )
    }

    fn definition(&mut self) -> (String, Query) {
        self.start(4);
        let query = self.query(&[]);
        (self.with_ctes(&query.sql), query)
    }

    /// Lets views read another TVIEW's table.
    pub fn offer_tview(&mut self, table: &str, columns: &[(&str, Type)]) {
        let columns = columns.iter().map(|(name, of)| (name.to_string(), *of)).collect();
        let sql = String::new();
        self.views.push((table.to_string(), Query { sql, columns }));
    }

    /// Forgets a plain view that could not be created.
    pub fn without_last_view(&mut self) {
        self.views.pop();
    }

    /// A view with a key that is unique by construction.
    pub fn view(&mut self, size: i32) -> View {
        self.start(size);
        let (sql, keys) = self.shape();
        View {
            sql: self.with_ctes(&sql),
            keys,
            constructs: std::mem::take(&mut self.constructs),
        }
    }

    fn start(&mut self, size: i32) {
        self.size = size;
        self.aliases = 0;
        self.ctes.clear();
        self.constructs.clear();
    }

    fn with_ctes(&self, sql: &str) -> String {
        let ctes: Vec<String> = self
            .ctes
            .iter()
            .enumerate()
            .map(|(number, query)| format!("c{number} AS ({})", query.sql))
            .collect();
        match (ctes.is_empty(), sql.strip_prefix("WITH RECURSIVE ")) {
            (true, _) => sql.to_string(),
            (false, Some(rest)) => format!("WITH RECURSIVE {}, {rest}", ctes.join(", ")),
            (false, None) => format!("WITH {} {sql}", ctes.join(", ")),
        }
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.random.chance(percent)
    }

    /// Whether there is room for one more part, wanted in `percent` of the cases.
    fn more(&mut self, percent: u64) -> bool {
        if self.size <= 0 || !self.chance(percent) {
            return false;
        }
        self.size -= 1;
        true
    }

    fn uses(&mut self, construct: &'static str) {
        self.constructs.insert(construct);
    }

    fn alias(&mut self) -> String {
        self.aliases += 1;
        format!("x{}", self.aliases)
    }

    /// Runs a part whose aliases nothing outside of it can see.
    fn scoped<R>(&mut self, part: impl FnOnce(&mut Self) -> R) -> R {
        let aliases = self.aliases;
        let result = part(self);
        self.aliases = aliases;
        result
    }

    /// A column of a type, if there is one.
    fn column(&mut self, columns: &[Column], of: Type) -> Option<String> {
        let fitting: Vec<&Column> = columns.iter().filter(|column| column.of == of).collect();
        match fitting.is_empty() {
            true => None,
            false => Some(self.random.pick(&fitting).sql.clone()),
        }
    }

    /// Two columns of the same type, one from each side.
    fn pair(&mut self, left: &[Column], right: &[Column]) -> Option<(String, String, Type)> {
        for _ in 0..4 {
            let of = match self.random.upto(20) {
                1..=3 => Type::Text,
                4 => Type::Uuid,
                _ => Type::Int,
            };
            if let (Some(left), Some(right)) = (self.column(left, of), self.column(right, of)) {
                return Some((left, right, of));
            }
        }
        None
    }
}
