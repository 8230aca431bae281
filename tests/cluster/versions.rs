//! What later versions of PostgreSQL have, and sessions or workers meet. What one session shows is in
//! `tests/pg_regress`, in files called `since_18_...`.
#![cfg(any(feature = "pg17", feature = "pg18"))]

use std::path::Path;

use crate::blog;
use crate::harness::{shared, Ask, Cluster, Database, Folder, Options, WAIT};

#[test]
fn what_a_login_event_trigger_writes_is_followed() {
    let database = Database::new(shared(), "login_event_trigger");
    let mut client = database.client();
    client.run(
        "CREATE TABLE tb_login (pk_login int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, who text, kind text);
         SELECT pg_tviews_create('login', 'SELECT pk_login, who FROM tb_login');
         CREATE FUNCTION note_login() RETURNS event_trigger LANGUAGE plpgsql AS
         $$BEGIN INSERT INTO public.tb_login (who, kind) SELECT session_user, backend_type FROM pg_stat_activity WHERE pid = pg_backend_pid(); END$$;
         CREATE EVENT TRIGGER on_login ON login EXECUTE FUNCTION note_login();
         ALTER EVENT TRIGGER on_login ENABLE ALWAYS",
    );
    client.started_workers();
    let mut second = database.client();
    second.wait_until("SELECT count(*) >= 1 FROM tv_login", WAIT);
    client.assert_follows(&["login"]);
    // Workers do not log in.
    assert_eq!(
        client.rows("SELECT DISTINCT kind FROM tb_login"),
        ["client backend"]
    );
    client.run("DROP EVENT TRIGGER on_login");
}

#[test]
fn transaction_timeout_ends_no_refresh() {
    let cluster = Cluster::start(Options::preloaded());
    let database = Database::new(&cluster, "transaction_timeout");
    let mut client = database.client();
    client.run(
        "CREATE TABLE tb_slow (pk_slow int PRIMARY KEY, n int);
         INSERT INTO tb_slow VALUES (1, 0);
         CREATE FUNCTION slowly(n int) RETURNS int LANGUAGE plpgsql AS
         $$BEGIN IF n > 0 THEN PERFORM pg_sleep(1.5); END IF; RETURN n; END$$;
         SELECT pg_tviews_create('slow', 'SELECT pk_slow, slowly(n) AS n FROM tb_slow')",
    );
    client.started_workers();
    client.run("ALTER SYSTEM SET transaction_timeout = '400ms'");
    client.run("ALTER DATABASE transaction_timeout SET transaction_timeout = '400ms'");
    client.run("SELECT pg_reload_conf()");
    client.run("UPDATE tb_slow SET n = 1");
    client.wait_until("SELECT n = 1 FROM tv_slow", WAIT);
    assert!(!cluster.read_log().contains("due to transaction timeout"));
}

#[test]
fn reindexing_concerns_no_definition() {
    let database = Database::new(shared(), "reindexing");
    let mut client = database.client();
    client.run(
        "CREATE TABLE tb_item (pk_item int PRIMARY KEY, n int); INSERT INTO tb_item VALUES (1, 1), (2, 2);
         SELECT pg_tviews_create('item', 'SELECT pk_item, n FROM tb_item')",
    );
    client.assert_follows(&["item"]);
    let others =
        "SELECT array_agg(operation ORDER BY audit_id) FROM pg_tview_meta_audit WHERE operation <> 'refresh'";
    let before = client.rows(others);
    for command in [
        "REINDEX TABLE tb_item",
        "REINDEX TABLE tv_item",
        "REINDEX TABLE CONCURRENTLY tb_item",
        "REINDEX TABLE CONCURRENTLY tv_item",
        "REINDEX SCHEMA public",
    ] {
        client.run(command);
        client.run("UPDATE tb_item SET n = n + 1 WHERE pk_item = 1; INSERT INTO tb_item SELECT max(pk_item) + 1 FROM tb_item");
        client.assert_follows(&["item"]);
    }
    assert_eq!(client.rows(others), before);
}

#[test]
fn a_cluster_from_an_incremental_backup_goes_on() {
    let original = Cluster::start(Options::preloaded().set("summarize_wal", "on"));
    let (database, mut client) = blog::open(&original, "incremental");
    client.assert_follows(&blog::ENTITIES);
    let backups = Folder::new();
    let (full, part) = (backups.join("full"), backups.join("part"));
    original.back_up(Path::new(&full), &[]);
    client.run("UPDATE tb_user SET name = 'since the full backup'");
    client.assert_follows(&blog::ENTITIES);
    client.run("SELECT pg_tviews_pause('user')");
    client.run("UPDATE tb_user SET name = 'waits'");
    let manifest = format!("{full}/backup_manifest");
    original.back_up(Path::new(&part), &["--incremental", &manifest]);
    client.run("UPDATE tb_user SET name = 'too late'");
    let copy = Cluster::create_combined(&[Path::new(&full), Path::new(&part)], Options::copied());
    copy.start_server();
    let mut there = copy.client(&database.name);
    let names = "SELECT DISTINCT data->>'name' FROM tv_user";
    assert_eq!(there.rows(names), ["since the full backup"]);
    there.run("SELECT pg_tviews_resume('user')");
    there.assert_follows(&blog::ENTITIES);
    assert_eq!(there.rows(names), ["waits"]);
    there.run("UPDATE tb_user SET name = 'another past'");
    there.assert_follows(&blog::ENTITIES);
}

#[test]
fn code_behind_a_tview_does_not_end_its_worker_by_transaction_timeout() {
    let cluster = Cluster::start(Options::preloaded());
    let database = Database::new(&cluster, "timeout_by_code");
    let mut client = database.client();
    client.run(
        "CREATE TABLE tb_short (pk_short int PRIMARY KEY, n int);
         INSERT INTO tb_short VALUES (1, 0);
         CREATE FUNCTION shorten(n int) RETURNS int LANGUAGE plpgsql AS
         $$BEGIN IF n > 0 THEN PERFORM set_config('transaction_timeout', '10', true); PERFORM pg_sleep(0.5); END IF; RETURN n; END$$;
         SELECT pg_tviews_create('short', 'SELECT pk_short, shorten(n) AS n FROM tb_short')",
    );
    client.started_workers();
    client.run("UPDATE tb_short SET n = 1");
    let failed = "SELECT EXISTS (SELECT FROM pg_tview_meta_audit WHERE message LIKE '%\"transaction_timeout\"%')
                      OR EXISTS (SELECT FROM pg_tview_dead_letter WHERE message LIKE '%\"transaction_timeout\"%')";
    client.wait_until(failed, WAIT);
    assert!(!cluster.read_log().contains("due to transaction timeout"));
    client.run("UPDATE tb_short SET n = 0");
    client.wait_until("SELECT bool_and(state = 'active') FROM pg_tview_meta", WAIT);
    client.assert_follows(&["short"]);
}
