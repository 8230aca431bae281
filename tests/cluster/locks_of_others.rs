//! No role can hold a lock that the owner of a TVIEW, or a worker at a TVIEW, has to wait for.

use postgres::Client;

use crate::blog;
use crate::harness::{shared, Ask, Database, WAIT};

/// A TVIEW of one role, and a session of another that may read it.
fn open(name: &str) -> (Database<'static>, Client, Client) {
    let database = Database::new(shared(), name);
    let mut admin = database.client();
    admin.run(&format!(
        "DO $$BEGIN IF to_regrole('{name}_owner') IS NULL THEN
             CREATE ROLE {name}_owner LOGIN; CREATE ROLE {name}_other LOGIN; END IF; END$$;
         CREATE SCHEMA app AUTHORIZATION {name}_owner; GRANT USAGE ON SCHEMA app TO {name}_other"
    ));
    let mut owner = database.client_as(&format!("{name}_owner"));
    owner.run(
        "SET lock_timeout = '10 s';
         CREATE TABLE app.tb_item (pk_item int PRIMARY KEY, n int NOT NULL); INSERT INTO app.tb_item VALUES (1, 1), (2, 2);
         SELECT pg_tviews_create('app.item', 'SELECT pk_item, n FROM app.tb_item')",
    );
    let other = database.client_as(&format!("{name}_other"));
    (database, owner, other)
}

/// What a reader may try, and stay in the transaction.
const HARMLESS: [&str; 5] = [
    "SELECT * FROM pg_tview_meta FOR UPDATE",
    "SELECT * FROM pg_tview_meta FOR KEY SHARE",
    "SELECT * FROM pg_tview_meta m, pg_class c WHERE c.oid = m.tview_oid FOR UPDATE OF m",
    "SELECT * FROM (SELECT * FROM pg_tview_meta) m FOR UPDATE",
    "SELECT * FROM pg_tview_definition",
];

/// What is refused before anything is locked; the transaction that tried goes on, back at a savepoint.
const REFUSED: [&str; 6] = [
    "UPDATE pg_tview_meta SET max_latency = max_latency",
    "UPDATE pg_tview_meta SET fk_columns = '{}'",
    "UPDATE pg_tview_meta SET max_latency = '1 day'",
    "SELECT * FROM pg_tview_definition FOR UPDATE",
    "SELECT * FROM pg_tview_definition FOR KEY SHARE",
    "UPDATE pg_tview_definition SET max_latency = NULL",
];

#[test]
fn readers_of_definitions_hold_no_lock_on_rows() {
    let (_database, mut owner, mut other) = open("row_locks");
    other.run("BEGIN");
    HARMLESS.iter().for_each(|sql| other.run(sql));
    for sql in REFUSED {
        other.run("SAVEPOINT s");
        let error = other.fails(sql);
        assert_eq!(error.code().code(), "42501", "{sql}: {error:?}");
        other.run("ROLLBACK TO s");
        HARMLESS.iter().for_each(|sql| other.run(sql));
    }
    owner.run("UPDATE pg_tview_meta SET max_latency = '1 s'");
    owner.run("SELECT pg_tviews_pause('app.item'); SELECT pg_tviews_resume('app.item')");
    // A worker redefines it, too.
    owner.run("CREATE OR REPLACE VIEW app.v_item AS SELECT pk_item, n + 1 AS n FROM app.tb_item");
    assert!(owner.one::<bool>("SELECT pg_tviews_wait('app.item')"));
    owner.wait_until("SELECT sum(n) = 5 FROM app.tv_item", WAIT);
    owner.run("SELECT pg_tviews_drop('app.item')");
    other.run("COMMIT");
}

#[test]
fn readers_of_definitions_cannot_lock_the_table() {
    let (_database, _owner, mut other) = open("table_locks");
    for relation in ["pg_tview_meta", "pg_tview_definition"] {
        for mode in [
            "ROW SHARE",
            "ROW EXCLUSIVE",
            "SHARE",
            "EXCLUSIVE",
            "ACCESS EXCLUSIVE",
        ] {
            let error = other.fails(&format!("BEGIN; LOCK TABLE {relation} IN {mode} MODE"));
            assert_eq!(error.code().code(), "42501", "{relation} {mode}: {error:?}");
            other.run("ROLLBACK");
        }
    }
}

/// Each writes what it changes, not the row as it saw it.
#[test]
fn two_columns_changed_by_two_sessions_both_last() {
    let (database, mut first) = blog::open(shared(), "two_columns");
    let mut second = database.client();
    first.run("BEGIN; UPDATE pg_tview_meta SET max_latency = '1 s' WHERE entity_name = 'post'");
    let pid: i32 = second.one("SELECT pg_backend_pid()");
    let waiting = std::thread::spawn(move || {
        second.run("UPDATE pg_tview_meta SET fk_columns = '{fk_user}' WHERE entity_name = 'post'");
    });
    first.wait_until(&format!("SELECT cardinality(pg_blocking_pids({pid})) > 0"), WAIT);
    first.run("COMMIT");
    waiting
        .join()
        .unwrap_or_else(|error| std::panic::resume_unwind(error));
    assert_eq!(
        first.rows("SELECT max_latency, fk_columns FROM pg_tview_meta WHERE entity_name = 'post'"),
        ["00:00:01|{fk_user}"]
    );
}
