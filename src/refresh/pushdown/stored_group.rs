//! The SQL of a sub-select that returns one group of a level: from the store, or computed where it is not stored.

use std::cell::RefCell;

use pgrx::pg_sys::Oid;

use crate::refresh::running::{self, net, noted, Aggregate, Kind};

/// What looking for running aggregates needs to know, and what was found.
pub struct Running {
    pub tview: Oid,
    pub owner: Oid,
    /// The table of stored groups.
    pub store: Oid,
    /// The schema of the extension, quoted.
    pub schema: String,
    /// The levels that are stored; None: look for levels, and change nothing.
    pub levels: Option<Vec<running::Level>>,
    pub found: RefCell<Vec<running::Level>>,
    pub refused: RefCell<Vec<Refused>>,
}

/// A table of a level that aggregates, and why its aggregates do not run along.
#[derive(Debug, Clone)]
pub struct Refused {
    /// Its name in the query.
    pub name: String,
    pub table: Oid,
    pub reason: String,
}

impl Refused {
    /// The tables of a level, refused for one reason.
    pub fn all<'a>(level: &'a running::Level, reason: &'a str) -> impl Iterator<Item = Refused> + 'a {
        level.tables.iter().map(move |table| Refused {
            name: table.label.clone(),
            table: table.oid,
            reason: reason.to_string(),
        })
    }
}

/// What stands in place of an aggregate, over the columns of the sub-select `j`.
pub fn output(aggregate: &Aggregate, at: usize) -> String {
    let (first, second) = (format!("j.a{at}"), format!("j.b{at}"));
    let type_name = &aggregate.argument.type_name[..];
    match aggregate.kind {
        Kind::Count => format!("coalesce(sum({first}), 0)::bigint"),
        Kind::Sum => match type_name {
            "smallint" | "integer" => format!("sum({first})::bigint"),
            _ => format!("sum({first})"),
        },
        Kind::Avg => format!("sum({first}) / sum({second})"),
        Kind::Min => format!("min({first})"),
        Kind::Max => format!("max({first})"),
        Kind::BoolAnd => format!("bool_and({first})"),
        Kind::BoolOr => format!("bool_or({first})"),
    }
}

impl Running {
    /// The skeleton of a query that looks up one group, see [`GroupLookup::sql`].
    pub fn lookup(&self, level: &running::Level, outputs: &[String]) -> String {
        let (schema, tview, number) = (&self.schema, self.tview.to_u32(), level.number);
        let ticket = noted::ticket(number, level.tables.len());
        let tables = level.tables.iter().enumerate();
        let tables: Vec<String> = tables.map(|(at, table)| net::in_from(table, at + 1)).collect();
        let x: Vec<String> = (1..=level.keys.len()).map(|n| format!("x{n}")).collect();
        let nulls: Vec<String> = x
            .iter()
            .zip(&level.keys)
            .map(|(x, key)| format!("NULL::{} AS {x}", key.type_name))
            .collect();
        let texts: Vec<String> = x.iter().map(|x| format!("x.{x}::text")).collect();
        let key = format!("ARRAY[{}]::text[]", texts.join(", "));
        let outside = if x.is_empty() {
            String::new()
        } else {
            format!("(SELECT {}) AS x, LATERAL ", nulls.join(", "))
        };
        let looked_up = format!("FROM {schema}.pg_tview_running AS r WHERE r.tview_oid = {tview}::oid AND r.level = {number} AND r.key = {key}");
        let state: Vec<String> = level.aggregates.iter().flat_map(computed).collect();
        let mut conditions: Vec<String> = level.condition.iter().cloned().collect();
        conditions.extend(
            level
                .keys
                .iter()
                .zip(&x)
                .map(|(key, x)| format!("{} OPERATOR(pg_catalog.=) x.{x}", key.sql)),
        );
        conditions.push(format!("NOT EXISTS (SELECT {looked_up})"));
        let values: Vec<String> = x.iter().map(|x| format!("x.{x}")).collect();
        let group =
            format!("{schema}.pg_tviews_running_group({ticket}, {key}, s.rows, s.state, s.stored) AS rows");
        let mut slot = 0;
        let typed: Vec<String> = level
            .aggregates
            .iter()
            .enumerate()
            .map(|(at, aggregate)| {
                let columns = columns_of(aggregate, at, slot);
                slot += slots(aggregate.kind);
                columns
            })
            .collect();
        let returned: Vec<String> = values.into_iter().chain([group]).chain(typed).collect();
        format!(
            "SELECT {} FROM (SELECT) AS outside, LATERAL (SELECT {} FROM {outside}(\
             SELECT r.rows, r.state, true AS stored {looked_up} \
             UNION ALL \
             SELECT count(*), ARRAY[{}]::text[], false FROM {} WHERE {} HAVING count(*) > 0) AS s) AS j",
            outputs.join(", "),
            returned.join(", "),
            state.join(", "),
            tables.join(", "),
            conditions.join(" AND "),
        )
    }
}

/// How many texts the state of an aggregate has.
fn slots(kind: Kind) -> usize {
    match kind {
        Kind::Count | Kind::Min | Kind::Max => 1,
        Kind::Sum | Kind::Avg | Kind::BoolAnd | Kind::BoolOr => 2,
    }
}

/// The state of an aggregate, computed from the rows of a group.
fn computed(aggregate: &Aggregate) -> Vec<String> {
    let argument = &aggregate.argument.sql;
    match aggregate.kind {
        Kind::Count => vec![format!("count({argument})::text")],
        Kind::Sum | Kind::Avg => vec![
            format!("count({argument})::text"),
            format!("coalesce(sum({argument}), 0)::text"),
        ],
        Kind::Min => vec![format!("min({argument})::text")],
        Kind::Max => vec![format!("max({argument})::text")],
        Kind::BoolAnd | Kind::BoolOr => vec![
            format!("(count(*) FILTER (WHERE {argument}))::text"),
            format!("(count(*) FILTER (WHERE NOT {argument}))::text"),
        ],
    }
}

/// The typed columns of an aggregate from its state, which begins at `slot`.
fn columns_of(aggregate: &Aggregate, at: usize, slot: usize) -> String {
    let text = |n: usize| format!("s.state[{}]", slot + n);
    let type_name = &aggregate.argument.type_name;
    match aggregate.kind {
        Kind::Count => format!("{}::bigint AS a{at}", text(1)),
        Kind::Sum => {
            let sum = if ["smallint", "integer"].contains(&&type_name[..]) {
                "bigint"
            } else {
                "numeric"
            };
            format!(
                "CASE WHEN {}::bigint > 0 THEN {}::{sum} END AS a{at}",
                text(1),
                text(2)
            )
        }
        Kind::Avg => format!(
            "CASE WHEN {0}::bigint > 0 THEN {1}::numeric END AS a{at}, nullif({0}::numeric, 0) AS b{at}",
            text(1),
            text(2)
        ),
        Kind::Min | Kind::Max => format!("{}::{type_name} AS a{at}", text(1)),
        Kind::BoolAnd => format!(
            "CASE WHEN {0}::bigint + {1}::bigint > 0 THEN {1}::bigint = 0 END AS a{at}",
            text(1),
            text(2)
        ),
        Kind::BoolOr => format!(
            "CASE WHEN {0}::bigint + {1}::bigint > 0 THEN {0}::bigint > 0 END AS a{at}",
            text(1),
            text(2)
        ),
    }
}
