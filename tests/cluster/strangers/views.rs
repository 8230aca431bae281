//! A view that is put in the place of a TVIEW's, and views of others that a TVIEW would be made of.

use postgres::Client;

use super::EVIL;
use crate::harness::{shared, Ask, Database, WAIT};

/// A superuser's TVIEW `app.item` in a schema in which another role may create.
fn open(name: &str) -> (Database<'static>, Client, Client, String) {
    let database = Database::new(shared(), name);
    let mut admin = database.client();
    let role = format!("{name}_mallory");
    admin.run(&format!(
        "DO $$BEGIN IF to_regrole('{role}') IS NULL THEN CREATE ROLE {role} LOGIN; END IF; END$$;
         ALTER ROLE {role} NOSUPERUSER;
         CREATE SCHEMA app;
         GRANT ALL ON SCHEMA app TO {role};
         CREATE TABLE app.tb_item (pk_item int PRIMARY KEY, n int NOT NULL);
         GRANT SELECT, UPDATE ON app.tb_item TO {role};
         INSERT INTO app.tb_item VALUES (1, 1), (2, 2);
         SELECT pg_tviews_create('app.item', 'SELECT pk_item, n FROM app.tb_item')"
    ));
    let mut mallory = database.client_as(&role);
    let evil = EVIL.replace("quote_ident(session_user)", &format!("'{role}'"));
    mallory.run(&format!("CREATE FUNCTION app.evil() {evil}"));
    (database, admin, mallory, role)
}

const TAKEN: &str = "CREATE VIEW app.v_item AS SELECT pk_item, CASE WHEN app.evil() THEN 100 ELSE n END AS n FROM app.tb_item";

fn assert_no_superuser(admin: &mut Client, role: &str) {
    let sql = format!("SELECT rolsuper FROM pg_roles WHERE rolname = '{role}'");
    assert_eq!(admin.rows(&sql), ["f"], "a superuser by a view");
}

#[test]
fn a_view_of_a_stranger_takes_no_place() {
    let (_database, mut admin, mut mallory, role) = open("view_taken");
    // A migration drops it for a moment.
    admin.run("DROP VIEW app.v_item");
    admin.wait_until("SELECT state = 'suspended' FROM pg_tview_meta", WAIT);
    mallory.run(TAKEN);
    mallory.run("GRANT SELECT ON app.v_item TO PUBLIC; UPDATE app.tb_item SET n = 5");
    // It was suspended because there was no view; the reason on record is the latest.
    let reason = "SELECT concat_ws('|', sqlstate, message, details->>'hint') FROM pg_tview_meta_audit
                   WHERE operation = 'suspend' ORDER BY audit_id DESC LIMIT 1";
    let expected = format!(
        "42501|view app.v_item belongs to {role}, who does not have the rights of postgres|Run ALTER VIEW app.v_item OWNER TO postgres;"
    );
    admin.wait_until(&format!("SELECT ({reason}) = '{expected}'"), WAIT);
    assert_eq!(
        admin.one::<String>("SELECT state FROM pg_tview_meta"),
        "suspended"
    );
    // What helps is said wherever it is missed, to those who may know.
    let error = admin.fails("SELECT pg_tviews_wait('app.item')");
    let help = "Run ALTER VIEW app.v_item OWNER TO postgres; It goes on automatically";
    assert!(
        error.hint().is_some_and(|hint| hint.starts_with(help)),
        "{error:?}"
    );
    let health = admin.rows("SELECT message FROM pg_tviews_health_check() WHERE component = 'tviews'");
    assert!(health[0].contains(help), "{health:?}");
    admin.run(&format!("GRANT SELECT ON app.tv_item TO {role}"));
    let error = mallory.fails("SELECT pg_tviews_wait('app.item')");
    assert!(
        error.hint().is_some_and(|hint| !hint.contains("ALTER VIEW")),
        "{error:?}"
    );
    // Nor does anything that the superuser calls run it.
    for sql in [
        "SELECT * FROM pg_tviews_check('app.item')",
        "SELECT * FROM pg_tviews_pending('app.item')",
        "SELECT * FROM pg_tviews_explain('app.item')",
        "SELECT pg_tviews_create('app.item')",
    ] {
        let error = admin.fails(sql);
        assert_eq!(error.code().code(), "42501", "{sql}: {error:?}");
    }
    admin.run("SELECT pg_tviews_resume('app.item')");
    let _ = admin.batch_execute("CALL pg_tviews_drain()");
    assert_no_superuser(&mut admin, &role);
    assert_eq!(admin.rows("SELECT n FROM app.tv_item ORDER BY 1"), ["1", "2"]);
    // The migration goes on.
    admin.run("DROP VIEW app.v_item; CREATE VIEW app.v_item AS SELECT pk_item, n * 10 AS n FROM app.tb_item");
    admin.wait_until("SELECT state = 'active' FROM pg_tview_meta", WAIT);
    admin.assert_follows(&["app.tv_item"]);
}

#[test]
fn a_view_given_to_a_stranger_suspends_until_it_is_given_back() {
    let (_database, mut admin, _mallory, role) = open("view_given");
    admin.run(&format!("ALTER VIEW app.v_item OWNER TO {role}"));
    admin.wait_until("SELECT state = 'suspended' FROM pg_tview_meta", WAIT);
    admin.run("UPDATE app.tb_item SET n = 7; ALTER VIEW app.v_item OWNER TO postgres");
    admin.wait_until("SELECT state = 'active' FROM pg_tview_meta", WAIT);
    admin.assert_follows(&["app.tv_item"]);
    // So does a table given to somebody with more rights than the view's owner.
    admin.run(&format!(
        "ALTER TABLE app.tv_item OWNER TO {role}; ALTER VIEW app.v_item OWNER TO {role}; GRANT TRIGGER ON app.tb_item TO {role}"
    ));
    admin.assert_follows(&["app.tv_item"]);
    admin.run("ALTER TABLE app.tv_item OWNER TO postgres");
    admin.wait_until("SELECT state = 'suspended' FROM pg_tview_meta", WAIT);
}

#[test]
fn no_tview_is_made_of_a_view_of_a_stranger() {
    let (database, mut admin, mut mallory, role) = open("view_other");
    mallory.run(
        "CREATE VIEW app.v_bait AS SELECT pk_item AS pk_bait, CASE WHEN app.evil() THEN n END AS n FROM app.tb_item;
         GRANT SELECT ON app.v_bait TO PUBLIC",
    );
    let error = admin.fails("SELECT pg_tviews_create('app.bait')");
    assert_eq!(error.code().code(), "42501", "{error:?}");
    assert_eq!(error.hint(), Some("Run ALTER VIEW app.v_bait OWNER TO postgres;"));
    admin.run("CREATE TABLE app.tv_bait (pk_bait int PRIMARY KEY, n int)");
    let converted =
        admin.rows("SELECT status, message FROM pg_tviews_auto_convert('app') WHERE entity = 'bait'");
    assert!(
        converted.len() == 1 && converted[0].starts_with("ERROR|view app.v_bait belongs to"),
        "{converted:?}"
    );
    assert_no_superuser(&mut admin, &role);
    // Being allowed to read it would not help.
    admin.run(&format!(
        "DO $$BEGIN IF to_regrole('{role}_two') IS NULL THEN CREATE ROLE {role}_two LOGIN; END IF; END$$;
         GRANT ALL ON SCHEMA app TO {role}_two;
         REVOKE SELECT ON app.v_bait FROM PUBLIC"
    ));
    let mut two = database.client_as(&format!("{role}_two"));
    admin.run("DROP TABLE app.tv_bait");
    for sql in [
        "SELECT pg_tviews_create('app.bait')",
        "SELECT pg_tviews_create('app.bait', 'SELECT 1 AS pk_bait')",
    ] {
        let error = two.fails(sql);
        assert_eq!(
            error.message(),
            format!("view app.v_bait belongs to {role}, who does not have the rights of {role}_two"),
            "{sql}"
        );
    }
    // A superuser's view may serve anybody, and a member's the role it is a member of.
    admin.run(&format!(
        "CREATE VIEW app.v_given AS SELECT pk_item AS pk_given, n FROM app.tb_item;
         GRANT SELECT ON app.v_given TO {role};
         GRANT TRIGGER ON app.tb_item TO {role}"
    ));
    mallory.run("SELECT pg_tviews_create('app.given')");
    admin.assert_follows(&["app.tv_given"]);
}
