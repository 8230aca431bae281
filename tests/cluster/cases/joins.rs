//! Joins and sub-selects: a change on any side finds every row it concerns.

use super::{live, Case, PLAIN};

const TWO_TABLES: &str = "
CREATE TABLE tb_a (pk_a int PRIMARY KEY, j int, name text);
CREATE TABLE tb_b (pk_b int PRIMARY KEY, fk_a int, j int, t text);
INSERT INTO tb_a SELECT i, i % 4, 'a' || i FROM generate_series(1, 6) i;
INSERT INTO tb_b SELECT i, i % 8, i % 5, 'b' || i FROM generate_series(1, 12) i;";

const TWO_TABLES_CHANGES: &[&str] = &[
    "INSERT INTO tb_a VALUES ({10}, NULLIF({6}, 6), 'new {100}') ON CONFLICT DO NOTHING",
    "INSERT INTO tb_b VALUES ({20}, NULLIF({12}, 12), NULLIF({6}, 6), 'new {100}') ON CONFLICT DO NOTHING",
    "UPDATE tb_a SET name = 'a {100}' WHERE pk_a = {10}",
    "UPDATE tb_a SET j = NULLIF({6}, 6) WHERE pk_a = {10}",
    "UPDATE tb_b SET t = 'b {100}' WHERE pk_b = {20}",
    "UPDATE tb_b SET fk_a = NULLIF({12}, 12) WHERE pk_b = {20}",
    "UPDATE tb_b SET j = NULLIF({6}, 6) WHERE fk_a = {10}",
    "DELETE FROM tb_a WHERE pk_a = {10}",
    "DELETE FROM tb_b WHERE pk_b = {20}",
];

#[test]
fn join_with_parent_that_may_come_later() {
    let tviews = &[(
        "joined",
        "SELECT b.pk_b AS pk_joined, a.name, b.t FROM tb_b b JOIN tb_a a ON a.pk_a = b.fk_a",
        "",
    )];
    live(
        "join",
        &Case {
            tables: TWO_TABLES,
            tviews,
            statements: TWO_TABLES_CHANGES,
            ..PLAIN
        },
    );
}

#[test]
fn truncate_of_either_side() {
    let tables = "
        CREATE TABLE tb_a (pk_a int PRIMARY KEY, name text);
        CREATE TABLE tb_b (pk_b int PRIMARY KEY, fk_a int REFERENCES tb_a, t text);
        INSERT INTO tb_a SELECT i, 'a' FROM generate_series(1, 5) i;";
    let tviews = &[
        ("a", "SELECT a.pk_a, a.name, count(b.pk_b) AS n FROM tb_a a LEFT JOIN tb_b b ON b.fk_a = a.pk_a GROUP BY a.pk_a", ""),
        ("b", "SELECT b.pk_b, b.t, a.name FROM tb_b b JOIN tb_a a ON a.pk_a = b.fk_a", ""),
    ];
    let statements = &[
        "INSERT INTO tb_a VALUES ({9}, 'a {100}') ON CONFLICT (pk_a) DO UPDATE SET name = EXCLUDED.name",
        "INSERT INTO tb_a VALUES ({9}, 'a {100}') ON CONFLICT (pk_a) DO UPDATE SET name = EXCLUDED.name",
        "INSERT INTO tb_b SELECT {30}, pk_a, 'b {100}' FROM tb_a WHERE pk_a = {9} ON CONFLICT DO NOTHING",
        "INSERT INTO tb_b SELECT {30}, pk_a, 'b {100}' FROM tb_a WHERE pk_a = {9} ON CONFLICT DO NOTHING",
        "UPDATE tb_b SET t = 'c {100}' WHERE pk_b < {30}",
        "TRUNCATE tb_b",
        "TRUNCATE tb_a CASCADE",
        "TRUNCATE tb_a, tb_b; INSERT INTO tb_a SELECT i, 'again {9}' FROM generate_series(1, 4) i",
    ];
    live(
        "truncate",
        &Case {
            tables,
            tviews,
            statements,
            ..PLAIN
        },
    );
}

#[test]
fn self_join_on_a_column_that_is_no_key() {
    let tables = "
        CREATE TABLE tb_p (pk_p int PRIMARY KEY, city int, name text);
        INSERT INTO tb_p SELECT i, i % 3, 'p' || i FROM generate_series(1, 9) i;";
    let tviews = &[(
        "p",
        "SELECT a.pk_p, a.name, jsonb_agg(b.name ORDER BY b.pk_p) AS others
           FROM tb_p a JOIN tb_p b ON b.city = a.city AND b.pk_p <> a.pk_p GROUP BY a.pk_p",
        "",
    )];
    let statements = &[
        "UPDATE tb_p SET city = NULLIF({4}, 4) WHERE pk_p = {15}",
        "UPDATE tb_p SET name = 'n {100}' WHERE city = {3}",
        "DELETE FROM tb_p WHERE pk_p = {15}",
        "INSERT INTO tb_p VALUES ({15}, {3}, 'new') ON CONFLICT DO NOTHING",
        "WITH i AS (INSERT INTO tb_p VALUES ({15}, {3}, 'cte') ON CONFLICT DO NOTHING RETURNING 1),
              u AS (UPDATE tb_p SET city = {3} WHERE pk_p = {15} RETURNING 1)
         DELETE FROM tb_p WHERE pk_p = {15}",
    ];
    live(
        "self_join",
        &Case {
            tables,
            tviews,
            statements,
            ..PLAIN
        },
    );
}

#[test]
fn exists_and_in_flip_without_a_change_of_the_row_itself() {
    let tviews = &[
        ("has", "SELECT pk_a AS pk_has, name FROM tb_a a WHERE EXISTS (SELECT 1 FROM tb_b b WHERE b.fk_a = a.pk_a)", ""),
        ("none", "SELECT pk_a AS pk_none, name FROM tb_a a WHERE NOT EXISTS (SELECT 1 FROM tb_b b WHERE b.fk_a = a.pk_a)", ""),
        ("isin", "SELECT pk_a AS pk_isin, name FROM tb_a WHERE j IN (SELECT j FROM tb_b)", ""),
        ("notin", "SELECT pk_a AS pk_notin, name FROM tb_a WHERE j NOT IN (SELECT j FROM tb_b)", ""),
        ("flag", "SELECT pk_a AS pk_flag, EXISTS (SELECT 1 FROM tb_b b WHERE b.j = a.j) AS flag FROM tb_a a", ""),
    ];
    live(
        "exists",
        &Case {
            tables: TWO_TABLES,
            tviews,
            statements: TWO_TABLES_CHANGES,
            ..PLAIN
        },
    );
}

#[test]
fn outer_joins_with_nothing_on_a_side() {
    let tables = "
        CREATE TABLE tb_a (pk_a int PRIMARY KEY, j int, name text);
        CREATE TABLE tb_b (pk_b int PRIMARY KEY, fk_a int, j int, t text);
        CREATE TABLE tb_c (pk_c int PRIMARY KEY, fk_b int UNIQUE, u text);
        INSERT INTO tb_a SELECT i, i, 'a' FROM generate_series(1, 5) i;";
    let tviews = &[
        (
            "left_join",
            "SELECT a.pk_a, coalesce(b.pk_b, 0) AS pk_b, a.name, b.t FROM tb_a a LEFT JOIN tb_b b ON b.fk_a = a.pk_a",
            "{pk_a,pk_b}",
        ),
        ("right_join", "SELECT b.pk_b, a.name, b.t FROM tb_a a RIGHT JOIN tb_b b ON b.fk_a = a.pk_a", "{pk_b}"),
        (
            "full_join",
            "SELECT coalesce(a.pk_a, 0) AS ka, coalesce(b.pk_b, 0) AS kb, a.name, b.t
               FROM tb_a a FULL JOIN tb_b b ON b.j = a.j",
            "{ka,kb}",
        ),
        (
            "three",
            "SELECT b.pk_b, a.name, b.t, c.u FROM tb_b b LEFT JOIN tb_a a ON a.pk_a = b.fk_a
               LEFT JOIN tb_c c ON c.fk_b = b.pk_b AND a.pk_a IS NOT NULL",
            "{pk_b}",
        ),
    ];
    let statements = &[
        TWO_TABLES_CHANGES[0],
        TWO_TABLES_CHANGES[1],
        TWO_TABLES_CHANGES[2],
        TWO_TABLES_CHANGES[3],
        TWO_TABLES_CHANGES[5],
        TWO_TABLES_CHANGES[6],
        TWO_TABLES_CHANGES[7],
        TWO_TABLES_CHANGES[8],
        "INSERT INTO tb_c VALUES ({9}, {20}, 'c {100}') ON CONFLICT DO NOTHING",
        "UPDATE tb_c SET fk_b = {20}, u = 'u {100}' WHERE pk_c = {9}",
        "DELETE FROM tb_c WHERE pk_c = {9}",
    ];
    live(
        "outer",
        &Case {
            tables,
            tviews,
            statements,
            ..PLAIN
        },
    );
}

#[test]
fn children_array_grows_shrinks_and_loses_children_to_another_parent() {
    let tviews = &[(
        "a",
        "SELECT a.pk_a, jsonb_build_object('name', a.name, 'children',
                coalesce(jsonb_agg(b.t ORDER BY b.pk_b) FILTER (WHERE b.t LIKE 'b%'), '[]')) AS data
           FROM tb_a a LEFT JOIN tb_b b ON b.fk_a = a.pk_a GROUP BY a.pk_a",
        "",
    )];
    live(
        "children",
        &Case {
            tables: TWO_TABLES,
            tviews,
            statements: TWO_TABLES_CHANGES,
            ..PLAIN
        },
    );
}

#[test]
fn link_table_correlated_sub_select_and_lateral() {
    let tables = "
        CREATE TABLE tb_post (pk_post int PRIMARY KEY, title text);
        CREATE TABLE tb_tag (pk_tag int PRIMARY KEY, name text, weight int);
        CREATE TABLE tb_post_tag (fk_post int, fk_tag int, PRIMARY KEY (fk_post, fk_tag));
        INSERT INTO tb_post SELECT i, 'p' FROM generate_series(1, 6) i;
        INSERT INTO tb_tag SELECT i, 't' || i, i FROM generate_series(1, 6) i;";
    let tviews = &[
        (
            "post",
            "SELECT p.pk_post, p.title, (SELECT jsonb_agg(t.name ORDER BY t.pk_tag) FROM tb_post_tag pt
                    JOIN tb_tag t ON t.pk_tag = pt.fk_tag WHERE pt.fk_post = p.pk_post) AS tags FROM tb_post p",
            "",
        ),
        (
            "top",
            "SELECT p.pk_post, l.pk_tag, l.name FROM tb_post p CROSS JOIN LATERAL (
                SELECT t.pk_tag, t.name FROM tb_post_tag pt JOIN tb_tag t ON t.pk_tag = pt.fk_tag
                 WHERE pt.fk_post = p.pk_post ORDER BY t.weight DESC, t.pk_tag LIMIT 2) l",
            "{pk_post,pk_tag}",
        ),
        (
            "link",
            "SELECT pt.fk_post, pt.fk_tag, p.title, t.name FROM tb_post_tag pt
               JOIN tb_post p ON p.pk_post = pt.fk_post JOIN tb_tag t ON t.pk_tag = pt.fk_tag",
            "{fk_post,fk_tag}",
        ),
    ];
    let statements = &[
        "INSERT INTO tb_post_tag VALUES ({9}, {9}) ON CONFLICT DO NOTHING",
        "INSERT INTO tb_post_tag VALUES ({9}, {9}), ({9}, {9}) ON CONFLICT DO NOTHING",
        "DELETE FROM tb_post_tag WHERE fk_post = {9} AND fk_tag < {9}",
        "UPDATE tb_post_tag SET fk_post = {9} WHERE fk_post = {9} AND fk_tag = {9}",
        "UPDATE tb_tag SET weight = {9} WHERE pk_tag = {9}",
        "UPDATE tb_tag SET name = 't {100}' WHERE pk_tag = {9}",
        "INSERT INTO tb_tag VALUES ({9}, 'new', {9}) ON CONFLICT DO NOTHING",
        "DELETE FROM tb_tag WHERE pk_tag = {9}",
        "UPDATE tb_post SET title = 'p {100}' WHERE pk_post = {9}",
        "INSERT INTO tb_post VALUES ({9}, 'new') ON CONFLICT DO NOTHING",
        "DELETE FROM tb_post WHERE pk_post = {9}",
    ];
    live(
        "link",
        &Case {
            tables,
            tviews,
            statements,
            ..PLAIN
        },
    );
}
