//! Commands that need a database without connections succeed although workers live in it.

use std::time::Duration;

use crate::blog;
use crate::harness::{shared, Ask, Cluster, Database, Options, WAIT};

/// A database with live workers, and no connection of the test.
fn busy(name: &str) -> Database<'static> {
    let (database, mut client) = blog::open(shared(), name);
    client.assert_follows(&blog::ENTITIES);
    client.started_workers();
    database
}

#[test]
fn drop_database_succeeds() {
    let database = busy("to_drop");
    let mut postgres = shared().client("postgres");
    postgres.run("DROP DATABASE to_drop");
    drop(database);
    // The name can be used again, with workers of its own.
    let (_again, mut client) = blog::open(shared(), "to_drop");
    client.run("UPDATE tb_user SET name = 'again'");
    client.assert_follows(&blog::ENTITIES);
}

#[test]
fn drop_database_with_force_succeeds() {
    let database = busy("to_force");
    let _session = database.client();
    shared()
        .client("postgres")
        .run("DROP DATABASE to_force WITH (FORCE)");
}

#[test]
fn dropdb_succeeds_while_a_refresh_runs() {
    let database = Database::new(shared(), "to_drop_busy");
    let mut client = database.client();
    blog::create_slow(&mut client);
    client.run("UPDATE knob SET seconds = 50");
    client.run("UPDATE tb_slow SET n = 2");
    client.wait_until(
        "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = 'to_drop_busy'",
        WAIT,
    );
    drop(client);
    let status = shared()
        .program("dropdb", crate::harness::repository())
        .arg("to_drop_busy")
        .output();
    let status = status.expect("dropdb runs");
    assert!(
        status.status.success(),
        "{}",
        String::from_utf8_lossy(&status.stderr)
    );
}

#[test]
fn rename_succeeds_and_workers_follow() {
    let mut database = busy("old_name");
    shared()
        .client("postgres")
        .run("ALTER DATABASE old_name RENAME TO new_name");
    database.name = "new_name".to_owned();
    let mut client = database.client();
    client.run("UPDATE tb_user SET name = 'renamed'");
    client.wait_until(
        "SELECT count(*) = 10 FROM tv_user WHERE data->>'name' = 'renamed'",
        WAIT,
    );
    client.assert_follows(&blog::ENTITIES);
}

#[test]
fn workers_come_back_when_the_command_fails() {
    let database = busy("stays");
    let mut client = database.client();
    let mut postgres = shared().client("postgres");
    postgres.fails("DROP DATABASE stays");
    postgres.fails("ALTER DATABASE stays RENAME TO postgres");
    postgres.fails("ALTER DATABASE stays RENAME TO elsewhere");
    client.run("UPDATE tb_user SET name = 'still here'");
    client.wait_until(
        "SELECT count(*) = 10 FROM tv_user WHERE data->>'name' = 'still here'",
        WAIT,
    );
    client.assert_follows(&blog::ENTITIES);
}

#[test]
fn create_database_from_it_succeeds_and_both_follow() {
    let original = busy("original");
    shared()
        .client("postgres")
        .run("CREATE DATABASE copied TEMPLATE original");
    let copied = Database {
        cluster: shared(),
        name: "copied".to_owned(),
    };
    for (database, name) in [(&original, "in the original"), (&copied, "in the copy")] {
        let mut client = database.client();
        client.run(&format!("UPDATE tb_user SET name = '{name}'"));
        let condition = format!("SELECT count(*) = 10 FROM tv_user WHERE data->>'name' = '{name}'");
        client.wait_until(&condition, Duration::from_secs(20));
        client.assert_follows(&blog::ENTITIES);
    }
}

#[test]
fn copy_takes_waiting_changes_along() {
    let original = busy("copied_early");
    let mut client = original.client();
    client.run("SELECT pg_tviews_pause(entity_name) FROM pg_tview_meta");
    client.run("UPDATE tb_user SET name = 'waiting'; DELETE FROM tb_post WHERE pk_post = 1");
    drop(client);
    shared()
        .client("postgres")
        .run("CREATE DATABASE copy_early TEMPLATE copied_early");
    let copy = Database {
        cluster: shared(),
        name: "copy_early".to_owned(),
    };
    for database in [&copy, &original] {
        let mut client = database.client();
        client.run("SELECT pg_tviews_resume(entity_name) FROM pg_tview_meta");
        client.assert_follows(&blog::ENTITIES);
        assert_eq!(
            client.rows("SELECT DISTINCT data->>'name' FROM tv_user"),
            ["waiting"]
        );
    }
}

#[test]
fn move_to_another_tablespace_succeeds() {
    let cluster = Cluster::start(Options::preloaded());
    let (database, mut client) = blog::open(&cluster, "moving");
    client.assert_follows(&blog::ENTITIES);
    drop(client);
    let mut postgres = cluster.client("postgres");
    postgres.run("SET allow_in_place_tablespaces = on");
    postgres.run("CREATE TABLESPACE elsewhere LOCATION ''");
    postgres.run("ALTER DATABASE moving SET TABLESPACE elsewhere");
    let mut client = database.client();
    client.run("UPDATE tb_user SET name = 'moved'");
    client.wait_until(
        "SELECT count(*) = 10 FROM tv_user WHERE data->>'name' = 'moved'",
        WAIT,
    );
    drop(client);
    postgres.run("ALTER DATABASE moving SET TABLESPACE pg_default");
}

#[test]
fn database_that_never_had_the_extension_is_not_touched() {
    let database = Database::without_extension(shared(), "untouched");
    let mut client = database.client();
    std::thread::sleep(Duration::from_millis(500));
    assert!(client.workers().is_empty());
    drop(client);
    for round in 0..3 {
        shared()
            .client("postgres")
            .run(&format!("CREATE DATABASE untouched_{round} TEMPLATE untouched"));
        shared()
            .client("postgres")
            .run(&format!("DROP DATABASE untouched_{round}"));
    }
}

/// Who may copy a template need not own it, and can send no workers away.
#[test]
fn a_template_that_gets_the_extension_is_copied_by_others() {
    let mut postgres = shared().client("postgres");
    postgres.run(
        "DO $$BEGIN IF to_regrole('copier') IS NULL THEN CREATE ROLE copier LOGIN CREATEDB; END IF; END$$",
    );
    let model = Database::without_extension(shared(), "model");
    postgres.run("ALTER DATABASE model IS_TEMPLATE true");
    let mut client = model.client();
    client.run(
        "CREATE EXTENSION pg_tviews; CREATE TABLE tb_item (pk_item int PRIMARY KEY, n int); INSERT INTO tb_item VALUES (1, 1);
         SELECT pg_tviews_create('item', 'SELECT pk_item, n FROM tb_item')",
    );
    // Long enough for a worker to start.
    std::thread::sleep(Duration::from_secs(1));
    assert!(client.workers().is_empty());
    drop(client);
    shared()
        .client_as("postgres", "copier")
        .run("CREATE DATABASE copy_of_model TEMPLATE model");
    postgres.run("ALTER DATABASE model IS_TEMPLATE false");
    let copy = Database {
        cluster: shared(),
        name: "copy_of_model".to_owned(),
    };
    let mut client = copy.client();
    client.run("UPDATE tb_item SET n = 2");
    client.assert_follows(&["item"]);
}
