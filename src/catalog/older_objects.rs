//! Statements for the SQL objects of versions before 0.3.0, which have one function that returns all rows of
//! the queue, no change feed and no groups.

/// A call of a function that these versions do not have, with what takes its place.
struct Call {
    begin: &'static str,
    instead: fn(&[&str]) -> String,
}

const CALLS: [Call; 2] = [
    Call {
        begin: "@extschema@.pg_tviews_queued(",
        instead: |arguments| match arguments {
            [sources, since] => format!("LATERAL ({})", rows("*", sources, since)),
            _ => "@extschema@.pg_tviews_queued()".to_string(),
        },
    },
    Call {
        begin: "@extschema@.pg_tviews_is_queued(",
        instead: |arguments| match arguments {
            [sources, tview, since, seen] => is_queued(sources, tview, since, seen),
            _ => "false".to_string(),
        },
    },
];

fn rows(columns: &str, sources: &str, since: &str) -> String {
    format!(
        "SELECT {columns} FROM @extschema@.pg_tviews_queued() every
          WHERE every.source_oid::oid = ANY ({sources}) AND NOT coalesce(pg_visible_in_snapshot(every.xid, {since}), false)"
    )
}

fn is_queued(sources: &str, tview: &str, since: &str, seen: &str) -> String {
    let rows = rows("1", sources, since);
    let is_own = format!("(every.operation = 'REFRESH') = (every.source_oid = {tview}::oid)");
    let is_seen = format!("pg_visible_in_snapshot(every.xid, {seen})");
    format!(
        "EXISTS ({rows} AND coalesce({is_own}, true) AND coalesce({is_seen}, true)
                    AND every.xid IS DISTINCT FROM pg_current_xact_id_if_assigned())"
    )
}

/// Columns that these versions do not have, with what takes their place.
const COLUMNS: [(&str, &str); 9] = [
    ("m.feed", "false"),
    ("m.throttle_lag", "NULL::interval"),
    ("m.refresh_group", "NULL::text"),
    ("o.refresh_group", "NULL::text"),
    ("c.stage", "NULL::oid"),
    ("c.server_run", "NULL::bigint"),
    ("q.origin", "NULL::text AS origin"),
    (", origins)", ")"),
    (" END, $17", " END"),
];

/// The statement without calls of functions that these versions do not have.
pub fn statement(text: &str) -> String {
    let text = COLUMNS.iter().fold(text.to_string(), |text, (column, instead)| {
        text.replace(column, instead)
    });
    CALLS.iter().fold(text, |text, call| replace(&text, call))
}

fn replace(text: &str, call: &Call) -> String {
    let mut replaced = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(call.begin) {
        let (arguments, end) = arguments(after);
        replaced += before;
        replaced += &(call.instead)(&arguments);
        rest = &after[end..];
    }
    replaced + rest
}

/// The arguments of a call whose opening parenthesis has been read, and where the call ends.
fn arguments(text: &str) -> (Vec<&str>, usize) {
    let (mut depth, mut start) = (0, 0);
    let mut arguments = Vec::new();
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' if depth > 0 => depth -= 1,
            b',' | b')' if depth == 0 => {
                arguments.push(text[start..at].trim());
                start = at + 1;
                if byte == b')' {
                    return (arguments, start);
                }
            }
            _ => {}
        }
    }
    (arguments, text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_become_queries_of_all_rows() {
        let text = statement(
            "SELECT * FROM @extschema@.pg_tviews_queued((m.a || m.b)::oid[], n.position) q WHERE true",
        );
        assert!(text.contains("= ANY ((m.a || m.b)::oid[])"), "{text}");
        assert!(text.contains("(every.xid, n.position)"), "{text}");
        assert!(text.ends_with(") q WHERE true"), "{text}");
        let text =
            statement("SELECT a OR @extschema@.pg_tviews_is_queued($1, m.oid, p, $2::pg_snapshot)\n FROM m");
        assert!(text.starts_with("SELECT a OR EXISTS (SELECT 1 "), "{text}");
        assert!(text.contains("every.source_oid = m.oid::oid"), "{text}");
        assert!(
            text.contains("(every.xid, $2::pg_snapshot), true)") && text.ends_with("())\n FROM m"),
            "{text}"
        );
    }

    #[test]
    fn other_statements_stay_as_they_are() {
        let text = "SELECT count(*) FROM @extschema@.pg_tview_queue q WHERE q.keys IS NULL";
        assert_eq!(statement(text), text);
    }
}
