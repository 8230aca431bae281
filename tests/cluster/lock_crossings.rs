//! Locks that cross those of a session: the one who gives way is the refresh, or the call that manages a TVIEW, and it goes on later.

use std::time::Duration;

use postgres::Client;

use crate::harness::{shared, Ask, Cluster, Database, Options, WAIT};

/// A TVIEW that waits for its worker to make a plan: its changes are there, and the worker has forgotten all it knew.
fn unplanned(client: &mut Client, entity: &str) {
    client.run(&format!(
        "CREATE TABLE tb_{entity} (pk_{entity} int PRIMARY KEY, n int); INSERT INTO tb_{entity} VALUES (1, 1);
         SELECT pg_tviews_create('{entity}', 'SELECT pk_{entity}, n FROM tb_{entity}')"
    ));
    client.assert_follows(&[entity]);
    let before = client.started_workers();
    client.run(&format!(
        "SELECT pg_tviews_pause('{entity}'); UPDATE tb_{entity} SET n = 2"
    ));
    client.rows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'pg_tviews worker'",
    );
    let old = before.iter().map(i32::to_string).collect::<Vec<_>>().join(", ");
    client.wait_until(
        &format!("SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid IN ({old}))"),
        WAIT,
    );
    client.started_workers();
}

#[test]
fn a_worker_that_plans_is_in_the_way_of_no_ddl() {
    // With these, a worker that waits outlasts the deadlock check of every session.
    let cluster = Cluster::start(Options::preloaded().set("pg_tviews.lock_timeout", "30s"));
    let database = Database::new(&cluster, "planning");
    let mut client = database.client();
    let scenes = [
        ("kept", "ALTER VIEW v_kept SET (security_barrier = true)"),
        (
            "redone",
            "DROP VIEW v_redone; CREATE VIEW v_redone AS SELECT pk_redone, n FROM tb_redone",
        ),
        ("dropped", "DROP TABLE tb_dropped CASCADE"),
    ];
    for (entity, ddl) in scenes {
        unplanned(&mut client, entity);
        let mut user = database.client();
        user.run(&format!("BEGIN; LOCK TABLE tb_{entity} IN ACCESS EXCLUSIVE MODE"));
        client.run(&format!("SELECT pg_tviews_resume('{entity}')"));
        let waits = format!(
            "SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid)
              WHERE a.backend_type = 'pg_tviews worker' AND NOT l.granted AND l.relation = 'tb_{entity}'::regclass)"
        );
        client.wait_until(&waits, WAIT);
        // The deadlock check of the worker is over, and it has found none.
        std::thread::sleep(Duration::from_millis(50));
        user.run(ddl);
        user.run("COMMIT");
    }
    client.run("SELECT pg_tviews_drop('dropped')");
    client.assert_follows(&["kept", "redone"]);
    assert_eq!(
        client.rows("SELECT entity_name FROM pg_tview_meta ORDER BY 1"),
        ["kept", "redone"]
    );
    assert_eq!(
        client.rows("SELECT * FROM pg_tview_meta_audit WHERE sqlstate IN ('55P03', '40P01')"),
        [""; 0]
    );
}

/// Drops a TVIEW while a reader of the relation that the call locks last asks for the one that it has locked already.
fn cross(database: &Database, client: &mut Client) {
    client.run("SELECT pg_tviews_create('item', 'SELECT pk_item, n FROM tb_item')");
    client.assert_follows(&["item"]);
    let order =
        client.rows("SELECT oid::regclass FROM pg_class WHERE relname IN ('v_item', 'tv_item') ORDER BY oid");
    let [first, last] = &order[..] else {
        panic!("{order:?}")
    };
    let mut reader = database.client();
    reader.run(&format!(
        "SET deadlock_timeout = '1min'; BEGIN; LOCK TABLE {last} IN ACCESS SHARE MODE"
    ));
    let mut caller = database.client();
    caller.run("SET deadlock_timeout = '40ms'");
    let pid: i32 = caller.one("SELECT pg_backend_pid()");
    std::thread::scope(|scope| {
        let call = scope.spawn(move || caller.run("SELECT pg_tviews_drop('item')"));
        let waits = format!(
            "SELECT EXISTS (SELECT FROM pg_locks
              WHERE pid = {pid} AND NOT granted AND relation = to_regclass('{last}'))"
        );
        client.wait_until(&waits, WAIT);
        reader.run(&format!("LOCK TABLE {first} IN ACCESS SHARE MODE; COMMIT"));
        call.join().expect("the call goes on");
    });
    assert_eq!(client.rows("SELECT to_regclass('tv_item')"), ["~"]);
}

#[test]
fn a_call_that_crosses_a_reader_is_done_again() {
    let database = Database::new(shared(), "crossing");
    let mut client = database.client();
    client.run("CREATE TABLE tb_item (pk_item int PRIMARY KEY, n int); INSERT INTO tb_item VALUES (1, 1)");
    // A reader that asks too late crosses nothing.
    for _ in 0..60 {
        cross(&database, &mut client);
        let found = "SELECT deadlocks > 0 FROM pg_stat_database WHERE datname = current_database()";
        if client.one::<bool>(found) {
            return;
        }
    }
    panic!("no call crossed its reader");
}

/// A transaction has places for 64 locks on average, and may need them for its own tables.
#[test]
fn who_asks_keeps_few_locks_on_catalogs() {
    let database = Database::new(shared(), "catalog_locks");
    let mut client = database.client();
    client.run(
        "CREATE TABLE tb_item (pk_item int PRIMARY KEY, n int); INSERT INTO tb_item VALUES (1, 1);
         SELECT pg_tviews_create('item', 'SELECT pk_item, n FROM tb_item')",
    );
    client.assert_follows(&["item"]);
    for call in ["pg_tviews_check('item')", "pg_tviews_pending('item')"] {
        let mut asking = database.client();
        asking.run(&format!("BEGIN; SELECT * FROM {call}"));
        let pid: i32 = asking.one("SELECT pg_backend_pid()");
        let kept: i64 = client.one(&format!(
            "SELECT count(*) FROM pg_locks WHERE pid = {pid} AND relation < 16384"
        ));
        assert!(kept < 30, "{call} keeps {kept} locks");
        asking.run("COMMIT");
    }
}
