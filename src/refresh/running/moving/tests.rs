//! Random changes of a table: stored groups that were moved are equal to the aggregates of the table.

use pgrx::prelude::Spi;

use super::*;
use crate::catalog::statements::schema;
use crate::refresh::running::net::{in_from, net};
use crate::refresh::running::{Aggregate, Table, Typed};

/// Every column may be NULL; texts and numbers are those that are easily written wrongly.
const TABLE: &str = r#"
    CREATE TEMPORARY TABLE "Source rows" (
        id int GENERATED ALWAYS AS IDENTITY, k int, "The name" text, day date, at timestamptz, i2 smallint, i4 int, i8 bigint,
        n numeric(12, 2), b boolean, note text COLLATE "C", doc json);
    CREATE TEMPORARY TABLE other (id int GENERATED ALWAYS AS IDENTITY, k int, factor numeric(6, 1));
    CREATE TEMPORARY TABLE changes (source oid, part int, weight int, image json);
    CREATE FUNCTION pg_temp.image(r "Source rows") RETURNS json LANGUAGE sql AS $$
        SELECT json_build_object('k', r.k, 'The name', r."The name", 'day', r.day, 'at', r.at, 'i2', r.i2, 'i4', r.i4, 'i8', r.i8,
            'n', r.n, 'b', r.b, 'note', r.note, 'doc', r.doc)
    $$;
    CREATE FUNCTION pg_temp.image(r other) RETURNS json LANGUAGE sql AS $$
        SELECT json_build_object('k', r.k, 'factor', r.factor)
    $$;
    CREATE FUNCTION pg_temp.record() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP <> 'INSERT' THEN
            INSERT INTO changes VALUES (TG_RELID, random() * 2, -1, pg_temp.image(OLD));
        END IF;
        IF TG_OP <> 'DELETE' THEN
            INSERT INTO changes VALUES (TG_RELID, random() * 2, 1, pg_temp.image(NEW));
        END IF;
        RETURN NULL;
    END$$;
    CREATE TRIGGER record AFTER INSERT OR UPDATE OR DELETE ON "Source rows" FOR EACH ROW EXECUTE FUNCTION pg_temp.record();
    CREATE TRIGGER record AFTER INSERT OR UPDATE OR DELETE ON other FOR EACH ROW EXECUTE FUNCTION pg_temp.record();
    CREATE FUNCTION pg_temp.one(VARIADIC "values" text[]) RETURNS text LANGUAGE sql VOLATILE AS $$
        SELECT "values"[1 + floor(random() * cardinality("values"))::int]
    $$;
    SELECT setseed(0.25);
"#;

/// A few rows come, go and are changed.
const CHANGE: &str = r#"
    INSERT INTO "Source rows" (k, "The name", day, at, i2, i4, i8, n, b, note, doc)
    SELECT pg_temp.one('1', '2', NULL)::int, pg_temp.one('a', 'it''s', 'back\slash "quoted"', '{,}', '', NULL),
           pg_temp.one('2026-02-03', '2025-12-31', '0044-03-15 BC', 'infinity', NULL)::date,
           pg_temp.one('2026-02-03 04:05:06.789+02', '2025-12-31', NULL)::timestamptz,
           pg_temp.one('1', '-32768', '32767', NULL)::smallint, pg_temp.one('0', '2147483647', '-5', NULL)::int,
           pg_temp.one('9223372036854775807', '-1', '3', NULL)::bigint, pg_temp.one('0.10', '-12.50', '1000000.99', NULL)::numeric,
           pg_temp.one('t', 'f', NULL)::boolean, pg_temp.one('B', 'a', 'Ü', 'new' || chr(10) || 'line', NULL),
           pg_temp.one('{"a": 1}', '[]', NULL)::json
      FROM generate_series(1, 12);
    UPDATE "Source rows" SET n = pg_temp.one('0.10', '7', NULL)::numeric, b = NOT b WHERE random() < 0.03;
    UPDATE "Source rows" SET "The name" = 'it''s' WHERE random() < 0.01;
    DELETE FROM "Source rows" WHERE random() < 0.02;
    INSERT INTO other (k, factor)
    SELECT pg_temp.one('1', '2', '3', NULL)::int, pg_temp.one('1.5', '-2', '0', NULL)::numeric FROM generate_series(1, 2) WHERE random() < 0.7;
    UPDATE other SET k = pg_temp.one('1', '2')::int WHERE random() < 0.05;
    UPDATE other SET factor = pg_temp.one('100.1', NULL)::numeric WHERE random() < 0.05;
    DELETE FROM other WHERE random() < 0.05;
"#;

fn typed(sql: &str, type_name: &str) -> Typed {
    Typed {
        sql: sql.to_string(),
        type_name: type_name.to_string(),
    }
}

fn table(name: &str, columns: &[(&str, &str)]) -> Table {
    let oid = Spi::get_one(&format!(
        "SELECT {}::regclass::oid",
        crate::postgres::quote::literal(name)
    ));
    Table {
        oid: oid.ok().flatten().expect("a table"),
        label: String::new(),
        columns: columns
            .iter()
            .map(|(name, of)| (name.to_string(), of.to_string()))
            .collect(),
    }
}

/// Two tables, and one of them twice.
fn joins() -> [Level; 2] {
    let other = || table("other", &[("k", "int"), ("factor", "numeric(6,1)")]);
    let mut two = level(
        6,
        &[("r1.\"The name\"", "text"), ("r2.k", "int")],
        &[
            (Kind::Count, "r2.factor", "numeric"),
            (Kind::Sum, "r1.n * r2.factor", "numeric"),
            (Kind::Max, "r1.n * r2.factor", "numeric"),
            (Kind::Min, "r1.day", "date"),
            (Kind::BoolOr, "r1.b AND r2.factor > 0", "boolean"),
        ],
    );
    two.tables.push(other());
    two.condition = Some("r2.k = r1.k AND r2.factor <> 0".to_string());
    let mut twice = level(
        7,
        &[("r3.i2", "smallint")],
        &[
            (Kind::Sum, "r1.i4", "int"),
            (Kind::Count, "CASE WHEN r3.b THEN r2.factor END", "numeric"),
            (Kind::Max, "r3.i8", "bigint"),
        ],
    );
    twice.tables.extend([other(), twice.tables[0].clone()]);
    twice.condition = Some("r2.k = r1.k AND r3.i4 = r1.i4 AND r3.\"The name\" = r1.\"The name\"".to_string());
    [two, twice]
}

fn level(number: i32, keys: &[(&str, &str)], aggregates: &[(Kind, &str, &str)]) -> Level {
    let columns = [
        ("k", "int"),
        ("The name", "text"),
        ("day", "date"),
        ("at", "timestamptz"),
        ("i2", "smallint"),
        ("i4", "int"),
        ("i8", "bigint"),
        ("n", "numeric(12,2)"),
        ("b", "boolean"),
        ("note", "text COLLATE \"C\""),
        ("doc", "json"),
    ];
    Level {
        number,
        tables: vec![table("\"Source rows\"", &columns)],
        condition: (number > 1).then(|| "r1.i4 <> 0 OR r1.b".to_string()),
        keys: keys.iter().map(|(sql, of)| typed(sql, of)).collect(),
        aggregates: aggregates
            .iter()
            .map(|(kind, sql, of)| Aggregate {
                kind: *kind,
                argument: typed(sql, of),
                any_scale: sql.starts_with("CASE WHEN r1.n "),
            })
            .collect(),
    }
}

fn levels() -> Vec<Level> {
    let of_all_kinds = [
        (Kind::Count, "r1.doc", "json"),
        (Kind::Count, "CASE WHEN r1.b THEN r1.i4 END", "int"),
        (Kind::Sum, "r1.i2", "smallint"),
        (Kind::Sum, "r1.i4", "int"),
        (Kind::Sum, "r1.i8", "bigint"),
        (Kind::Avg, "r1.n", "numeric"),
        (
            Kind::Sum,
            "CASE WHEN r1.k = 1 THEN r1.n * 2 - 1.000 END",
            "numeric",
        ),
        (
            Kind::Avg,
            "CASE WHEN r1.n < 1 THEN r1.n WHEN r1.n < 100 THEN 7 END",
            "numeric",
        ),
        (Kind::Min, "r1.i4", "int"),
        (Kind::Max, "r1.n", "numeric"),
        (Kind::Min, "r1.day", "date"),
        (Kind::Max, "r1.at", "timestamptz"),
        (Kind::Max, "r1.note", "text COLLATE \"C\""),
        (Kind::BoolAnd, "r1.b", "boolean"),
        (Kind::BoolOr, "CASE WHEN r1.i4 > 0 THEN r1.b END", "boolean"),
    ];
    let many: Vec<_> = of_all_kinds.iter().copied().cycle().take(70).collect();
    vec![
        level(1, &[("r1.k", "int"), ("r1.\"The name\"", "text")], &of_all_kinds),
        level(2, &[], &of_all_kinds),
        level(3, &[("r1.day", "date")], &of_all_kinds[..7]),
        level(4, &[("r1.at", "timestamptz"), ("r1.b", "boolean")], &[]),
        level(5, &[("r1.k", "int")], &many),
    ]
}

/// The groups of a level as they are stored, computed from the table.
fn computed(level: &Level) -> String {
    let mut states = Vec::new();
    for aggregate in &level.aggregates {
        let argument = &aggregate.argument.sql;
        match aggregate.kind {
            Kind::Count => states.push(format!("count({argument})::text")),
            Kind::Sum | Kind::Avg => {
                states.push(format!("count({argument})::text"));
                states.push(format!("coalesce(sum({argument})::text, '0')"));
            }
            Kind::Min => states.push(format!("min({argument})::text")),
            Kind::Max => states.push(format!("max({argument})::text")),
            Kind::BoolAnd | Kind::BoolOr => {
                states.push(format!("(count(*) FILTER (WHERE {argument}))::text"));
                states.push(format!("(count(*) FILTER (WHERE NOT ({argument})))::text"));
            }
        }
    }
    let tables = level.tables.iter().enumerate();
    let from: Vec<String> = tables.map(|(at, table)| in_from(table, at + 1)).collect();
    let keys: Vec<String> = level
        .keys
        .iter()
        .map(|key| format!("({})::text", key.sql))
        .collect();
    let condition = level.condition.clone().unwrap_or("true".to_string());
    let known = keys
        .iter()
        .map(|key| format!(" AND {key} IS NOT NULL"))
        .collect::<String>();
    let group = if keys.is_empty() {
        "HAVING count(*) > 0".to_string()
    } else {
        format!("GROUP BY {}", keys.join(", "))
    };
    format!(
        "SELECT 1::oid AS tview_oid, {} AS level, ARRAY[{}]::text[] AS key, count(*) AS rows, ARRAY[{}]::text[] AS state, \
         0::bigint AS moved_at FROM {} WHERE ({condition}){known} {group}",
        level.number,
        keys.join(", "),
        states.join(", "),
        from.join(", ")
    )
}

fn run(sql: &str) {
    Spi::run(sql).unwrap_or_else(|error| panic!("{error}: {sql}"));
}

fn number(sql: &str) -> i64 {
    Spi::get_one(sql)
        .ok()
        .flatten()
        .unwrap_or_else(|| panic!("no number: {sql}"))
}

#[pgrx::pg_schema]
mod tests {
    use pgrx::prelude::pg_test;

    use super::*;

    #[pg_test]
    fn moved_groups_are_those_of_the_table() {
        run(TABLE);
        let (mut levels, schema) = (levels(), schema());
        levels.extend(joins());
        let store = format!("{schema}.pg_tview_running");
        for (n, level) in levels.iter().enumerate() {
            run(&format!(
                "PREPARE moving_{n} (oid, int, jsonb) AS {}",
                moving(level, &schema)
            ));
        }
        let (mut kept, mut deleted) = (0, 0);
        for round in 0..60 {
            run("TRUNCATE changes");
            run(CHANGE);
            run("ANALYZE \"Source rows\"; ANALYZE other; ANALYZE changes");
            if round == 40 {
                run("DELETE FROM \"Source rows\" WHERE k = 2");
            }
            // Joins are larger with each round.
            let in_round = |level: &Level| level.tables.len() == 1 || round < 25;
            for (n, level) in levels.iter().enumerate().filter(|(_, level)| in_round(level)) {
                let before = number(&format!(
                    "SELECT count(*) FROM {store} WHERE level = {}",
                    level.number
                ));
                // Three transactions.
                let all: Vec<usize> = (0..level.tables.len()).collect();
                let mut net = net(level, &all, false);
                for (at, table) in level.tables.iter().enumerate() {
                    let of_table = format!(
                        "(SELECT array_agg(net) FROM (SELECT json_agg(json_build_array(weight, image)) AS net \
                         FROM changes WHERE source = {} GROUP BY part) p)",
                        table.oid.to_u32()
                    );
                    net = net.replace(&format!("${}", at + 1), &of_table);
                }
                let added: Option<String> =
                    Spi::get_one(&format!("SELECT ({net})::text")).expect("what is added");
                let added = added.map_or("NULL".to_string(), |added| {
                    crate::postgres::quote::literal(&added)
                });
                run(&format!("EXECUTE moving_{n} (1, {}, {added})", level.number));
                let computed = computed(level);
                let stored = format!("SELECT * FROM {store} WHERE level = {}", level.number);
                let wrong: Option<String> = Spi::get_one(&format!(
                "SELECT string_agg(s::text || ' not ' || coalesce(c::text, 'there'), E'\\n') FROM ({stored}) s \
                 LEFT JOIN ({computed}) c ON c.key = s.key \
                 WHERE (s.rows, s.state) IS DISTINCT FROM (c.rows, c.state)"
            ))
            .expect("a comparison");
                assert_eq!(wrong, None, "level {} round {round}", level.number);
                let after = number(&format!(
                    "SELECT count(*) FROM {store} WHERE level = {}",
                    level.number
                ));
                kept += after;
                deleted += before - after;
                run(&format!("INSERT INTO {store} {computed} ON CONFLICT DO NOTHING"));
            }
        }
        assert!(
            kept > 3 * deleted && deleted > 0,
            "{kept} kept, {deleted} deleted"
        );
    }
}
