//! The statements that move the stored groups of a level.
//!
//! ```text
//! net changes -> net: what they add to each group -> moving(): stored groups moved, or deleted where in doubt
//! ```
//!
//! [`moving`] writes the store, and runs with internal rights under the settings of the TVIEW: texts of values
//! depend on them.

use super::net::{array, record};
use super::{Kind, Level};
use crate::postgres::quote;

/// Adds to the stored groups of a level. Parameters: 1 the TVIEW, 2 the level, 3 what [`net`](super::net::net) returns. Groups
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
                if aggregate.any_scale {
                    // The scale of the sum may become smaller.
                    let removed = format!("(d1.d ->> {})::int", at + 2);
                    certain.push(format!("({removed} IS NULL OR {removed} < scale({sum}))"));
                }
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
        at += match aggregate.kind {
            Kind::Count => 1,
            _ => 2 + usize::from(aggregate.any_scale),
        };
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
    let [table] = &level.tables[..] else {
        return None;
    };
    let plain: Option<Vec<&str>> = level
        .keys
        .iter()
        .map(|key| {
            let is_it = |name: &str| {
                let quoted = quote::identifier(name);
                key.sql == quoted || key.sql == format!("r1.{quoted}")
            };
            let mut names = table.columns.iter().map(|(name, _)| &name[..]);
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
        record = record(table, 1, "jsonb_to_record(c1.change)", |name| plain
            .contains(&name)),
    ))
}

#[cfg(any(test, feature = "pg_test"))]
mod tests;
