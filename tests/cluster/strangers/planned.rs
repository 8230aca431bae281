//! Code that runs while a statement is planned or parsed: expressions of indexes and constraints, and what a name finds.

use postgres::Client;

use super::EVIL;
use crate::harness::{shared, Ask, Cluster, Database, WAIT};

/// A database in which a role owns the schema `lair`, with an immutable function whose value makes that role a superuser where
/// it is computed with the rights of one.
fn open(cluster: &'static Cluster, name: &str) -> (Database<'static>, Client, Client) {
    let database = Database::new(cluster, name);
    let mut admin = database.client();
    admin.run(&format!(
        "DO $$BEGIN IF to_regrole('{name}_mallory') IS NULL THEN CREATE ROLE {name}_mallory LOGIN; END IF; END$$;
         ALTER ROLE {name}_mallory NOSUPERUSER;
         CREATE SCHEMA lair AUTHORIZATION {name}_mallory;
         GRANT USAGE ON SCHEMA lair TO PUBLIC"
    ));
    let mut mallory = database.client_as(&format!("{name}_mallory"));
    let evil = EVIL.replace("quote_ident(session_user)", &format!("'{name}_mallory'"));
    mallory.run(&format!(
        "CREATE FUNCTION lair.run() {evil};
         CREATE FUNCTION lair.one(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
         $$BEGIN RETURN CASE WHEN lair.run() THEN $1 END; END$$"
    ));
    (database, admin, mallory)
}

#[track_caller]
fn assert_no_superuser(admin: &mut Client, name: &str, how: &str) {
    let sql = format!("SELECT rolsuper FROM pg_roles WHERE rolname = '{name}_mallory'");
    assert_eq!(admin.rows(&sql), ["f"], "a superuser by {how}");
}

/// What makes the planner evaluate the function where a table is read.
const EVALUATED: [&str; 4] = [
    "CREATE INDEX ON lair.more ((n + lair.one(1)))",
    "CREATE INDEX ON lair.more (n) WHERE n > lair.one(1)",
    "CREATE STATISTICS lair.more_n ON (n + lair.one(1)) FROM lair.more",
    "ALTER TABLE lair.more ADD CHECK (n < lair.one(1) + 1000)",
];

#[test]
fn a_table_that_comes_with_rows_is_not_planned_with_internal_rights() {
    let name = "planned_attach";
    let (_database, mut admin, mut mallory) = open(super::cluster(), name);
    mallory.run(
        "CREATE TABLE lair.tb_item (pk_item int NOT NULL, n int);
         CREATE TABLE lair.tb_part (pk_part int NOT NULL, n int) PARTITION BY RANGE (pk_part);
         CREATE TABLE lair.tb_first PARTITION OF lair.tb_part FOR VALUES FROM (0) TO (10);
         SELECT pg_tviews_create('lair.item', 'SELECT pk_item, n FROM lair.tb_item');
         SELECT pg_tviews_create('lair.part', 'SELECT pk_part, n FROM lair.tb_part')",
    );
    for evaluated in EVALUATED {
        for (columns, come, go) in [
            (
                "pk_item int NOT NULL, n int",
                "ALTER TABLE lair.more INHERIT lair.tb_item",
                "ALTER TABLE lair.more NO INHERIT lair.tb_item",
            ),
            (
                "pk_part int NOT NULL, n int",
                "ALTER TABLE lair.tb_part ATTACH PARTITION lair.more FOR VALUES FROM (10) TO (20)",
                "ALTER TABLE lair.tb_part DETACH PARTITION lair.more",
            ),
        ] {
            for rows in ["", "; INSERT INTO lair.more VALUES (15, 1)"] {
                mallory.run(&format!("CREATE TABLE lair.more ({columns}); {evaluated}{rows}"));
                for command in [come, go] {
                    mallory.run(command);
                    assert_no_superuser(&mut admin, name, &format!("{command} after {evaluated}"));
                }
                mallory.run("DROP TABLE lair.more");
            }
        }
    }
    // It is known all the same which tables come with rows.
    mallory.run("CALL pg_tviews_drain()");
    mallory.run("CREATE TABLE lair.more (pk_item int NOT NULL, n int); INSERT INTO lair.more VALUES (15, 1)");
    mallory.run("ALTER TABLE lair.more INHERIT lair.tb_item");
    mallory.run("CALL pg_tviews_drain()");
    assert_eq!(mallory.rows("SELECT pk_item FROM lair.tv_item"), ["15"]);
}

#[test]
fn a_new_source_is_not_planned_with_internal_rights() {
    let name = "planned_source";
    let (_database, mut admin, mut mallory) = open(shared(), name);
    mallory.run(
        "CREATE TABLE lair.tb_item (pk_item int NOT NULL, n int);
         INSERT INTO lair.tb_item VALUES (1, 1);
         SELECT pg_tviews_create('lair.item', 'SELECT pk_item, n FROM lair.tb_item')",
    );
    mallory.assert_follows(&["lair.tv_item"]);
    for (place, evaluated) in EVALUATED.iter().enumerate() {
        // Empty: whether it is decides whether all rows are compared.
        mallory.run(&format!(
            "CREATE TABLE lair.more () INHERITS (lair.tb_item); {evaluated}; ALTER TABLE lair.more RENAME TO more_{place}"
        ));
        mallory.wait_until(
            &format!("SELECT 'lair.more_{place}'::regclass = ANY (source_oids) FROM pg_tview_definition"),
            WAIT,
        );
        assert_no_superuser(&mut admin, name, evaluated);
    }
    mallory.run("INSERT INTO lair.more_0 VALUES (2, 2)");
    mallory.assert_follows(&["lair.tv_item"]);
}

#[test]
fn check_constraints_of_sources_are_not_evaluated_after_another_owners_code() {
    let name = "planned_check";
    let (database, mut admin, mut mallory) = open(super::cluster(), name);
    // The view is bound; a constraint of what it reads is not.
    admin.run(&format!(
        "CREATE SCHEMA app;
         GRANT USAGE ON SCHEMA app TO {name}_mallory;
         CREATE FUNCTION app.most(k int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
         $$DECLARE x text; BEGIN x := k; RETURN length(x) + 1000; END$$;
         CREATE TABLE app.tb_item (pk_item int NOT NULL, n int NOT NULL);
         CREATE TABLE app.tb_more (CHECK (n < app.most(5))) INHERITS (app.tb_item);
         INSERT INTO app.tb_item VALUES (1, 1);
         SELECT pg_tviews_create('app.item', 'SELECT pk_item, n FROM app.tb_item WHERE n > 0')"
    ));
    mallory.run(
        "CREATE DOMAIN lair.text AS pg_catalog.text CHECK (lair.run());
         CREATE TABLE lair.tb_bait (pk_bait int PRIMARY KEY, n int NOT NULL);
         INSERT INTO lair.tb_bait VALUES (1, 1);
         CREATE FUNCTION lair.prepare(n int) RETURNS int LANGUAGE plpgsql AS $$
         BEGIN
             PERFORM pg_catalog.set_config('search_path', 'lair, pg_catalog', false);
             PERFORM app.most(n);
             RETURN n;
         END$$;
         SELECT pg_tviews_create('lair.bait', 'SELECT pk_bait, lair.prepare(n) AS n FROM lair.tb_bait')",
    );
    mallory.run("UPDATE lair.tb_bait SET n = n + 1");
    admin.run("UPDATE app.tb_item SET n = n + 1");
    let mut session = database.client();
    let error = session.fails("CALL pg_tviews_drain('lair.bait')");
    assert_eq!(error.code().code(), "42501", "{error:?}");
    session.run("CALL pg_tviews_drain('app.item')");
    assert_no_superuser(&mut admin, name, "a check constraint");
    assert_eq!(admin.rows("SELECT n FROM app.tv_item"), ["2"]);
}

/// What a view calls, of the superuser's; a function that fits the arguments of the call better, and makes its caller a superuser;
/// what pg_tviews_explain says then.
const OVERLOADS: [(&str, &str, &str, &str); 4] = [
    (
        "CREATE FUNCTION app.pick(anyelement) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1 + length($1::text)'",
        "app.pick(i.n)",
        "app.pick(int)",
        "function app.pick(integer) belongs to",
    ),
    (
        "CREATE FUNCTION app.pick(int, int DEFAULT 1) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 + $2'",
        "app.pick(i.n)",
        "app.pick(int)",
        "function app.pick(integer) is not unique",
    ),
    (
        "CREATE FUNCTION app.pick(VARIADIC int[]) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1[1]'",
        "app.pick(i.n, 2)",
        "app.pick(int, int)",
        "CREATE INDEX",
    ),
    (
        "CREATE FUNCTION app.both(anyelement, anyelement) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1::text::int + $2::text::int';
         CREATE OPERATOR app.<+> (leftarg = anyelement, rightarg = anyelement, function = app.both)",
        "(i.n OPERATOR(app.<+>) 1)",
        "app.pick(int, int)",
        "function app.pick(integer,integer) belongs to",
    ),
];

#[test]
fn a_function_that_fits_better_is_not_called() {
    for (place, (create, call, overload, said)) in OVERLOADS.iter().enumerate() {
        let name = format!("named_{place}");
        let (database, mut admin, mut mallory) = open(super::cluster(), &name);
        let role = format!("{name}_mallory");
        admin.run(&format!(
            "CREATE SCHEMA app;
             GRANT ALL ON SCHEMA app TO {role};
             {create};
             CREATE TABLE app.tb_item (pk_item int PRIMARY KEY, n int NOT NULL);
             CREATE TABLE app.tb_two (pk_two int PRIMARY KEY, k int NOT NULL, label text);
             INSERT INTO app.tb_item SELECT i, i FROM generate_series(1, 9000) AS i;
             INSERT INTO app.tb_two VALUES (1, 2, 'x'), (2, 5, 'y');
             SELECT pg_tviews_create('app.item', 'SELECT i.pk_item, t.label FROM app.tb_item i JOIN app.tb_two t ON {call} = t.k');
             ANALYZE app.tb_item;
             GRANT SELECT ON app.tb_item, app.tv_item, app.v_item TO {role};
             GRANT SELECT, UPDATE ON app.tb_two TO {role}"
        ));
        admin.run("CALL pg_tviews_drain()");
        let keyed =
            "SELECT strategy FROM pg_tviews_explain('app.item') WHERE source = 'app.tb_two'::regclass";
        assert_eq!(admin.rows(keyed), ["keyed"], "{call}");
        let body = "LANGUAGE plpgsql AS $$BEGIN RETURN CASE WHEN lair.run() THEN 2 END; END$$";
        mallory.run(&format!("CREATE FUNCTION {overload} RETURNS int {body}"));
        mallory.run(&format!(
            "CREATE FUNCTION app.constant() RETURNS int IMMUTABLE {body}"
        ));
        if call.contains("OPERATOR") {
            mallory.run("CREATE OPERATOR app.<+> (leftarg = int, rightarg = int, function = app.pick)");
        }
        mallory.run("UPDATE app.tb_two SET label = label || label");
        for door in [
            "SELECT pg_tviews_explain('app.item')",
            "SELECT pg_tviews_explain('SELECT * FROM app.v_item', '{pk_item}')",
            "SELECT pg_tviews_pending('app.item')",
            "SELECT pg_tviews_affected('app.item', 'app.tb_two', '[1, 2]')",
            "BEGIN; UPDATE app.tb_two SET label = label || label; SELECT count(*) FROM app.tv_item; COMMIT",
            "CALL pg_tviews_drain()",
        ] {
            let mut session = database.client();
            session.run(door);
            assert_no_superuser(&mut admin, &name, &format!("{door} with {overload}"));
        }
        // It is as right as before, and says what is in its way.
        admin.assert_views_equal(&["app.tv_item"]);
        assert_eq!(admin.rows("SELECT state FROM pg_tview_meta"), ["active"]);
        let advice = "SELECT advice FROM pg_tviews_explain('app.item') WHERE source = 'app.tb_two'::regclass";
        let advice: String = admin.one(advice);
        assert!(advice.contains(said), "{advice}");
    }
}
