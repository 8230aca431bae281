//! The statement that says what net changes add to the groups of a level. It evaluates expressions of the view,
//! and runs with the rights of the owner of the TVIEW. What is joined to net changes is read in the snapshot
//! of the refresh.

use super::{Aggregate, Kind, Level, Table};
use crate::postgres::{quote, relation};

/// What net changes add to the groups of a level, as `jsonb`: an array with an element per group. The element
/// is an array too: the parts of the key, the number of rows, and what [`additions`] are for each aggregate.
/// NULL: nothing has changed.
///
/// Parameters: the net changes (`json[]`) of each table. `changed`: the positions of the tables that have some.
/// `few`: each of these has [`FEW`] changes at most.
pub fn net(level: &Level, changed: &[usize], few: bool) -> String {
    let keys = level.keys.len();
    let terms = subsets(changed).into_iter().map(|subset| term(level, &subset));
    let terms = terms.collect::<Vec<_>>().join(" UNION ALL ");
    let key: Vec<String> = (0..keys).map(|n| format!("k{n}")).collect();
    let weighed = level.aggregates.iter().enumerate();
    let weighed = weighed
        .filter(|(_, aggregate)| aggregate.any_scale || matches!(aggregate.kind, Kind::Min | Kind::Max));
    // A value that is removed and added counts as neither.
    let windows: Vec<String> = weighed
        .map(|(n, aggregate)| {
            let mut by: Vec<String> = key.iter().cloned().chain([format!("a{n}")]).collect();
            by.extend(aggregate.any_scale.then(|| format!("scale(a{n})")));
            format!("sum(n0.w) OVER (PARTITION BY {}) AS w{n}", by.join(", "))
        })
        .collect();
    let rows = if windows.is_empty() {
        format!("({terms}) n1")
    } else {
        format!("(SELECT n0.*, {} FROM ({terms}) n0) n1", windows.join(", "))
    };
    let mut outer: Vec<String> = (0..keys).map(|n| format!("n1.k{n}")).collect();
    outer.push("sum(n1.w)".to_string());
    for (n, aggregate) in level.aggregates.iter().enumerate() {
        outer.extend(additions(n, aggregate));
    }
    let is_known: Vec<String> = (0..keys).map(|n| format!("n1.k{n} IS NOT NULL")).collect();
    let (is_known, group) = if keys == 0 {
        ("true".to_string(), "HAVING count(*) > 0".to_string())
    } else {
        let by: Vec<String> = (0..keys).map(|n| format!("n1.k{n}")).collect();
        (is_known.join(" AND "), format!("GROUP BY {}", by.join(", ")))
    };
    let images: Vec<String> = changed
        .iter()
        .map(|at| {
            format!(
                "d{} AS MATERIALIZED ({})",
                at + 1,
                images(&level.tables[*at], at + 1, few)
            )
        })
        .collect();
    format!(
        "WITH {} SELECT jsonb_agg(g1.g) FROM (SELECT {} AS g FROM {rows} WHERE {is_known} {group}) g1",
        images.join(", "),
        array(&outer)
    )
}

/// So many changes of a table are few: the planner may look up what they are joined to.
pub const FEW: i64 = 10;

/// The sets of changed tables that are each a term of what is added.
///
/// A join of tables A and B was `(A - dA) x (B - dB)`, and is `A x B` now. The difference is
/// `dA x B + A x dB - dA x dB`: a term for each set of changed tables, of which net changes are joined. Terms of
/// an even number of net changes are subtracted.
fn subsets(changed: &[usize]) -> Vec<Vec<usize>> {
    let of_mask = |mask: u32| {
        let positions = changed.iter().enumerate();
        let inside = positions.filter(|(at, _)| mask & (1 << at) != 0);
        inside.map(|(_, position)| *position).collect()
    };
    (1..1 << changed.len()).map(of_mask).collect()
}

/// The rows of a join in which the net changes of some tables stand for these: weight `w`, parts of the key
/// `k0` and so on, arguments `a0` and so on.
fn term(level: &Level, netted: &[usize]) -> String {
    let weights: Vec<String> = netted
        .iter()
        .map(|at| format!("r{}.{}", at + 1, weight(&level.tables[*at])))
        .collect();
    let sign = if netted.len().is_multiple_of(2) { "-" } else { "" };
    let mut columns = vec![format!("{sign}{} AS w", weights.join(" * "))];
    let keys = level.keys.iter().enumerate();
    columns.extend(keys.map(|(n, key)| format!("({})::text AS k{n}", key.sql)));
    for (n, aggregate) in level.aggregates.iter().enumerate() {
        let argument = &aggregate.argument.sql;
        columns.push(match aggregate.kind {
            // A type may have no equality.
            Kind::Count => format!("(({argument}) IS NOT NULL) AS a{n}"),
            _ => format!("({argument}) AS a{n}"),
        });
    }
    let tables = level.tables.iter().enumerate().map(|(at, table)| {
        if netted.contains(&at) {
            format!("d{0} AS r{0}", at + 1)
        } else {
            in_from(table, at + 1)
        }
    });
    let condition = level.condition.as_ref();
    format!(
        "SELECT {} FROM {}{}",
        columns.join(", "),
        tables.collect::<Vec<_>>().join(", "),
        condition.map_or(String::new(), |condition| format!(" WHERE ({condition})")),
    )
}

/// A table of a level in FROM.
pub fn in_from(table: &Table, number: usize) -> String {
    let name = relation::qualified_name(table.oid).unwrap_or_default();
    let only = if relation::kind(table.oid) == Some('p') {
        ""
    } else {
        "ONLY "
    };
    format!("{only}{name} AS r{number}")
}

/// The images of a table that was changed, with their weights. Images of the same row in several transactions
/// are added up, so that there are not many more than the table has rows.
fn images(table: &Table, number: usize, few: bool) -> String {
    let sum = "sum((c.change ->> 0)::int8)";
    // The planner knows the number. The limit is never reached.
    let limit = if few {
        format!(" LIMIT {FEW}")
    } else {
        String::new()
    };
    format!(
        "SELECT n.w AS {}, r{number}.* FROM (\
         SELECT {sum}::int8 AS w, c.change ->> 1 AS image \
         FROM unnest(${number}) AS t (net), json_array_elements(t.net) AS c (change) \
         GROUP BY 2 HAVING {sum} <> 0{limit}) n{}",
        weight(table),
        record(table, number, "json_to_record(n.image::json)", |_| true)
    )
}

/// What the weight of an image is called: no column has the name.
fn weight(table: &Table) -> String {
    let mut name = "w".to_string();
    while table.columns.iter().any(|(column, _)| *column == name) {
        name.push('w');
    }
    name
}

/// A JSON array of these values. A function takes 100 arguments at most.
pub fn array(values: &[String]) -> String {
    let parts = values.chunks(100);
    let parts: Vec<String> = parts
        .map(|part| format!("jsonb_build_array({})", part.join(", ")))
        .collect();
    parts.join(" || ")
}

/// The row `r<number>` of an image. The text of a document is in it, see
/// [`push_document`](crate::json::text::push_document).
pub fn record(table: &Table, number: usize, function: &str, read: impl Fn(&str) -> bool) -> String {
    let mut columns = Vec::new();
    let mut values = Vec::new();
    for (name, definition) in table.columns.iter().filter(|(name, _)| read(name)) {
        let name = quote::identifier(name);
        // From PostgreSQL 17 on, json is a word of its own.
        if ["json", "pg_catalog.json", "pg_catalog.jsonb"].contains(&&definition[..]) {
            columns.push(format!("{name} text"));
            values.push(format!("i{number}.{name}::{definition}"));
        } else {
            columns.push(format!("{name} {definition}"));
            values.push(format!("i{number}.{name}"));
        }
    }
    if columns.is_empty() {
        return format!(", (SELECT) AS r{number}");
    }
    format!(
        ", {function} AS i{number} ({}), LATERAL (SELECT {}) AS r{number}",
        columns.join(", "),
        values.join(", ")
    )
}

/// What net changes add to an aggregate, as columns: the numbers of arguments, their sum and the largest scale
/// that is removed, if scales differ; the least or greatest value that is added and removed; the numbers of true
/// and false arguments.
fn additions(n: usize, aggregate: &Aggregate) -> Vec<String> {
    match aggregate.kind {
        Kind::Count => vec![format!("coalesce(sum(n1.w) FILTER (WHERE n1.a{n}), 0)")],
        Kind::Sum | Kind::Avg => {
            let scale = format!("max(scale(n1.a{n})) FILTER (WHERE n1.w{n} < 0)");
            let sums = [
                format!("coalesce(sum(n1.w) FILTER (WHERE n1.a{n} IS NOT NULL), 0)"),
                format!("coalesce(sum(n1.w::numeric * n1.a{n}::numeric), 0)::text"),
            ];
            sums.into_iter()
                .chain(aggregate.any_scale.then_some(scale))
                .collect()
        }
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
