//! Capture triggers on tables of other roles.

use postgres::Client;

use crate::harness::{shared, Ask, Database, WAIT};

/// A table of the superuser, and a role that may read it and has a schema of its own.
fn open(name: &str) -> (Database<'static>, Client, Client, String) {
    let database = Database::new(shared(), name);
    let mut admin = database.client();
    let role = format!("{name}_reader");
    admin.run(&format!(
        "DO $$BEGIN IF to_regrole('{role}') IS NULL THEN CREATE ROLE {role} LOGIN; END IF; END$$;
         CREATE SCHEMA app; GRANT USAGE ON SCHEMA app TO {role};
         CREATE SCHEMA own AUTHORIZATION {role};
         CREATE TABLE app.tb_item (pk_item int PRIMARY KEY, n int NOT NULL);
         CREATE TABLE app.tb_other (pk_other int PRIMARY KEY, n int NOT NULL);
         INSERT INTO app.tb_item VALUES (1, 1), (2, 2);
         GRANT SELECT ON app.tb_item, app.tb_other TO {role}"
    ));
    let reader = database.client_as(&role);
    (database, admin, reader, role)
}

const CREATE: &str = "SELECT pg_tviews_create('own.item', 'SELECT pk_item, n FROM app.tb_item')";

#[test]
fn reading_a_table_is_not_enough_to_put_triggers_on_it() {
    let (_database, mut admin, mut reader, role) = open("trigger_needed");
    let error = reader.fails(CREATE);
    assert_eq!(error.code().code(), "42501", "{error:?}");
    assert_eq!(error.message(), "permission denied for triggers on app.tb_item");
    assert_eq!(
        error.hint(),
        Some(&*format!("Run GRANT TRIGGER ON app.tb_item TO {role};"))
    );
    let triggers =
        "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'app.tb_item'::regclass AND NOT tgisinternal";
    assert_eq!(admin.rows(triggers), ["0"]);
    // Also where the triggers are there for somebody else: what is logged costs the writers of the table.
    admin.run("SELECT pg_tviews_create('app.item', 'SELECT pk_item, n FROM app.tb_item')");
    assert_eq!(reader.fails(CREATE).code().code(), "42501");
    admin.run(&format!("GRANT TRIGGER ON app.tb_item TO {role}"));
    reader.run(CREATE);
    admin.run("UPDATE app.tb_item SET n = 3");
    admin.assert_follows(&["own.tv_item"]);
}

#[test]
fn a_view_that_changes_needs_it_for_what_it_reads_then() {
    let (_database, mut admin, mut reader, role) = open("trigger_later");
    admin.run(&format!("GRANT TRIGGER ON app.tb_item TO {role}"));
    reader.run(CREATE);
    reader.run(
        "CREATE OR REPLACE VIEW own.v_item AS
         SELECT pk_item, n + (SELECT count(*)::int FROM app.tb_other o WHERE o.n = i.n) AS n FROM app.tb_item i",
    );
    reader.wait_until("SELECT state = 'suspended' FROM pg_tview_meta", WAIT);
    assert_eq!(
        admin.rows("SELECT message FROM pg_tview_meta_audit WHERE operation = 'suspend'"),
        ["permission denied for triggers on app.tb_other"]
    );
    // What was there before is not asked for again.
    admin.run(&format!("REVOKE TRIGGER ON app.tb_item FROM {role}"));
    let triggers = "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'app.tb_other'::regclass";
    assert_eq!(admin.rows(triggers), ["0"]);
    admin.run(&format!("GRANT TRIGGER ON app.tb_other TO {role}"));
    admin.wait_until("SELECT state = 'active' FROM pg_tview_meta", WAIT);
    admin.run("INSERT INTO app.tb_other VALUES (1, 1)");
    admin.assert_follows(&["own.tv_item"]);
}

#[test]
fn a_superuser_can_do_without() {
    let (database, mut admin, mut reader, _role) = open("trigger_loose");
    let error = reader.fails("SET pg_tviews.require_trigger_privilege = off");
    assert_eq!(error.code().code(), "42501", "{error:?}");
    admin.run("ALTER DATABASE trigger_loose SET pg_tviews.require_trigger_privilege = off");
    let mut reader = database.client_as("trigger_loose_reader");
    reader.run(CREATE);
    admin.run("UPDATE app.tb_item SET n = 3");
    admin.assert_follows(&["own.tv_item"]);
}
