//! Views over views, TVIEWs over TVIEWs, one source in many TVIEWs.

use super::{live, Case, PLAIN};

#[test]
fn six_levels_of_views_joined_back_on_uuid() {
    let tables = "
        CREATE TABLE tb_l1 (pk_l1 int PRIMARY KEY, name text, id uuid GENERATED ALWAYS AS (md5(pk_l1::text)::uuid) STORED UNIQUE);
        CREATE TABLE tb_l2 (pk_l2 int PRIMARY KEY, fk_l1 int, name text, id uuid GENERATED ALWAYS AS (md5(pk_l2::text)::uuid) STORED UNIQUE);
        CREATE TABLE tb_l3 (pk_l3 int PRIMARY KEY, fk_l2 int, name text, id uuid GENERATED ALWAYS AS (md5(pk_l3::text)::uuid) STORED UNIQUE);
        CREATE TABLE tb_l4 (pk_l4 int PRIMARY KEY, fk_l3 int, name text, id uuid GENERATED ALWAYS AS (md5(pk_l4::text)::uuid) STORED UNIQUE);
        CREATE TABLE tb_l5 (pk_l5 int PRIMARY KEY, fk_l4 int, name text, id uuid GENERATED ALWAYS AS (md5(pk_l5::text)::uuid) STORED UNIQUE);
        CREATE TABLE tb_l6 (pk_l6 int PRIMARY KEY, fk_l5 int, name text, id uuid GENERATED ALWAYS AS (md5(pk_l6::text)::uuid) STORED UNIQUE);
        INSERT INTO tb_l1 SELECT i, 'n' FROM generate_series(1, 3) i;
        INSERT INTO tb_l2 SELECT i, 1 + i % 3, 'n' FROM generate_series(1, 5) i;
        INSERT INTO tb_l3 SELECT i, 1 + i % 5, 'n' FROM generate_series(1, 8) i;
        INSERT INTO tb_l4 SELECT i, 1 + i % 8, 'n' FROM generate_series(1, 9) i;
        INSERT INTO tb_l5 SELECT i, 1 + i % 9, 'n' FROM generate_series(1, 9) i;
        INSERT INTO tb_l6 SELECT i, 1 + i % 9, 'n' FROM generate_series(1, 15) i;";
    let tviews = &[
        ("l1", "SELECT id, jsonb_build_object('n', name) AS data FROM tb_l1", ""),
        ("l2", "SELECT t.id, jsonb_build_object('n', t.name, 'up', v.data) AS data FROM tb_l2 t JOIN tb_l1 p ON p.pk_l1 = t.fk_l1 JOIN v_l1 v ON v.id = p.id", ""),
        ("l3", "SELECT t.id, jsonb_build_object('n', t.name, 'up', v.data) AS data FROM tb_l3 t JOIN tb_l2 p ON p.pk_l2 = t.fk_l2 JOIN v_l2 v ON v.id = p.id", ""),
        ("l4", "SELECT t.id, jsonb_build_object('n', t.name, 'up', v.data) AS data FROM tb_l4 t JOIN tb_l3 p ON p.pk_l3 = t.fk_l3 JOIN v_l3 v ON v.id = p.id", ""),
        ("l5", "SELECT t.id, jsonb_build_object('n', t.name, 'up', v.data) AS data FROM tb_l5 t JOIN tb_l4 p ON p.pk_l4 = t.fk_l4 JOIN v_l4 v ON v.id = p.id", ""),
        ("l6", "SELECT t.id, jsonb_build_object('n', t.name, 'up', v.data) AS data FROM tb_l6 t JOIN tb_l5 p ON p.pk_l5 = t.fk_l5 JOIN v_l5 v ON v.id = p.id", ""),
    ];
    let statements = &[
        "UPDATE tb_l1 SET name = 'root {1000}' WHERE pk_l1 = {3}",
        "UPDATE tb_l2 SET fk_l1 = {4} WHERE pk_l2 = {5}",
        "UPDATE tb_l3 SET name = 'n {1000}' WHERE pk_l3 = {8}",
        "UPDATE tb_l4 SET fk_l3 = {9} WHERE pk_l4 = {9}",
        "UPDATE tb_l5 SET name = 'n {1000}', fk_l4 = {9} WHERE pk_l5 = {9}",
        "DELETE FROM tb_l3 WHERE pk_l3 = {8}",
        "INSERT INTO tb_l3 VALUES ({8}, {5}, 'back') ON CONFLICT DO NOTHING",
        "INSERT INTO tb_l6 VALUES ({30}, {9}, 'new') ON CONFLICT DO NOTHING",
        "UPDATE tb_l2 SET pk_l2 = {9} WHERE pk_l2 = {9}",
    ];
    live(
        "levels",
        &Case {
            tables,
            tviews,
            statements,
            ..PLAIN
        },
    );
}

#[test]
fn tview_over_another_tviews_table() {
    let tables = "
        CREATE TABLE tb_a (pk_a int PRIMARY KEY, grp int NOT NULL, n int NOT NULL);
        INSERT INTO tb_a SELECT i, i % 3, i FROM generate_series(1, 9) i;";
    let tviews = &[
        (
            "grp",
            "SELECT grp AS pk_grp, sum(n) AS total FROM tb_a GROUP BY grp",
            "",
        ),
        (
            "big",
            "SELECT pk_grp AS pk_big, total FROM tv_grp WHERE total > 10",
            "",
        ),
        ("most", "SELECT 1 AS pk_most, max(total) AS total FROM tv_big", ""),
    ];
    let statements = &[
        "INSERT INTO tb_a VALUES ({20}, {4}, {20}) ON CONFLICT DO NOTHING",
        "UPDATE tb_a SET n = {20} WHERE pk_a = {20}",
        "UPDATE tb_a SET grp = {4} WHERE pk_a = {20}",
        "DELETE FROM tb_a WHERE pk_a = {20}",
    ];
    live(
        "chained",
        &Case {
            tables,
            tviews,
            statements,
            chained: true,
            ..PLAIN
        },
    );
}

#[test]
fn one_source_in_five_tviews() {
    let tables = "
        CREATE TABLE tb_a (pk_a int PRIMARY KEY, x int, y int, z text);
        INSERT INTO tb_a SELECT i, i % 4, i % 5, 'z' FROM generate_series(1, 12) i;";
    let tviews = &[
        ("one", "SELECT pk_a AS pk_one, x FROM tb_a", ""),
        ("two", "SELECT pk_a AS pk_two, y, z FROM tb_a WHERE x > 1", ""),
        (
            "three",
            "SELECT y AS pk_three, count(*) AS n FROM tb_a WHERE y IS NOT NULL GROUP BY y",
            "",
        ),
        (
            "four",
            "SELECT a.pk_a AS pk_four, (SELECT max(b.z) FROM tb_a b WHERE b.x = a.y) AS z FROM tb_a a",
            "",
        ),
        (
            "five",
            "SELECT 5 AS pk_five, string_agg(z, ',' ORDER BY pk_a) AS z FROM tb_a",
            "",
        ),
    ];
    let statements = &[
        "INSERT INTO tb_a VALUES ({20}, {4}, {5}, 'z{9}') ON CONFLICT DO NOTHING",
        "UPDATE tb_a SET x = {4} WHERE pk_a = {20}",
        "UPDATE tb_a SET y = NULLIF({5}, 5) WHERE pk_a = {20}",
        "UPDATE tb_a SET z = 'z{99}' WHERE x = {4}",
        "DELETE FROM tb_a WHERE pk_a = {20}",
    ];
    live(
        "five",
        &Case {
            tables,
            tviews,
            statements,
            ..PLAIN
        },
    );
}

#[test]
fn same_entity_name_in_two_schemas() {
    let tables = "
        CREATE SCHEMA one; CREATE SCHEMA two;
        CREATE TABLE one.tb_a (pk_a int PRIMARY KEY, n int);
        CREATE TABLE two.tb_a (pk_a int PRIMARY KEY, n int);";
    let tviews = &[
        ("one.a", "SELECT pk_a, n FROM one.tb_a", ""),
        (
            "two.a",
            "SELECT a.pk_a, a.n, b.n AS other FROM two.tb_a a LEFT JOIN one.tb_a b USING (pk_a)",
            "",
        ),
    ];
    let statements = &[
        "INSERT INTO one.tb_a VALUES ({9}, {9}) ON CONFLICT (pk_a) DO UPDATE SET n = EXCLUDED.n",
        "INSERT INTO two.tb_a VALUES ({9}, {9}) ON CONFLICT (pk_a) DO UPDATE SET n = EXCLUDED.n",
        "DELETE FROM one.tb_a WHERE pk_a = {9}",
        "DELETE FROM two.tb_a WHERE pk_a = {9}",
    ];
    live(
        "schemas",
        &Case {
            tables,
            tviews,
            statements,
            ..PLAIN
        },
    );
}
