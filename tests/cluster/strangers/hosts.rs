//! Sessions with more rights than the owner of a TVIEW, in which the owner's code runs: a function that the session calls later
//! must not be one that this code had compiled.

use postgres::Client;

use super::{cluster, EVIL};
use crate::harness::{shared, Ask, Cluster, Database, WAIT};

/// A table and functions of the superuser, and a TVIEW of another role over that table. `call`: what its function does with the
/// superuser's, where a type of the other role takes the place of `text`.
fn open(cluster: &'static Cluster, name: &str, call: &str) -> (Database<'static>, Client, Client) {
    let database = Database::new(cluster, name);
    let mut admin = database.client();
    let role = format!("{name}_mallory");
    admin.run(&format!(
        "DO $$BEGIN IF to_regrole('{role}') IS NULL THEN CREATE ROLE {role} LOGIN; CREATE ROLE {role}_member LOGIN IN ROLE {role}; END IF; END$$;
         ALTER ROLE {role} NOSUPERUSER;
         CREATE SCHEMA app;
         GRANT USAGE ON SCHEMA app TO PUBLIC;
         CREATE SCHEMA lair AUTHORIZATION {role};
         GRANT USAGE ON SCHEMA lair TO PUBLIC;
         CREATE TABLE app.tb_item (pk_item int PRIMARY KEY, n int NOT NULL);
         INSERT INTO app.tb_item VALUES (1, 1), (2, 2);
         GRANT SELECT, UPDATE ON app.tb_item TO {role}_member;
         GRANT SELECT, TRIGGER ON app.tb_item TO {role};
         CREATE FUNCTION app.label(k int) RETURNS pg_catalog.text LANGUAGE plpgsql IMMUTABLE AS
         $$DECLARE x text; BEGIN x := k; RETURN x; END$$;
         CREATE FUNCTION app.set(k int) RETURNS pg_catalog.text LANGUAGE plpgsql SET work_mem = '8MB' AS
         $$DECLARE x text; BEGIN x := k; RETURN x; END$$"
    ));
    let evil = EVIL.replace("quote_ident(session_user)", &format!("'{role}'"));
    let mut mallory = database.client_as(&role);
    mallory.run(&format!(
        "CREATE FUNCTION lair.run() {evil};
         CREATE DOMAIN lair.text AS pg_catalog.text CHECK (lair.run());
         CREATE FUNCTION lair.prepare(n int) RETURNS int LANGUAGE plpgsql SET search_path = lair, pg_catalog AS $$
         BEGIN
             {call};
             RETURN n;
         END$$;
         SELECT pg_tviews_create('lair.item', 'SELECT pk_item, lair.prepare(n) AS n FROM app.tb_item');
         GRANT SELECT ON lair.v_item, lair.tv_item TO PUBLIC"
    ));
    (database, admin, mallory)
}

/// Whatever runs the code of the TVIEW's owner.
const DOORS: [&str; 9] = [
    "BEGIN; UPDATE app.tb_item SET n = n + 1 WHERE pk_item = 1; SELECT * FROM lair.tv_item; COMMIT",
    "CALL pg_tviews_drain()",
    "CALL pg_tviews_drain('lair.item')",
    "SELECT pg_tviews_refresh('lair.item'); CALL pg_tviews_drain()",
    "SELECT * FROM pg_tviews_check('lair.item')",
    "SELECT * FROM pg_tviews_pending('lair.item', '{1}')",
    "SELECT * FROM pg_tviews_affected('lair.item', 'app.tb_item', '[1]')",
    "SELECT pg_tviews_wait('lair.item', key => '1', timeout => '300 ms')",
    "SELECT * FROM pg_tviews_explain('lair.item')",
];

/// What a session calls later.
const LATER: [&str; 2] = ["SELECT app.label(1)", "SELECT app.set(1)"];

fn try_all(name: &str, call: &str) {
    let (database, mut admin, _mallory) = open(cluster(), name, call);
    for door in DOORS {
        let member = format!("{name}_mallory_member");
        for (user, becomes) in [
            ("postgres", ""),
            (&member, ""),
            ("postgres", "SET ROLE"),
            ("postgres", "SET SESSION AUTHORIZATION"),
            (&member, "SET ROLE"),
        ] {
            let mut session = database.client_as(user);
            if !becomes.is_empty() {
                session.run(&format!("{becomes} {name}_mallory"));
            }
            admin.run("UPDATE app.tb_item SET n = n + 1 WHERE pk_item = 1");
            for command in door.split("; ") {
                // Refused, or without effect.
                let _ = session.batch_execute(command);
            }
            let _ = session.batch_execute("ROLLBACK");
            session.run("RESET SESSION AUTHORIZATION; RESET ROLE");
            for later in LATER {
                session.run(later);
            }
            assert_eq!(
                admin.rows(&format!(
                    "SELECT rolsuper FROM pg_roles WHERE rolname = '{name}_mallory'"
                )),
                ["f"],
                "a superuser by {door} of {user} {becomes}"
            );
        }
    }
    // No key was given up for it.
    assert_eq!(admin.rows("SELECT count(*) FROM pg_tview_dead_letter"), ["0"]);
    assert_eq!(admin.rows("SELECT state FROM pg_tview_meta"), ["active"]);
}

#[test]
fn functions_of_others_are_not_compiled_by_a_view() {
    try_all("hosts_call", "PERFORM app.label(n)");
}

#[test]
fn nor_where_the_refusal_is_caught() {
    try_all(
        "hosts_caught",
        "BEGIN PERFORM app.set(n); EXCEPTION WHEN OTHERS THEN NULL; END;
         BEGIN PERFORM app.label(n); EXCEPTION WHEN OTHERS THEN NULL; END",
    );
}

#[test]
fn nor_by_the_validator_of_their_language() {
    try_all(
        "hosts_valid",
        "PERFORM plpgsql_validator('app.label(int)'::regprocedure); PERFORM plpgsql_validator('app.set(int)'::regprocedure)",
    );
}

#[test]
fn what_the_owner_has_written_runs_and_the_rest_is_left_to_workers() {
    let name = "hosts_work";
    let (database, mut admin, mut mallory) = open(shared(), name, "RETURN n");
    let mut session = database.client();
    let shown = "SELECT n FROM lair.tv_item WHERE pk_item = 1";
    session.run("BEGIN; UPDATE app.tb_item SET n = 10 WHERE pk_item = 1");
    assert_eq!(session.rows(shown), ["10"]);
    session.run("COMMIT");
    session.run("CALL pg_tviews_drain('lair.item')");
    // The session of the owner calls what it likes.
    mallory.run(
        "CREATE OR REPLACE FUNCTION lair.prepare(n int) RETURNS int LANGUAGE plpgsql AS $$
         BEGIN RETURN app.label(n)::int; END$$; SELECT pg_tviews_wait()",
    );
    session.run("BEGIN; UPDATE app.tb_item SET n = 20 WHERE pk_item = 1");
    assert_eq!(session.rows(shown), ["10"]);
    session.run("COMMIT");
    admin.wait_until("SELECT n = 20 FROM lair.tv_item WHERE pk_item = 1", WAIT);
    mallory.run("SELECT * FROM pg_tviews_check('lair.item')");
    let error = session.fails("SELECT * FROM pg_tviews_check('lair.item')");
    assert_eq!(error.code().code(), "42501", "{error:?}");
    assert!(error.hint().is_some(), "{error:?}");
    assert_eq!(
        admin.rows("SELECT count(*) FROM pg_tview_meta_audit WHERE status <> 'SUCCESS'"),
        ["0"]
    );
}
