//! What statements do to rows: moved keys, cascades, several changes at once, triggers, COPY, MERGE.

use super::{live, Case, PLAIN};

#[test]
fn two_sources_in_one_statement_and_swapped_keys() {
    let tables = "
        CREATE TABLE tb_a (pk_a int, name text, PRIMARY KEY (pk_a) DEFERRABLE INITIALLY DEFERRED);
        CREATE TABLE tb_b (pk_b int PRIMARY KEY, fk_a int, t text);
        INSERT INTO tb_a SELECT i, 'a' || i FROM generate_series(1, 6) i;
        INSERT INTO tb_b SELECT i, 1 + i % 6, 'b' || i FROM generate_series(1, 12) i;";
    let tviews = &[
        ("a", "SELECT a.pk_a, a.name, count(b.pk_b) AS n FROM tb_a a LEFT JOIN tb_b b ON b.fk_a = a.pk_a GROUP BY a.pk_a, a.name", ""),
        ("b", "SELECT b.pk_b, b.t, a.name FROM tb_b b LEFT JOIN tb_a a ON a.pk_a = b.fk_a", ""),
    ];
    let statements = &[
        "UPDATE tb_a SET pk_a = 3 - pk_a WHERE pk_a IN (1, 2)",
        "UPDATE tb_a SET pk_a = 9 - pk_a",
        "WITH a AS (UPDATE tb_a SET name = 'both {100}' WHERE pk_a = {6} RETURNING pk_a)
         UPDATE tb_b SET t = 'both {100}' WHERE fk_a IN (SELECT pk_a FROM a)",
        "WITH gone AS (DELETE FROM tb_b WHERE pk_b = {12} RETURNING *) UPDATE tb_a SET name = 'lost' WHERE pk_a IN (SELECT fk_a FROM gone)",
        "DELETE FROM tb_b WHERE pk_b = 3; INSERT INTO tb_b VALUES (3, {6}, 'back {100}')",
        "INSERT INTO tb_b VALUES ({20}, {6}, 'new') ON CONFLICT (pk_b) DO UPDATE SET fk_a = EXCLUDED.fk_a",
    ];
    live(
        "swapped",
        &Case {
            tables,
            tviews,
            statements,
            ..PLAIN
        },
    );
}

#[test]
fn foreign_keys_cascade_and_set_null() {
    let tables = "
        CREATE TABLE tb_a (pk_a int PRIMARY KEY, name text, fk_boss int REFERENCES tb_a ON UPDATE CASCADE ON DELETE SET NULL);
        CREATE TABLE tb_b (pk_b int PRIMARY KEY, fk_a int REFERENCES tb_a ON UPDATE CASCADE ON DELETE CASCADE, t text);
        CREATE TABLE tb_c (pk_c int PRIMARY KEY, fk_a int REFERENCES tb_a ON UPDATE SET NULL ON DELETE SET NULL);
        INSERT INTO tb_a SELECT i, 'a' || i, NULLIF(i / 2, 0) FROM generate_series(1, 8) i;
        INSERT INTO tb_b SELECT i, 1 + i % 8, 'b' FROM generate_series(1, 16) i;
        INSERT INTO tb_c SELECT i, 1 + i % 8 FROM generate_series(1, 16) i;";
    let tviews = &[
        ("a", "SELECT a.pk_a, a.name, boss.name AS boss FROM tb_a a LEFT JOIN tb_a boss ON boss.pk_a = a.fk_boss", ""),
        ("b", "SELECT b.pk_b, b.t, a.name FROM tb_b b JOIN tb_a a ON a.pk_a = b.fk_a", ""),
        ("c", "SELECT c.pk_c, c.fk_a, a.name FROM tb_c c LEFT JOIN tb_a a ON a.pk_a = c.fk_a", ""),
    ];
    let statements = &[
        "UPDATE tb_a SET pk_a = 8 + {12} WHERE pk_a = {20}",
        "DELETE FROM tb_a WHERE pk_a = {20}",
        "INSERT INTO tb_a VALUES ({20}, 'new {100}') ON CONFLICT (pk_a) DO UPDATE SET name = EXCLUDED.name",
        "UPDATE tb_a SET fk_boss = (SELECT min(pk_a) FROM tb_a WHERE pk_a > {20}) WHERE pk_a = {20}",
        "INSERT INTO tb_b SELECT {40}, pk_a, 'b {100}' FROM tb_a WHERE pk_a = {20} ON CONFLICT DO NOTHING",
        "UPDATE tb_c SET fk_a = (SELECT max(pk_a) FROM tb_a WHERE pk_a < {20}) WHERE pk_c = {16}",
    ];
    live(
        "cascades",
        &Case {
            tables,
            tviews,
            statements,
            ..PLAIN
        },
    );
}

#[test]
fn triggers_copy_merge_and_conflicts() {
    let tables = "
        CREATE TABLE tb_a (pk_a int PRIMARY KEY, n int NOT NULL, touched int NOT NULL DEFAULT 0);
        CREATE TABLE tb_log (pk_log int PRIMARY KEY, n int NOT NULL);
        INSERT INTO tb_log VALUES (1, 0);
        CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS
        $$BEGIN UPDATE tb_a SET touched = touched + 1, n = n - 1 WHERE pk_a = NEW.pk_a; RETURN NULL; END$$;
        CREATE TRIGGER again AFTER INSERT OR UPDATE ON tb_a FOR EACH ROW WHEN (NEW.n > 5) EXECUTE FUNCTION again();
        CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS
        $$BEGIN UPDATE tb_log SET n = n + 1; RETURN NULL; END$$;
        CREATE CONSTRAINT TRIGGER late AFTER UPDATE ON tb_a DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION late();";
    let tviews = &[
        ("a", "SELECT pk_a, n, touched FROM tb_a", ""),
        ("log", "SELECT pk_log, n FROM tb_log", ""),
        (
            "sum",
            "SELECT 1 AS pk_sum, sum(n) AS n, sum(touched) AS touched FROM tb_a",
            "",
        ),
    ];
    let statements = &[
        "INSERT INTO tb_a VALUES ({30}, {9}) ON CONFLICT (pk_a) DO UPDATE SET n = EXCLUDED.n",
        "INSERT INTO tb_a VALUES ({30}, {9}), ({30}, {9}) ON CONFLICT DO NOTHING",
        "COPY tb_a (pk_a, n) FROM PROGRAM 'printf \"%d,{9}\\n\" {30}' (FORMAT csv)",
        "MERGE INTO tb_a t USING (SELECT i, {9} AS n FROM generate_series({30}, 30) i) s ON t.pk_a = s.i
         WHEN MATCHED AND s.i % 3 = 0 THEN DELETE WHEN MATCHED THEN UPDATE SET n = s.n
         WHEN NOT MATCHED AND s.i % 2 = 0 THEN INSERT (pk_a, n) VALUES (s.i, s.n)",
        "UPDATE tb_a SET n = {9} WHERE pk_a = {30}",
        "DELETE FROM tb_a WHERE pk_a = {30}",
    ];
    live(
        "ways",
        &Case {
            tables,
            tviews,
            statements,
            ..PLAIN
        },
    );
}
