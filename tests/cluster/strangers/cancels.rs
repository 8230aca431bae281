//! Code of an owner that catches what is to end it.

use crate::harness::{shared, Ask, Database, WAIT};

/// Loops that catch a cancel, which end after some minutes.
const HOGS: [&str; 3] = [
    "LOOP
         BEGIN PERFORM pg_sleep(3600); EXCEPTION WHEN query_canceled THEN NULL; WHEN OTHERS THEN NULL; END;
         EXIT WHEN clock_timestamp() > until;
     END LOOP",
    // A handler inside a handler, with nothing to do in between.
    "BEGIN PERFORM pg_sleep(3600);
     EXCEPTION WHEN query_canceled THEN
         BEGIN PERFORM pg_sleep(3600);
         EXCEPTION WHEN query_canceled THEN
             WHILE clock_timestamp() < until LOOP
                 BEGIN PERFORM lair.again(until); EXCEPTION WHEN query_canceled THEN CONTINUE; END;
             END LOOP;
         END;
     END",
    // One that calls itself.
    "PERFORM lair.again(until)",
];

/// A role with TVIEWs over a table of another's, whose functions do not end in the sessions and workers of others.
fn open(name: &str) -> (Database<'static>, postgres::Client, postgres::Client) {
    let database = Database::new(shared(), name);
    let mut admin = database.client();
    let role = format!("{name}_mallory");
    admin.run(&format!(
        "DO $$BEGIN IF to_regrole('{role}') IS NULL THEN CREATE ROLE {role} LOGIN; END IF; END$$;
         CREATE SCHEMA app;
         GRANT USAGE ON SCHEMA app TO PUBLIC;
         CREATE SCHEMA lair AUTHORIZATION {role};
         CREATE TABLE app.tb_item (pk_item int PRIMARY KEY, n int NOT NULL);
         INSERT INTO app.tb_item VALUES (1, 1), (2, 2);
         GRANT SELECT, TRIGGER ON app.tb_item TO {role};
         SELECT pg_tviews_create('app.item', 'SELECT pk_item, n FROM app.tb_item')"
    ));
    let mut mallory = database.client_as(&role);
    mallory.run(
        "CREATE FUNCTION lair.again(until timestamptz) RETURNS void LANGUAGE plpgsql AS $$
         BEGIN
             PERFORM pg_sleep(3600);
         EXCEPTION WHEN query_canceled THEN
             IF clock_timestamp() < until THEN PERFORM lair.again(until); END IF;
         END$$",
    );
    for (number, hog) in (0..).zip(HOGS) {
        mallory.run(&format!(
            "CREATE FUNCTION lair.hog{number}(n int) RETURNS int LANGUAGE plpgsql AS $$
             DECLARE until timestamptz := clock_timestamp() + '3 min';
             BEGIN
                 IF session_user <> current_user AND n > 2 THEN {hog}; END IF;
                 RETURN n;
             END$$;
             SELECT pg_tviews_create('lair.item{number}', 'SELECT pk_item AS pk_item{number}, lair.hog{number}(n) AS n FROM app.tb_item')"
        ));
    }
    (database, admin, mallory)
}

#[test]
fn workers_are_not_kept_by_code_that_catches_a_cancel() {
    let (_database, mut admin, _mallory) = open("cancel_worker");
    for n in 3..6 {
        admin.run(&format!("UPDATE app.tb_item SET n = {n}"));
        admin.wait_until(
            &format!("SELECT count(*) = 2 FROM app.tv_item WHERE n = {n}"),
            WAIT,
        );
    }
}

#[test]
fn nor_are_sessions_that_show_their_changes() {
    let (database, mut admin, _mallory) = open("cancel_session");
    for number in 0..HOGS.len() {
        let mut session = database.client();
        session
            .run("SET statement_timeout = '500 ms'; BEGIN; UPDATE app.tb_item SET n = 7 WHERE pk_item = 1");
        let error = session.fails(&format!("SELECT * FROM lair.tv_item{number}"));
        assert_eq!(error.code().code(), "57014", "{error:?}");
        // The cancel that the code has caught.
        assert_eq!(
            error.message(),
            "canceling statement due to statement timeout",
            "{error:?}"
        );
        session.run("ROLLBACK");
        // What is done next is not concerned.
        session.run("SELECT pg_sleep(0.1)");
        assert!(
            admin.one::<bool>("SELECT max(now() - xact_start) < interval '30 s' FROM pg_stat_activity WHERE backend_type = 'client backend'")
        );
    }
}
