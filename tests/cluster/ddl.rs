//! DDL with live workers: what cannot change a row costs no comparison, what can is waited for, what makes a view fail
//! suspends its TVIEW until it works again.

use std::time::{Duration, Instant};

use crate::harness::{shared, Ask, Database, WAIT};

#[test]
fn renames_and_new_partitions_compare_nothing() {
    let database = Database::new(shared(), "ddl_harmless");
    let mut client = database.client();
    client.run(
        "CREATE TYPE mood AS ENUM ('sad', 'ok');
         CREATE TABLE tb_big (pk_big int, day int NOT NULL, t text, mood mood DEFAULT 'ok', PRIMARY KEY (pk_big, day)) PARTITION BY LIST (day);
         CREATE TABLE tb_big_0 PARTITION OF tb_big FOR VALUES IN (0);
         INSERT INTO tb_big SELECT i, 0, 'text ' || i FROM generate_series(1, 50000) i;
         SELECT pg_tviews_create('big', 'SELECT pk_big, t, mood::text AS mood FROM tb_big', key_columns => '{pk_big}')",
    );
    client.assert_follows(&["big"]);
    for command in [
        "ALTER TABLE tb_big RENAME COLUMN t TO u",
        "ALTER TABLE tb_big RENAME COLUMN pk_big TO id",
        "ALTER TYPE mood ADD VALUE 'great'",
        "CREATE TABLE tb_big_1 PARTITION OF tb_big FOR VALUES IN (1)",
        "CREATE TABLE tb_big_2 (LIKE tb_big); ALTER TABLE tb_big ATTACH PARTITION tb_big_2 FOR VALUES IN (2)",
        "ALTER TABLE tb_big DETACH PARTITION tb_big_2",
        "CREATE SCHEMA other; ALTER TABLE tb_big SET SCHEMA other; SET search_path = public, other",
    ] {
        client.run(&format!(
            "{command}; UPDATE tb_big SET u = u || '!' WHERE u ~ '^text 77!*$'"
        ));
        assert!(client.one::<bool>("SELECT pg_tviews_wait()"), "{command}");
        client.assert_equal("v_big", "tv_big", "pk_big, t, mood");
        assert_eq!(
            client.one::<i64>(
                "SELECT max(keys_refreshed) FROM pg_tview_meta_audit WHERE operation = 'refresh'"
            ),
            1,
            "{command}"
        );
    }
    let others = client.rows(
        "SELECT operation, status FROM pg_tview_meta_audit
          WHERE operation NOT IN ('create', 'refresh') AND started_at > (SELECT min(finished_at) FROM pg_tview_meta_audit WHERE operation = 'populate')
          GROUP BY 1, 2",
    );
    assert_eq!(others, ["adapt|SUCCESS"]);
}

#[test]
fn a_right_taken_and_given_back() {
    let database = Database::new(shared(), "ddl_rights");
    let mut client = database.client();
    client.run(
        "CREATE ROLE ddl_rights_owner;
         GRANT CREATE ON SCHEMA public TO ddl_rights_owner;
         CREATE TABLE tb_one (pk_one int PRIMARY KEY, n int);
         CREATE TABLE rate (percent int);
         INSERT INTO tb_one VALUES (1, 1);
         INSERT INTO rate VALUES (7);
         CREATE FUNCTION rated(n int) RETURNS int STABLE LANGUAGE plpgsql AS 'BEGIN RETURN n * (SELECT percent FROM public.rate); END';
         GRANT SELECT ON tb_one, rate TO ddl_rights_owner;
         SELECT pg_tviews_create('one', 'SELECT pk_one, n FROM tb_one');
         SELECT pg_tviews_create('rated', 'SELECT pk_one AS id, rated(n) AS n FROM tb_one');
         ALTER VIEW v_one OWNER TO ddl_rights_owner; ALTER TABLE tv_one OWNER TO ddl_rights_owner;
         ALTER VIEW v_rated OWNER TO ddl_rights_owner; ALTER TABLE tv_rated OWNER TO ddl_rights_owner",
    );
    client.assert_follows(&["one", "rated"]);
    for (entity, table) in [("one", "tb_one"), ("rated", "rate")] {
        // One after the other: other processes hear of a right that is gone a moment after they see the commit.
        client.run(&format!("REVOKE SELECT ON {table} FROM ddl_rights_owner"));
        client.run("UPDATE tb_one SET n = n + 1");
        let error = client.fails(&format!("SELECT pg_tviews_wait('{entity}')"));
        assert!(error.message().contains("suspended"), "{error:?}");
        assert_eq!(client.one::<i64>("SELECT count(*) FROM pg_tview_dead_letter"), 0);
        client.run(&format!("GRANT SELECT ON {table} TO ddl_rights_owner"));
        client.wait_until("SELECT bool_and(state = 'active') FROM pg_tview_meta", WAIT);
        client.assert_follows(&["one", "rated"]);
    }
    client.run("DROP OWNED BY ddl_rights_owner; DROP ROLE ddl_rights_owner");
}

#[test]
fn a_schema_renamed_back_and_forth_suspends_nothing() {
    let database = Database::new(shared(), "ddl_schema");
    let mut client = database.client();
    client.run(
        "CREATE SCHEMA here;
         CREATE TABLE here.tb_item (pk_item int PRIMARY KEY, n int NOT NULL);
         INSERT INTO here.tb_item SELECT i, i FROM generate_series(1, 500) i;
         SELECT pg_tviews_create('here.item', 'SELECT pk_item, n FROM here.tb_item')",
    );
    assert!(client.one::<bool>("SELECT pg_tviews_wait()"));
    let mut writer = database.client();
    let until = Instant::now() + Duration::from_secs(4);
    while Instant::now() < until {
        for (before, after) in [("here", "there"), ("there", "here")] {
            writer.run(&format!(
                "UPDATE {before}.tb_item SET n = n + 1 WHERE pk_item % 7 = 0"
            ));
            client.run(&format!("ALTER SCHEMA {before} RENAME TO {after}"));
        }
    }
    assert!(client.one::<bool>("SELECT pg_tviews_wait()"));
    client.assert_equal("here.v_item", "here.tv_item", "pk_item, n");
    let failures = client.rows(
        "SELECT DISTINCT operation, message FROM pg_tview_meta_audit WHERE status <> 'SUCCESS' OR operation = 'suspend'",
    );
    assert!(failures.is_empty(), "{failures:?}");
}

#[test]
fn a_foreign_partition_is_told_at_once() {
    let database = Database::new(shared(), "ddl_foreign");
    let mut client = database.client();
    let name = &database.name;
    let folder: String = client.one("SELECT current_setting('unix_socket_directories')");
    client.run(&format!(
        "CREATE EXTENSION postgres_fdw;
         CREATE SERVER itself FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '{folder}', dbname '{name}');
         CREATE USER MAPPING FOR CURRENT_USER SERVER itself OPTIONS (user 'postgres');
         CREATE TABLE far (pk_p int, day int NOT NULL); INSERT INTO far VALUES (9, 9);
         CREATE TABLE tb_p (pk_p int, day int NOT NULL) PARTITION BY LIST (day);
         CREATE TABLE tb_p_1 PARTITION OF tb_p FOR VALUES IN (1);
         CREATE TABLE tb_c (pk_p int, day int NOT NULL);
         INSERT INTO tb_p VALUES (1, 1); INSERT INTO tb_c VALUES (1, 1);
         SELECT pg_tviews_create('p', 'SELECT pk_p, day FROM tb_p', key_columns => '{{pk_p}}');
         SELECT pg_tviews_create('c', 'SELECT pk_p, day FROM tb_c', key_columns => '{{pk_p}}')"
    ));
    client.assert_follows(&["p", "c"]);
    for (entity, command) in [
        ("p", "CREATE FOREIGN TABLE below PARTITION OF tb_p FOR VALUES IN (9) SERVER itself OPTIONS (table_name 'far')"),
        ("c", "CREATE FOREIGN TABLE below () INHERITS (tb_c) SERVER itself OPTIONS (table_name 'far')"),
    ] {
        client.run(command);
        let error = client.fails(&format!("SELECT pg_tviews_wait('{entity}')"));
        assert!(error.message().contains("suspended"), "{command}: {error:?}");
        client.run("DROP FOREIGN TABLE below");
        client.wait_until(
            &format!("SELECT state = 'active' FROM pg_tview_meta WHERE entity_name = '{entity}'"),
            WAIT,
        );
        client.assert_follows(&["p", "c"]);
    }
}

#[test]
fn wait_covers_owners_and_roles() {
    let database = Database::new(shared(), "ddl_roles");
    let mut client = database.client();
    client.run(
        "CREATE ROLE ddl_roles_a; CREATE ROLE ddl_roles_b; CREATE ROLE ddl_roles_team;
         GRANT CREATE ON SCHEMA public TO ddl_roles_a, ddl_roles_b;
         CREATE TABLE tb_note (pk_note int PRIMARY KEY, owner name, n int);
         INSERT INTO tb_note VALUES (1, 'ddl_roles_a', 1), (2, 'ddl_roles_b', 1), (3, 'team', 1);
         ALTER TABLE tb_note ENABLE ROW LEVEL SECURITY;
         CREATE POLICY own ON tb_note USING (owner = current_user);
         CREATE POLICY team ON tb_note TO ddl_roles_team USING (owner = 'team');
         GRANT SELECT ON tb_note TO ddl_roles_a, ddl_roles_b;
         CREATE VIEW v_note WITH (security_invoker) AS SELECT pk_note, n FROM tb_note;
         SELECT pg_tviews_create('note');
         ALTER VIEW v_note OWNER TO ddl_roles_a; ALTER TABLE tv_note OWNER TO ddl_roles_a",
    );
    let mut steps = vec![("SELECT 1", vec!["1"])];
    steps.push(("REASSIGN OWNED BY ddl_roles_a TO ddl_roles_b", vec!["2"]));
    steps.push(("GRANT ddl_roles_team TO ddl_roles_b", vec!["2", "3"]));
    steps.push(("ALTER ROLE ddl_roles_b BYPASSRLS", vec!["1", "2", "3"]));
    steps.push(("ALTER ROLE ddl_roles_b NOBYPASSRLS", vec!["2", "3"]));
    steps.push(("REVOKE ddl_roles_team FROM ddl_roles_b", vec!["2"]));
    for (command, notes) in steps {
        client.run(command);
        assert!(client.one::<bool>("SELECT pg_tviews_wait()"), "{command}");
        assert_eq!(
            client.rows("SELECT pk_note FROM tv_note ORDER BY 1"),
            notes,
            "{command}"
        );
    }
    client.run("ALTER VIEW v_note OWNER TO postgres; ALTER TABLE tv_note OWNER TO postgres;
                DROP OWNED BY ddl_roles_a, ddl_roles_b, ddl_roles_team; DROP ROLE ddl_roles_a, ddl_roles_b, ddl_roles_team");
}
