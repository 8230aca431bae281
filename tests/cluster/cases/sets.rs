//! Groups, aggregates and filters: rows that appear, disappear and move between groups.

use super::{live, Case, PLAIN};

const FACTS: &str = "
CREATE TABLE tb_fact (pk_fact int PRIMARY KEY, grp int NOT NULL, v int, deleted boolean NOT NULL DEFAULT false);
INSERT INTO tb_fact SELECT i, i % 4, i FROM generate_series(1, 12) i;";

const FACT_CHANGES: &[&str] = &[
    "INSERT INTO tb_fact VALUES ({30}, {6}, NULLIF({10}, 10)) ON CONFLICT (pk_fact) DO UPDATE SET v = EXCLUDED.v",
    "UPDATE tb_fact SET grp = {6} WHERE pk_fact = {30}",
    "UPDATE tb_fact SET grp = {6} WHERE grp = {6}",
    "UPDATE tb_fact SET v = NULLIF({10}, 10) WHERE pk_fact = {30}",
    "UPDATE tb_fact SET deleted = NOT deleted WHERE pk_fact = {30}",
    "DELETE FROM tb_fact WHERE pk_fact = {30}",
    "DELETE FROM tb_fact WHERE grp = {6}",
    "DELETE FROM tb_fact WHERE v = (SELECT max(v) FROM tb_fact WHERE grp = {6})",
];

#[test]
fn row_moves_between_groups() {
    let tviews = &[
        (
            "grp",
            "SELECT grp AS pk_grp, count(*) AS n, sum(v) AS total FROM tb_fact GROUP BY grp",
            "",
        ),
        (
            "odd",
            "SELECT grp, v % 2 = 1 AS odd, count(*) AS n FROM tb_fact WHERE v IS NOT NULL GROUP BY 1, 2",
            "{grp,odd}",
        ),
    ];
    live(
        "groups",
        &Case {
            tables: FACTS,
            tviews,
            statements: FACT_CHANGES,
            ..PLAIN
        },
    );
}

#[test]
fn extremes_averages_and_the_row_that_never_disappears() {
    let tviews = &[
        (
            "grp",
            "SELECT grp AS pk_grp, min(v) AS low, max(v) AS high, avg(v) AS mean FROM tb_fact GROUP BY grp",
            "",
        ),
        (
            "all",
            "SELECT 1 AS pk_all, count(*) AS n, min(v) AS low, avg(v) AS mean FROM tb_fact",
            "",
        ),
    ];
    live(
        "extremes",
        &Case {
            tables: FACTS,
            tviews,
            statements: FACT_CHANGES,
            ..PLAIN
        },
    );
}

#[test]
fn null_values_come_and_go() {
    let tviews = &[
        (
            "fact",
            "SELECT pk_fact, v, v IS NULL AS unknown, jsonb_build_object('v', v) AS data FROM tb_fact",
            "",
        ),
        (
            "known",
            "SELECT pk_fact AS pk_known, coalesce(v, -1) AS v FROM tb_fact WHERE v IS DISTINCT FROM 3",
            "",
        ),
    ];
    live(
        "nulls",
        &Case {
            tables: FACTS,
            tviews,
            statements: FACT_CHANGES,
            ..PLAIN
        },
    );
}

#[test]
fn rows_enter_and_leave_by_where_and_having() {
    let tviews = &[
        ("visible", "SELECT pk_fact AS pk_visible, grp, v FROM tb_fact WHERE NOT deleted AND v > 2", ""),
        ("large", "SELECT grp AS pk_large, count(*) AS n FROM tb_fact WHERE NOT deleted GROUP BY grp HAVING count(*) >= 3", ""),
        ("rich", "SELECT grp AS pk_rich, sum(v) AS total FROM tb_fact GROUP BY grp HAVING sum(v) BETWEEN 5 AND 30", ""),
    ];
    live(
        "filters",
        &Case {
            tables: FACTS,
            tviews,
            statements: FACT_CHANGES,
            ..PLAIN
        },
    );
}

#[test]
fn division_by_zero_heals_when_the_data_does() {
    let tables = "
        CREATE TABLE tb_ratio (pk_ratio int PRIMARY KEY, a int NOT NULL, b int NOT NULL);
        INSERT INTO tb_ratio SELECT i, 10 * i, i FROM generate_series(1, 10) i;";
    let statements = &[
        "INSERT INTO tb_ratio VALUES ({20}, {9}, {9}) ON CONFLICT DO NOTHING",
        "UPDATE tb_ratio SET a = {99} WHERE pk_ratio = {20}",
        "UPDATE tb_ratio SET b = {30} - 1 WHERE pk_ratio = {20}",
        "DELETE FROM tb_ratio WHERE pk_ratio = {20}",
    ];
    let tviews = &[("ratio", "SELECT pk_ratio, a / b AS ratio FROM tb_ratio", "")];
    let finally = "UPDATE tb_ratio SET b = 7 WHERE b = 0";
    live(
        "division",
        &Case {
            tables,
            tviews,
            statements,
            finally,
            ..PLAIN
        },
    );
}
