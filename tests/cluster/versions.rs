//! What later versions of PostgreSQL have, and sessions or workers meet. What one session shows is in
//! `tests/pg_regress`, in files called `since_18_...`.
#![cfg(any(feature = "pg17", feature = "pg18"))]

use std::path::Path;

#[cfg(feature = "pg18")]
use postgres::Client;

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

/// A TVIEW of 12,000 books and their authors: more than the shared buffers hold, so that every comparison reads files.
#[cfg(feature = "pg18")]
fn create_books(client: &mut Client) {
    client.run(
        "CREATE TABLE tb_author (pk_author int PRIMARY KEY, name text);
         CREATE TABLE tb_book (pk_book int PRIMARY KEY, fk_author int, title text, pad text);
         INSERT INTO tb_author SELECT i, 'author ' || i FROM generate_series(1, 300) i;
         INSERT INTO tb_book SELECT i, 1 + i % 300, 'book ' || i, repeat('x', 1000) FROM generate_series(1, 12000) i;
         CREATE INDEX ON tb_book (fk_author)",
    );
    client.run("VACUUM ANALYZE tb_author, tb_book");
    client.run(
        "SELECT pg_tviews_create('book', 'SELECT b.pk_book, b.title, b.pad, a.name FROM tb_book b JOIN tb_author a ON a.pk_author = b.fk_author')",
    );
}

#[cfg(feature = "pg18")]
fn io_methods() -> Vec<String> {
    let mut client = shared().client("postgres");
    client.rows("SELECT unnest(enumvals) FROM pg_settings WHERE name = 'io_method'")
}

#[cfg(feature = "pg18")]
#[test]
fn rows_are_the_same_with_each_io_method() {
    let methods = io_methods();
    assert!(methods.len() >= 2, "{methods:?}");
    for method in methods {
        let options = Options::preloaded()
            .set("io_method", &method)
            .set("io_workers", "8")
            // A quarter of what is read, and enough for each session to read ahead.
            .set("shared_buffers", "8MB")
            .set("max_connections", "20")
            .set("pg_tviews.batch_size", "4000")
            // One for the launcher, two for the workers, one for parallel queries.
            .set("max_logical_replication_workers", "0")
            .set("max_worker_processes", "4");
        let cluster = Cluster::create(options);
        if !cluster.try_start_server("") {
            // The kernel, or the container, may forbid it.
            let log = cluster.read_log();
            assert!(
                method == "io_uring" && log.contains("io_uring"),
                "{method}: {log}"
            );
            continue;
        }
        let database = Database::new(&cluster, "io_method");
        let mut client = database.client();
        let io_workers = if method == "worker" { 8 } else { 0 };
        client.wait_until(
            &format!("SELECT count(*) = {io_workers} FROM pg_stat_activity WHERE backend_type = 'io worker'"),
            WAIT,
        );
        create_books(&mut client);
        client.started_workers();
        client.assert_follows(&["book"]);
        assert_eq!(
            client.rows("SELECT sum(rows_inserted) FROM pg_tview_meta_audit WHERE status = 'SUCCESS'"),
            ["12000"],
            "{method}"
        );
        client.run("UPDATE tb_author SET name = 'all of them'");
        client.assert_follows(&["book"]);
        if method == "worker" {
            client.run("ALTER SYSTEM SET io_workers = 1");
            client.run("SELECT pg_reload_conf()");
        }
        client.run("UPDATE tb_author SET name = 'one' WHERE pk_author = 7; DELETE FROM tb_book WHERE pk_book % 1000 = 3");
        client.assert_follows(&["book"]);
        // Rows that only a comparison in full finds.
        client.run("SET pg_tviews.allow_table_writes = on; UPDATE tv_book SET name = 'wrong' WHERE pk_book % 5000 = 1; DELETE FROM tv_book WHERE pk_book = 2");
        client.run("SELECT pg_tviews_refresh('book')");
        client.assert_follows(&["book"]);
        assert_eq!(
            client.rows("SELECT count(*) FROM tv_book WHERE name = 'wrong'"),
            ["0"]
        );
        assert_eq!(
            client.rows(
                "SELECT message FROM pg_tviews_health_check() WHERE component = 'workers' AND status <> 'OK'"
            ),
            [""; 0]
        );
        // Several blocks by one read: workers read as sessions do.
        let reads = "SELECT sum(read_bytes) > 8192 * sum(reads) FROM pg_stat_io
                      WHERE backend_type = 'background worker' AND object = 'relation'";
        client.wait_until(reads, WAIT);
    }
}

#[cfg(feature = "pg18")]
#[test]
fn statistics_show_what_each_worker_does() {
    let cluster = Cluster::start(
        Options::preloaded()
            .set("shared_buffers", "2MB")
            .set("track_io_timing", "on")
            .set("autovacuum_naptime", "1s")
            .set("autovacuum_vacuum_threshold", "50"),
    );
    let database = Database::new(&cluster, "worker_statistics");
    let mut client = database.client();
    create_books(&mut client);
    client.started_workers();
    client.assert_follows(&["book"]);
    client.run("UPDATE tb_author SET name = 'all of them'");
    client.assert_follows(&["book"]);
    let pids: Vec<String> = client.workers().iter().map(i32::to_string).collect();
    let pids = pids.join(", ");
    client.wait_until(
        &format!(
            "SELECT sum(reads) > 0 AND sum(read_bytes) >= 8192 * sum(reads) AND sum(read_time) > 0
               FROM unnest(ARRAY[{pids}]) pid, pg_stat_get_backend_io(pid) WHERE object = 'relation'"
        ),
        WAIT,
    );
    client.wait_until(
        &format!(
            "SELECT sum(wal_bytes) > 1000000 AND sum(wal_records) > 12000 FROM unnest(ARRAY[{pids}]) pid, pg_stat_get_backend_wal(pid)"
        ),
        WAIT,
    );
    // Nobody else has written the table: autovacuum knows of it by what the workers have reported.
    client.wait_until(
        "SELECT autovacuum_count > 0 AND total_autovacuum_time > 0 AND n_tup_upd >= 12000 FROM pg_stat_user_tables WHERE relname = 'tv_book'",
        WAIT,
    );
}
