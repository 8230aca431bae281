//! The statements that move the stored groups of a level.
//!
//! ```text
//! net changes -> net(): what they add to each group -> moving(): stored groups moved, or deleted where in doubt
//! ```
//!
//! The first statement evaluates expressions of the view, and runs with the rights of the owner of the TVIEW.
//! The second writes the store, and runs with internal rights under the settings of the TVIEW: texts of
//! values depend on them.

use super::{Aggregate, Kind, Level};
use crate::postgres::quote;

/// What the net changes of a level (`$1 json[]`) add to its groups, as `jsonb`: an array with an element per
/// group. The element is an array too: the parts of the key, the number of rows, and what
/// [`additions`] are for each aggregate. NULL: nothing has changed.
pub fn net(level: &Level) -> String {
    let keys = level.keys.len();
    let mut inner = vec!["(c1.change ->> 0)::int8 AS w".to_string()];
    for (n, key) in level.keys.iter().enumerate() {
        inner.push(format!("({})::text AS k{n}", key.sql));
    }
    let partition: Vec<String> = level.keys.iter().map(|key| key.sql.clone()).collect();
    for (n, aggregate) in level.aggregates.iter().enumerate() {
        let argument = &aggregate.argument.sql;
        match aggregate.kind {
            // A type may have no equality.
            Kind::Count => inner.push(format!("(({argument}) IS NOT NULL) AS a{n}")),
            Kind::Min | Kind::Max => {
                // A value that is removed and added counts as neither.
                let by: Vec<String> = partition
                    .iter()
                    .chain([argument])
                    .map(|e| format!("({e})"))
                    .collect();
                inner.push(format!("({argument}) AS a{n}"));
                inner.push(format!(
                    "sum((c1.change ->> 0)::int8) OVER (PARTITION BY {}) AS w{n}",
                    by.join(", ")
                ));
            }
            _ => inner.push(format!("({argument}) AS a{n}")),
        }
    }
    let mut outer: Vec<String> = (0..keys).map(|n| format!("n1.k{n}")).collect();
    outer.push("sum(n1.w)".to_string());
    for (n, aggregate) in level.aggregates.iter().enumerate() {
        outer.extend(additions(n, aggregate));
    }
    let is_known: Vec<String> = (0..keys).map(|n| format!("n1.k{n} IS NOT NULL")).collect();
    let by: Vec<String> = (0..keys).map(|n| format!("n1.k{n}")).collect();
    let (is_known, group) = if keys == 0 {
        ("true".to_string(), "HAVING count(*) > 0".to_string())
    } else {
        (is_known.join(" AND "), format!("GROUP BY {}", by.join(", ")))
    };
    format!(
        "SELECT jsonb_agg(g1.g) FROM (\
         SELECT {outer} AS g FROM (\
         SELECT {inner} FROM unnest($1) AS t1 (net), json_array_elements(t1.net) AS c1 (change){record}{condition}\
         ) n1 WHERE {is_known} {group}) g1",
        outer = array(&outer),
        inner = inner.join(", "),
        record = record(level, "json_to_record(c1.change -> 1)", |_| true),
        condition = level
            .condition
            .as_ref()
            .map_or(String::new(), |condition| format!(" WHERE ({condition})")),
    )
}

/// A JSON array of these values. A function takes 100 arguments at most.
fn array(values: &[String]) -> String {
    let parts = values.chunks(100);
    let parts: Vec<String> = parts
        .map(|part| format!("jsonb_build_array({})", part.join(", ")))
        .collect();
    parts.join(" || ")
}

/// The row `r1` of an image. The text of a document is in it, see
/// [`push_document`](crate::json::text::push_document).
fn record(level: &Level, function: &str, read: impl Fn(&str) -> bool) -> String {
    let mut columns = Vec::new();
    let mut values = Vec::new();
    for (name, definition) in level.columns.iter().filter(|(name, _)| read(name)) {
        let name = quote::identifier(name);
        // From PostgreSQL 17 on, json is a word of its own.
        if ["json", "pg_catalog.json", "pg_catalog.jsonb"].contains(&&definition[..]) {
            columns.push(format!("{name} text"));
            values.push(format!("i1.{name}::{definition}"));
        } else {
            columns.push(format!("{name} {definition}"));
            values.push(format!("i1.{name}"));
        }
    }
    if columns.is_empty() {
        return String::new();
    }
    format!(
        ", {function} AS i1 ({}), LATERAL (SELECT {}) AS r1",
        columns.join(", "),
        values.join(", ")
    )
}

/// What net changes add to an aggregate, as two columns: the numbers of arguments and their sum; the least or
/// greatest value that is added and removed; the numbers of true and false arguments.
fn additions(n: usize, aggregate: &Aggregate) -> Vec<String> {
    match aggregate.kind {
        Kind::Count => vec![format!("coalesce(sum(n1.w) FILTER (WHERE n1.a{n}), 0)")],
        Kind::Sum | Kind::Avg => vec![
            format!("coalesce(sum(n1.w) FILTER (WHERE n1.a{n} IS NOT NULL), 0)"),
            format!("coalesce(sum(n1.w::numeric * n1.a{n}::numeric), 0)::text"),
        ],
        Kind::Min | Kind::Max => {
            let name = if aggregate.kind == Kind::Min { "min" } else { "max" };
            let extreme = |sign| format!("({name}(n1.a{n}) FILTER (WHERE n1.w{n} {sign} 0))::text");
            vec![extreme(">"), extreme("<")]
        }
        Kind::BoolAnd | Kind::BoolOr => vec![
            format!("coalesce(sum(n1.w) FILTER (WHERE n1.a{n}), 0)"),
            format!("coalesce(sum(n1.w) FILTER (WHERE NOT n1.a{n}), 0)"),
        ],
    }
}

/// Adds to the stored groups of a level. Parameters: 1 the TVIEW, 2 the level, 3 what [`net`] returns. Groups
/// whose new state is not certain are deleted.
pub fn moving(level: &Level, schema: &str) -> String {
    let keys = level.keys.len();
    let mut states: Vec<String> = Vec::new();
    let mut certain = vec![format!("s.rows + (d1.d ->> {keys})::int8 >= 1")];
    let mut at = keys + 1;
    for aggregate in &level.aggregates {
        let added = format!("(d1.d ->> {at})");
        let second = format!("(d1.d ->> {})", at + 1);
        let place = states.len() + 1;
        let number = |place: usize, added: &str| format!("(s.state[{place}]::int8 + {added}::int8)");
        match aggregate.kind {
            Kind::Count => {
                certain.push(format!("{} >= 0", number(place, &added)));
                states.push(format!("{}::text", number(place, &added)));
            }
            Kind::Sum | Kind::Avg => {
                let count = number(place, &added);
                let sum = format!("(s.state[{}]::numeric + {second}::numeric)", place + 1);
                certain.push(format!("{count} >= 0"));
                certain.push(format!(
                    "{sum} NOT IN ('NaN'::numeric, 'Infinity'::numeric, '-Infinity'::numeric)"
                ));
                states.push(format!("{count}::text"));
                states.push(format!("CASE WHEN {count} = 0 THEN '0' ELSE {sum}::text END"));
            }
            Kind::Min | Kind::Max => {
                let of_type = &aggregate.argument.type_name;
                let value = |text: &str| format!("({text})::{of_type}");
                let (function, beyond) = if aggregate.kind == Kind::Min {
                    ("least", "<=")
                } else {
                    ("greatest", ">=")
                };
                let stored = value(&format!("s.state[{place}]"));
                let extreme = format!("{function}({stored}, {})", value(&added));
                let removed = value(&second);
                certain.push(format!(
                    "({second} IS NULL OR ({extreme} IS NOT NULL AND NOT ({removed} {beyond} {extreme})))"
                ));
                states.push(format!("({extreme})::text"));
            }
            Kind::BoolAnd | Kind::BoolOr => {
                for (place, added) in [(place, &added), (place + 1, &second)] {
                    certain.push(format!("{} >= 0", number(place, added)));
                    states.push(format!("{}::text", number(place, added)));
                }
            }
        }
        at += if aggregate.kind == Kind::Count { 1 } else { 2 };
    }
    let key: Vec<String> = (0..keys).map(|n| format!("d1.d ->> {n}")).collect();
    format!(
        "WITH moved AS MATERIALIZED (\
         SELECT s.key, s.rows + (d1.d ->> {keys})::int8 AS rows, ARRAY[{states}]::text[] AS state, \
         ({certain}) AS is_certain \
         FROM jsonb_array_elements($3) AS d1 (d), {schema}.pg_tview_running s \
         WHERE s.tview_oid = $1 AND s.level = $2 AND s.key = ARRAY[{key}]::text[]\
         ), kept AS (\
         UPDATE {schema}.pg_tview_running s \
         SET rows = m.rows, state = m.state, moved_at = (extract(epoch FROM clock_timestamp()) * 1000000)::int8 \
         FROM moved m \
         WHERE s.tview_oid = $1 AND s.level = $2 AND s.key = m.key AND m.is_certain IS TRUE\
         ) \
         DELETE FROM {schema}.pg_tview_running s USING moved m \
         WHERE s.tview_oid = $1 AND s.level = $2 AND s.key = m.key AND m.is_certain IS NOT TRUE",
        states = states.join(", "),
        certain = certain.join(" AND "),
        key = key.join(", "),
    )
}

/// The groups that change keys (`$1 jsonb[]`) name, as `jsonb`: an array of arrays of texts, and whether each
/// change key names a group. None: change keys do not name groups of this level.
pub fn named(level: &Level) -> Option<String> {
    let plain: Option<Vec<&str>> = level
        .keys
        .iter()
        .map(|key| {
            let is_it = |name: &str| {
                let quoted = quote::identifier(name);
                key.sql == quoted || key.sql == format!("r1.{quoted}")
            };
            let mut names = level.columns.iter().map(|(name, _)| &name[..]);
            names.find(|name| is_it(name))
        })
        .collect();
    let plain = plain.filter(|plain| !plain.is_empty())?;
    let keys: Vec<String> = level
        .keys
        .iter()
        .map(|key| format!("({})::text", key.sql))
        .collect();
    let names: Vec<String> = plain.iter().map(|name| quote::literal(name)).collect();
    Some(format!(
        "SELECT jsonb_agg(DISTINCT {keys}), bool_and(c1.change ?& ARRAY[{names}]) \
         FROM unnest($1) AS t1 (keys), jsonb_array_elements(t1.keys) AS c1 (change){record}",
        keys = array(&keys),
        names = names.join(", "),
        record = record(level, "jsonb_to_record(c1.change)", |name| plain.contains(&name)),
    ))
}

#[cfg(any(test, feature = "pg_test"))]
mod tests;
