//! Which aggregates of a view run along, and why others do not.

use pgrx::pg_sys::Oid;

use super::subject::Subject;
use crate::postgres::quote;
use crate::refresh::plan::running;
use crate::refresh::pushdown::Refused;
use crate::refresh::running::{Aggregate, Kind, Level};

/// The levels of a view that aggregate.
#[derive(Default)]
pub struct Aggregates {
    levels: Vec<Level>,
    refused: Vec<Refused>,
}

impl Aggregates {
    /// As the reader of the sources, inside an SPI session.
    pub fn of(subject: &Subject) -> Aggregates {
        let (levels, refused) = running::search(
            subject.tview,
            subject.reader,
            &subject.settings,
            &subject.shape,
            &subject.lineage,
        );
        Aggregates { levels, refused }
    }

    /// What to say about an occurrence of a table; None if no aggregate may run along.
    pub fn text(&self, table: Oid, label: &str) -> Option<String> {
        let name = label.rsplit('.').next().unwrap_or(label);
        let is_it = |of: Oid, named: &str| of == table && named == name;
        let found = self.levels.iter().filter(|level| {
            let mut tables = level.tables.iter();
            tables.any(|read| is_it(read.oid, &read.label))
        });
        let refused = self
            .refused
            .iter()
            .filter(|refused| is_it(refused.table, &refused.name));
        let mut lines: Vec<String> = found
            .map(described)
            .chain(refused.map(|refused| format!("no: {}", refused.reason)))
            .collect();
        lines.dedup();
        (!lines.is_empty()).then(|| lines.join("; "))
    }
}

/// `count(*), sum(amount) for each fk_post WHERE (amount > 1)`
fn described(level: &Level) -> String {
    let tables = level.tables.iter().enumerate().rev();
    let over_tables = |text: String| match &level.tables[..] {
        [_] => text.replace("r1.", ""),
        _ => tables.fold(text, |text, (at, table)| {
            text.replace(
                &format!("r{}.", at + 1),
                &format!("{}.", quote::identifier(&table.label)),
            )
        }),
    };
    // The rows of a group are counted in any case.
    let rows = std::iter::once("count(*)".to_string());
    let aggregates: Vec<String> = rows.chain(level.aggregates.iter().map(aggregate)).collect();
    let keys: Vec<&str> = level.keys.iter().map(|key| &key.sql[..]).collect();
    let mut text = aggregates.join(", ");
    if !keys.is_empty() {
        text += &format!(" for each {}", keys.join(", "));
    }
    if let Some(condition) = &level.condition {
        text += &format!(" where {condition}");
    }
    over_tables(text)
}

fn aggregate(aggregate: &Aggregate) -> String {
    let name = match aggregate.kind {
        Kind::Count => "count",
        Kind::Sum => "sum",
        Kind::Avg => "avg",
        Kind::Min => "min",
        Kind::Max => "max",
        Kind::BoolAnd => "bool_and",
        Kind::BoolOr => "bool_or",
    };
    format!("{name}({})", aggregate.argument.sql)
}
