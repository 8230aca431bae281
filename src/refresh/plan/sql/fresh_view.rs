//! The query of a fresh view: rows that are not behind from the table, the others from the view. See
//! [`crate::postgres::fresh_view`].

use crate::postgres::fresh_view::ALIAS;
use crate::postgres::{quote, type_facts};
use crate::refresh::plan::shape::Shape;

/// A column of a fresh view.
pub struct FreshColumn {
    /// Quoted, as in the table.
    pub name: String,
    pub value: FreshValue,
    /// `COLLATE ..` where the view has another collation than the table, or nothing.
    pub collation: String,
}

/// Where a column gets its value in a row that is behind.
pub enum FreshValue {
    /// The view returns it.
    OfView,
    /// The table generates it, by this expression over other columns.
    Generated(String),
    /// Only the table has the column.
    OfTable,
}

/// What the query of a fresh view is made from.
pub struct FreshView<'a> {
    pub shape: &'a Shape,
    pub columns: &'a [FreshColumn],
    /// The item in FROM that returns the rows of the view, without the alias `v`.
    pub view: &'a str,
    /// The fingerprint of the queries in that item, if it has some.
    pub queries: Option<&'a str>,
    /// The schema of the extension, quoted.
    pub extension: &'a str,
}

impl FreshView<'_> {
    pub fn query(&self) -> String {
        let key = self.shape.key.iter();
        let of_view: Vec<String> = key.clone().map(|k| format!("v.{}", k.name)).collect();
        let of_view = of_view.join(", ");
        let of_table = key.map(|k| k.as_views(&format!("{}.{}", alias(), k.name)));
        let of_table: Vec<String> = of_table.collect();
        let parts = [
            format!(
                "SELECT {} FROM {} AS {} WHERE NOT {}",
                self.names(&alias()),
                self.shape.rows(),
                alias(),
                self.call("behind", &of_table.join(", "))
            ),
            self.view_part(&format!(
                "{} AND {}{}",
                self.call("behind_by_list", &of_view),
                self.call("behind", &of_view),
                self.listed()
            )),
            self.view_part(&format!(
                "{} AND {}",
                self.call("behind_by_filter", &format!("false, {of_view}")),
                self.call("behind", &of_view)
            )),
        ];
        parts.join("\nUNION ALL\n")
    }

    /// Rows of the view that meet a condition, with the columns of the table.
    fn view_part(&self, condition: &str) -> String {
        let columns = self.columns.iter().filter_map(|column| {
            let value = match column.value {
                FreshValue::OfView => self.value(&column.name)?,
                FreshValue::OfTable => format!("{}.{}", alias(), column.name),
                FreshValue::Generated(_) => return None,
            };
            Some(format!("{value}{} AS {}", column.collation, column.name))
        });
        let columns: Vec<String> = columns.collect();
        let rows = format!(
            "SELECT {} FROM {} AS v{} WHERE {condition}{}",
            columns.join(", "),
            self.view,
            self.beside_table(),
            self.up_to_date()
        );
        let is_generated = |column: &FreshColumn| matches!(column.value, FreshValue::Generated(_));
        if !self.columns.iter().any(is_generated) {
            return rows;
        }
        let columns = self.columns.iter().map(|column| match &column.value {
            FreshValue::Generated(expression) => format!("({expression}) AS {}", column.name),
            _ => column.name.clone(),
        });
        let columns: Vec<String> = columns.collect();
        format!("SELECT {} FROM ({rows}) AS computed", columns.join(", "))
    }

    /// The rows of the table join in if they have values of their own.
    fn beside_table(&self) -> String {
        let has_own = |column: &FreshColumn| matches!(column.value, FreshValue::OfTable);
        if !self.columns.iter().any(has_own) {
            return String::new();
        }
        let same = self.shape.key.iter().map(|k| {
            let of_view = k.as_tables(&format!("v.{}", k.name));
            format!("{}.{} {} {of_view}", alias(), k.name, k.table_equality)
        });
        let same: Vec<String> = same.collect();
        format!(
            " LEFT JOIN {} AS {} ON {}",
            self.shape.rows(),
            alias(),
            same.join(" AND ")
        )
    }

    /// The value of a column that the view returns, in the type of the table.
    fn value(&self, name: &str) -> Option<String> {
        let mut key = self.shape.key.iter();
        if let Some(k) = key.find(|k| k.name == name) {
            return Some(k.as_tables(&format!("v.{name}")));
        }
        let mut content = self.shape.content.iter();
        let column = content.find(|column| column.name == name)?;
        Some(column.value.clone())
    }

    /// Conditions by which indexes find the rows whose keys are listed. Arrays and rows cannot be elements of
    /// such a list.
    fn listed(&self) -> String {
        let columns = self.shape.key.iter().enumerate();
        let conditions = columns.filter(|(_, k)| !k.values.is_nested()).map(|(place, k)| {
            let array = type_facts::name(k.values.parameter_type(), -1);
            let keys = self.call("behind_keys", &format!("{place}, NULL::{array}"));
            format!(" AND v.{} {} ANY ({keys})", k.name, k.view_equality)
        });
        conditions.collect()
    }

    /// The queries are those of the views.
    fn up_to_date(&self) -> String {
        let condition = |queries| format!(" AND {}", self.call("behind_query", &quote::literal(queries)));
        self.queries.map_or(String::new(), condition)
    }

    fn call(&self, function: &str, arguments: &str) -> String {
        format!(
            "{}.pg_tviews_{function}({}::pg_catalog.regclass, {arguments})",
            self.extension,
            quote::literal(&self.shape.table)
        )
    }

    fn names(&self, of: &str) -> String {
        let names: Vec<String> = self
            .columns
            .iter()
            .map(|column| format!("{of}.{}", column.name))
            .collect();
        names.join(", ")
    }
}

fn alias() -> String {
    quote::identifier(ALIAS)
}
