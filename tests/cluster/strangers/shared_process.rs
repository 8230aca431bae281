//! Processes in which code of several owners runs one after the other: workers, and a superuser's session.

use postgres::Client;

use super::EVIL;
use crate::harness::{shared, Ask, Cluster, Database, WAIT};

/// Two TVIEWs: `app.item` of the superuser, whose view calls a compiled function, and `lair.bait` of another role, whose
/// function calls the superuser's first, where a type of the other role takes the place of `text`.
fn open(cluster: &'static Cluster, name: &str) -> (Database<'static>, Client, Client) {
    let database = Database::new(cluster, name);
    let mut admin = database.client();
    let role = format!("{name}_mallory");
    admin.run(&format!(
        "DO $$BEGIN IF to_regrole('{role}') IS NULL THEN CREATE ROLE {role} LOGIN; END IF; END$$;
         ALTER ROLE {role} NOSUPERUSER;
         CREATE SCHEMA app;
         GRANT USAGE ON SCHEMA app TO {role};
         CREATE SCHEMA lair AUTHORIZATION {role};
         GRANT USAGE ON SCHEMA lair TO PUBLIC;
         CREATE TABLE app.tb_item (pk_item int PRIMARY KEY, n int NOT NULL);
         INSERT INTO app.tb_item VALUES (1, 1), (2, 2);
         CREATE FUNCTION app.label(k int) RETURNS pg_catalog.text LANGUAGE plpgsql IMMUTABLE AS
         $$DECLARE x text; BEGIN x := k; RETURN x; END$$;
         SELECT pg_tviews_create('app.item', 'SELECT pk_item, app.label(n) AS label FROM app.tb_item')"
    ));
    let mut mallory = database.client_as(&role);
    // In a refresh the session is not theirs: whose name is in `evil`.
    let evil = EVIL.replace("quote_ident(session_user)", &format!("'{role}'"));
    mallory.run(&format!(
        "CREATE FUNCTION lair.run() {evil};
         CREATE DOMAIN lair.text AS pg_catalog.text CHECK (lair.run());
         CREATE TABLE lair.tb_bait (pk_bait int PRIMARY KEY, n int NOT NULL);
         INSERT INTO lair.tb_bait VALUES (1, 1);
         CREATE FUNCTION lair.prepare(n int) RETURNS int LANGUAGE plpgsql AS $$
         BEGIN
             PERFORM pg_catalog.set_config('search_path', 'lair, pg_catalog', false);
             PERFORM app.label(n);
             RETURN n;
         END$$;
         SELECT pg_tviews_create('lair.bait', 'SELECT pk_bait, lair.prepare(n) AS n FROM lair.tb_bait')"
    ));
    (database, admin, mallory)
}

fn is_superuser(admin: &mut Client, name: &str) -> Vec<String> {
    admin.rows(&format!(
        "SELECT rolsuper FROM pg_roles WHERE rolname = '{name}_mallory'"
    ))
}

#[test]
fn a_worker_serves_one_owner_of_compiled_functions() {
    let name = "share_worker";
    let (_database, mut admin, mut mallory) = open(shared(), name);
    for n in 2..8 {
        mallory.run(&format!("UPDATE lair.tb_bait SET n = {n}"));
        mallory.wait_until(&format!("SELECT n = {n} FROM lair.tv_bait"), WAIT);
        admin.run(&format!("UPDATE app.tb_item SET n = {n} WHERE pk_item = 1"));
        admin.wait_until(
            &format!("SELECT label = '{n}' FROM app.tv_item WHERE pk_item = 1"),
            WAIT,
        );
        assert_eq!(is_superuser(&mut admin, name), ["f"], "a superuser by a worker");
    }
    // The other view is not read here: that would run its function in this session.
    admin.assert_follows(&["app.tv_item"]);
    // Nobody was taken for failing.
    assert_eq!(
        admin.rows("SELECT count(*) FROM pg_tview_meta_audit WHERE status <> 'SUCCESS'"),
        ["0"]
    );
}

#[test]
fn a_session_that_drains_serves_one_owner_of_compiled_functions() {
    let name = "share_drain";
    let (database, mut admin, mut mallory) = open(super::cluster(), name);
    let mut session = database.client();
    // The superuser's own at first, then that of the other role, whose function may not have the superuser's compiled anew.
    let refused = |session: &mut Client, drain| {
        let error = session.fails(drain);
        assert_eq!(error.code().code(), "42501", "{error:?}");
        assert!(error.hint().is_some(), "{error:?}");
    };
    admin.run("UPDATE lair.tb_bait SET n = n + 1; UPDATE app.tb_item SET n = n + 1");
    session.run("CALL pg_tviews_drain('app.item')");
    refused(&mut session, "CALL pg_tviews_drain('lair.bait')");
    // What it has written itself it may run. After that the superuser's does not.
    mallory.run(
        "CREATE OR REPLACE FUNCTION lair.prepare(n int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN n; END'",
    );
    admin.run(
        "UPDATE lair.tb_bait SET n = n + 1; UPDATE app.tb_item SET n = n + 1;
         CREATE OR REPLACE FUNCTION app.label(k int) RETURNS pg_catalog.text LANGUAGE plpgsql IMMUTABLE AS
         $$DECLARE x text; BEGIN x := k + 0; RETURN x; END$$",
    );
    session.run("CALL pg_tviews_drain('lair.bait')");
    let error = session.fails("CALL pg_tviews_drain()");
    assert_eq!(error.code().code(), "42501", "{error:?}");
    assert!(error.hint().is_some(), "{error:?}");
    assert_eq!(is_superuser(&mut admin, name), ["f"], "a superuser by a drain");
    // The state of the TVIEW is that of before, and a session in which nothing has run can refresh it.
    database.client().run("CALL pg_tviews_drain()");
    assert_eq!(is_superuser(&mut admin, name), ["f"], "a superuser by a drain");
    admin.assert_views_equal(&["app.tv_item"]);
    assert_eq!(admin.rows("SELECT DISTINCT state FROM pg_tview_meta"), ["active"]);
}

#[test]
fn code_of_an_owner_gets_nowhere_through_functions_of_the_extension() {
    let name = "share_nested";
    let (_database, mut admin, mut mallory) = open(shared(), name);
    admin.run(&format!(
        "GRANT SELECT ON app.tv_item, app.v_item, app.tb_item TO {name}_mallory"
    ));
    mallory.run(
        "CREATE OR REPLACE FUNCTION lair.prepare(n int) RETURNS int LANGUAGE plpgsql AS $$
         DECLARE door pg_catalog.text;
         BEGIN
             PERFORM pg_catalog.set_config('search_path', 'lair, pg_catalog', false);
             PERFORM app.label(n);
             FOREACH door IN ARRAY ARRAY[
                 'SELECT * FROM public.pg_tviews_check(''app.item'')',
                 'SELECT * FROM public.pg_tviews_pending(''app.item'')',
                 'SELECT * FROM public.pg_tviews_explain(''app.item'')',
                 'SELECT * FROM public.pg_tviews_affected(''app.item'', ''app.tb_item'', ''[1]'')',
                 'SELECT public.pg_tviews_wait(''app.item'', key => ''1'', timeout => ''50 ms'')'] LOOP
                 BEGIN EXECUTE door; EXCEPTION WHEN OTHERS THEN NULL; END;
             END LOOP;
             RETURN n;
         END$$;
         UPDATE lair.tb_bait SET n = 100",
    );
    mallory.wait_until("SELECT n = 100 FROM lair.tv_bait", WAIT);
    assert_eq!(
        is_superuser(&mut admin, name),
        ["f"],
        "a superuser by a nested call"
    );
}
