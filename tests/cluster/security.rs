//! Workers run a user's code as that user; only owners manage TVIEWs.

use postgres::Client;

use crate::harness::{shared, Ask, Database, WAIT};

/// A schema `app` that belongs to an ordinary role, and another ordinary role.
fn open(name: &str) -> (Database<'static>, Client, Client, Client) {
    let database = Database::new(shared(), name);
    let mut admin = database.client();
    admin.run(&format!(
        "DO $$BEGIN IF to_regrole('{name}_owner') IS NULL THEN
             CREATE ROLE {name}_owner LOGIN; CREATE ROLE {name}_other LOGIN; END IF; END$$;
         CREATE SCHEMA app AUTHORIZATION {name}_owner"
    ));
    let mut owner = database.client_as(&format!("{name}_owner"));
    owner.run("CREATE TABLE app.tb_item (pk_item int PRIMARY KEY, n int NOT NULL); INSERT INTO app.tb_item VALUES (1, 1), (2, 2)");
    let other = database.client_as(&format!("{name}_other"));
    (database, admin, owner, other)
}

#[test]
fn owner_without_superuser_creates_and_manages() {
    let (_database, mut admin, mut owner, _) = open("plain_owner");
    owner.run("SELECT pg_tviews_create('app.item', 'SELECT pk_item, n FROM app.tb_item')");
    owner.run("UPDATE app.tb_item SET n = 10 WHERE pk_item = 1");
    assert!(owner.one::<bool>("SELECT pg_tviews_wait('app.item')"));
    assert_eq!(owner.rows("SELECT n FROM app.tv_item ORDER BY 1"), ["2", "10"]);
    owner.run("SELECT pg_tviews_pause('app.item')");
    owner.run("SELECT pg_tviews_resume('app.item')");
    owner.run("SELECT pg_tviews_refresh('app.item')");
    owner.run("CALL pg_tviews_drain('app.item')");
    admin.assert_follows(&["app.tv_item"]);
    assert_eq!(
        admin.rows("SELECT tableowner FROM pg_tables WHERE tablename = 'tv_item'"),
        ["plain_owner_owner"]
    );
    owner.run("SELECT pg_tviews_drop('app.item')");
}

#[test]
fn others_may_not_manage() {
    let (_database, mut admin, mut owner, mut other) = open("strangers");
    owner.run("SELECT pg_tviews_create('app.item', 'SELECT pk_item, n FROM app.tb_item')");
    admin.run("GRANT USAGE ON SCHEMA app TO strangers_other; GRANT SELECT ON ALL TABLES IN SCHEMA app TO strangers_other");
    for sql in [
        "SELECT pg_tviews_create('app.item', 'SELECT pk_item, n + 1 AS n FROM app.tb_item')",
        "SELECT pg_tviews_create('app.mine', 'SELECT pk_item AS pk_mine, n FROM app.tb_item')",
        "SELECT pg_tviews_drop('app.item')",
        "SELECT pg_tviews_pause('app.item')",
        "SELECT pg_tviews_resume('app.item')",
        "SELECT pg_tviews_refresh('app.item')",
    ] {
        let error = other.fails(sql);
        assert_eq!(error.code().code(), "42501", "{sql}: {error:?}");
    }
    // Refused, or without effect.
    let _ = other.batch_execute("UPDATE pg_tview_meta SET max_latency = '1 day'");
    assert_eq!(admin.rows("SELECT max_latency FROM pg_tview_meta"), ["~"]);
    owner.run("UPDATE app.tb_item SET n = 10 WHERE pk_item = 1");
    admin.assert_follows(&["app.tv_item"]);
}

#[test]
fn view_functions_run_as_the_owner_of_the_tview() {
    let (_database, mut admin, mut owner, _) = open("who");
    // Left by a call made during a refresh: who it was and what it could become.
    owner.run(
        "CREATE TABLE app.seen (step text, who name);
         CREATE FUNCTION app.spy(n int) RETURNS int LANGUAGE plpgsql AS $$
         BEGIN
             INSERT INTO app.seen VALUES ('called', current_user);
             BEGIN EXECUTE 'RESET ROLE'; INSERT INTO app.seen VALUES ('reset', current_user);
             EXCEPTION WHEN OTHERS THEN NULL; END;
             BEGIN EXECUTE 'SET SESSION AUTHORIZATION postgres'; INSERT INTO app.seen VALUES ('session', current_user);
             EXCEPTION WHEN OTHERS THEN NULL; END;
             BEGIN EXECUTE 'ALTER ROLE who_owner SUPERUSER';
             EXCEPTION WHEN OTHERS THEN NULL; END;
             RETURN n;
         END$$",
    );
    owner.run("SELECT pg_tviews_create('app.item', 'SELECT pk_item, app.spy(n) AS n FROM app.tb_item')");
    owner.run("DELETE FROM app.seen");
    owner.run("UPDATE app.tb_item SET n = 10 WHERE pk_item = 1");
    owner.wait_until("SELECT n = 10 FROM app.tv_item WHERE pk_item = 1", WAIT);
    let seen = owner.rows("SELECT DISTINCT who FROM app.seen");
    assert_eq!(seen, ["who_owner"]);
    assert_eq!(
        admin.rows("SELECT rolsuper FROM pg_roles WHERE rolname = 'who_owner'"),
        ["f"]
    );
}

#[test]
fn triggers_of_the_tv_table_run_as_its_owner() {
    let (_database, mut admin, mut owner, _) = open("trap");
    owner.run("SELECT pg_tviews_create('app.item', 'SELECT pk_item, n FROM app.tb_item')");
    owner.run(
        "CREATE FUNCTION app.trap() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             BEGIN EXECUTE 'RESET ROLE'; EXECUTE 'ALTER ROLE trap_owner SUPERUSER';
             EXCEPTION WHEN OTHERS THEN NULL; END;
             BEGIN EXECUTE 'ALTER ROLE trap_owner SUPERUSER';
             EXCEPTION WHEN OTHERS THEN NULL; END;
             RETURN NEW;
         END$$;
         CREATE TRIGGER trap BEFORE INSERT OR UPDATE ON app.tv_item FOR EACH ROW EXECUTE FUNCTION app.trap()",
    );
    owner.run("UPDATE app.tb_item SET n = 10 WHERE pk_item = 1");
    owner.wait_until("SELECT n = 10 FROM app.tv_item WHERE pk_item = 1", WAIT);
    // Also when a superuser asks for it in a session of his own.
    admin.run("SELECT pg_tviews_refresh('app.item')");
    admin.run("CALL pg_tviews_drain()");
    admin.run("SELECT pg_tviews_create('app.item', 'SELECT pk_item, n + 1 AS n FROM app.tb_item')");
    admin.assert_follows(&["app.tv_item"]);
    assert_eq!(
        admin.rows("SELECT rolsuper FROM pg_roles WHERE rolname = 'trap_owner'"),
        ["f"]
    );
}

#[test]
fn owner_reads_sources_with_his_own_rights() {
    let (_database, mut admin, mut owner, _) = open("rights");
    admin.run("CREATE TABLE secret (pk_secret int PRIMARY KEY, n int); INSERT INTO secret VALUES (1, 42)");
    let error = owner
        .fails("SELECT pg_tviews_create('app.leak', 'SELECT pk_secret AS pk_leak, n FROM public.secret')");
    assert_eq!(error.code().code(), "42501", "{error:?}");
    assert_eq!(
        admin.rows("SELECT to_regclass('app.tv_leak'), (SELECT count(*) FROM pg_tview_meta)"),
        ["~|0"]
    );
}
