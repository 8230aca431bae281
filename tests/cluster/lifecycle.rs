//! CREATE and DROP EXTENSION in a running server; life without workers.

use std::time::Duration;

use crate::blog;
use crate::harness::{shared, Ask, Cluster, Database, Options, WAIT};

#[test]
fn create_extension_starts_workers_without_a_restart() {
    let database = Database::without_extension(shared(), "fresh");
    let mut client = database.client();
    // A worker may still be looking whether the new database has the extension.
    let none = "SELECT count(*) = 0 FROM pg_stat_activity
                 WHERE datname = current_database() AND backend_type LIKE 'pg_tviews%'";
    client.wait_until(none, Duration::from_secs(10));
    client.run("CREATE EXTENSION pg_tviews");
    blog::create(&mut client);
    let workers = "SELECT count(*) = 2 FROM pg_stat_activity
                    WHERE datname = current_database() AND backend_type LIKE 'pg_tviews%'";
    client.wait_until(workers, Duration::from_secs(10));
    client.run("UPDATE tb_user SET name = 'first'");
    client.assert_follows(&blog::ENTITIES);
}

#[test]
fn extension_lives_in_the_schema_it_was_given() {
    let database = Database::without_extension(shared(), "schema_given");
    let mut client = database.client();
    client.run("CREATE SCHEMA \"My Tools\"; CREATE EXTENSION pg_tviews SCHEMA \"My Tools\"");
    client.run("SET search_path = public, \"My Tools\"");
    blog::create(&mut client);
    client.assert_follows(&blog::ENTITIES);
    client.run("SET search_path = public; UPDATE tb_user SET name = 'elsewhere'; SET search_path = public, \"My Tools\"");
    client.assert_follows(&blog::ENTITIES);
}

#[test]
fn drop_extension_stops_the_workers_and_leaves_the_sources_writable() {
    let (_database, mut client) = blog::open(shared(), "dropped");
    client.assert_follows(&blog::ENTITIES);
    client.started_workers();
    client.run("DROP EXTENSION pg_tviews CASCADE");
    let none = "SELECT count(*) = 0 FROM pg_stat_activity
                 WHERE datname = current_database() AND backend_type LIKE 'pg_tviews%'";
    client.wait_until(none, Duration::from_secs(10));
    client.run(
        "UPDATE tb_user SET name = 'no trigger left'; INSERT INTO tb_post (fk_user, title) VALUES (1, 'x')",
    );
    client.run("CREATE EXTENSION pg_tviews");
    for (name, query) in blog::TVIEWS {
        client.run(&format!("SELECT pg_tviews_create('{name}', $${query}$$)"));
    }
    client.run("UPDATE tb_user SET name = 'back again'");
    client.assert_follows(&blog::ENTITIES);
}

/// DROP EXTENSION locks the extension's tables, then the tables of TVIEWs and their sources. Whoever holds one of the
/// first must get the others at once: a refresh that held them while it waits would be a deadlock.
#[test]
fn a_refresh_holds_nothing_while_it_waits_for_a_table_of_the_extension() {
    let (database, mut client) = blog::open(shared(), "front_door");
    client.assert_follows(&blog::ENTITIES);
    let mut writer = database.client();
    for table in [
        "pg_tview_definition",
        "pg_tview_meta_audit",
        "pg_tview_dead_letter",
        "pg_tview_queue",
    ] {
        writer.run("UPDATE tb_user SET name = name || '+'; UPDATE tb_post SET likes = likes + 1");
        client.run(&format!("BEGIN; LOCK {table} IN ACCESS EXCLUSIVE MODE"));
        // A refresh that has just committed gives its locks back one by one.
        std::thread::sleep(Duration::from_millis(500));
        for _ in 0..100 {
            client.run("SELECT pg_stat_clear_snapshot()");
            // Autovacuum may hold some.
            let held = client.rows(
                "SELECT pid, backend_type, mode, relation::regclass FROM pg_locks JOIN pg_stat_activity a USING (pid)
                  WHERE relation IN ('tv_user'::regclass, 'tv_total'::regclass, 'tb_user'::regclass, 'tb_post'::regclass)
                    AND granted AND pid <> pg_backend_pid() AND backend_type <> 'autovacuum worker'",
            );
            assert_eq!(held, [""; 0], "while {table} is locked");
            std::thread::sleep(Duration::from_millis(5));
        }
        client.run("COMMIT");
        client.assert_follows(&blog::ENTITIES);
    }
}

#[test]
fn drop_extension_rolled_back_changes_nothing() {
    let (database, mut client) = blog::open(shared(), "drop_undone");
    client.assert_follows(&blog::ENTITIES);
    let mut writer = database.client();
    for _ in 0..3 {
        client.run("BEGIN; DROP EXTENSION pg_tviews CASCADE; ROLLBACK");
        writer.run("UPDATE tb_user SET name = name || '.'");
        writer.assert_follows(&blog::ENTITIES);
    }
    client.run("BEGIN; SAVEPOINT s; DROP EXTENSION pg_tviews CASCADE; ROLLBACK TO s; UPDATE tb_user SET name = 's'; COMMIT");
    client.assert_follows(&blog::ENTITIES);
}

#[test]
fn create_extension_rolled_back_leaves_no_workers() {
    let database = Database::without_extension(shared(), "create_undone");
    let mut client = database.client();
    client.run("BEGIN; CREATE EXTENSION pg_tviews; ROLLBACK");
    std::thread::sleep(Duration::from_secs(1));
    let none = "SELECT count(*) = 0 FROM pg_stat_activity
                 WHERE datname = current_database() AND backend_type LIKE 'pg_tviews%'";
    client.wait_until(none, Duration::from_secs(10));
    client.run("CREATE EXTENSION pg_tviews");
    blog::create(&mut client);
    client.assert_follows(&blog::ENTITIES);
}

#[test]
fn without_preload_drain_does_the_work_of_the_workers() {
    let cluster = Cluster::start(Options::without_preload());
    let (database, mut client) = blog::open(&cluster, "no_preload");
    client.run("CALL pg_tviews_drain()");
    // A session that never called a function of the extension loads it inside the trigger.
    let mut writer = database.client();
    writer.run("BEGIN; SAVEPOINT s; UPDATE tb_user SET name = 'written'; ROLLBACK TO s");
    writer.run("UPDATE tb_user SET name = 'kept' WHERE pk_user = 4; COMMIT");
    assert_eq!(
        client.rows("SELECT data->>'name' FROM tv_user WHERE pk_user = 4"),
        ["user 4"]
    );
    let error = client.fails("SELECT pg_tviews_wait()");
    assert!(
        error.hint().is_some_and(|hint| hint.contains("pg_tviews_drain")),
        "{error:?}"
    );
    client.run("CALL pg_tviews_drain('user')");
    assert_eq!(
        client.rows("SELECT data->>'name' FROM tv_user WHERE pk_user = 4"),
        ["kept"]
    );
    client.run("CALL pg_tviews_drain()");
    client.assert_views_equal(&blog::ENTITIES);
    assert_eq!(client.rows("SELECT count(*) FROM pg_tview_queue"), ["0"]);
    assert!(
        client.one::<bool>("SELECT pg_tviews_wait()"),
        "nothing is pending, so there is nothing to wait for"
    );
}

#[test]
fn drain_works_beside_live_workers() {
    let (database, mut client) = blog::open(shared(), "drain_beside");
    let mut other = database.client();
    for i in 0..20 {
        client.run(&format!("UPDATE tb_user SET name = 'drained {i}'"));
        other.run("CALL pg_tviews_drain()");
        let stale = "SELECT count(*) FROM tv_user WHERE data->>'name' <> 'drained ";
        assert_eq!(
            other.rows(&format!("{stale}{i}'")),
            ["0"],
            "drain returned too early"
        );
    }
    client.assert_follows(&blog::ENTITIES);
}

#[test]
fn drain_inside_a_transaction_block_is_refused_or_complete() {
    let (_database, mut client) = blog::open(shared(), "drain_block");
    client.run("SELECT pg_tviews_pause('user')");
    client.run("SELECT pg_tviews_resume('user')");
    client.run("BEGIN");
    let refused = client.batch_execute("CALL pg_tviews_drain()").is_err();
    client.run(if refused { "ROLLBACK" } else { "COMMIT" });
    client.run("UPDATE tb_user SET name = 'after'");
    client.assert_follows(&blog::ENTITIES);
    client.wait_until(
        "SELECT count(*) = 10 FROM tv_user WHERE data->>'name' = 'after'",
        WAIT,
    );
}

/// Texts of the database are handed to the library as they are.
#[test]
fn other_encodings_are_refused_by_create_extension() {
    let postgres = &mut shared().client("postgres");
    for (name, encoding) in [
        ("in_latin1", "LATIN1"),
        ("in_euc_jp", "EUC_JP"),
        ("in_ascii", "SQL_ASCII"),
    ] {
        postgres.run(&format!(
            "CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0"
        ));
        let mut client = shared().client(name);
        let error = client.fails("CREATE EXTENSION pg_tviews");
        assert_eq!(error.code().code(), "0A000");
        assert_eq!(
            error.message(),
            format!("pg_tviews needs a database in UTF8, this one is in {encoding}")
        );
        assert!(error.hint().is_some());
        let left = "SELECT count(*) FROM pg_extension WHERE extname = 'pg_tviews'";
        assert_eq!(client.one::<i64>(left), 0);
        drop(client);
        postgres.run(&format!("DROP DATABASE {name} WITH (FORCE)"));
    }
}
