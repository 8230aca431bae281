//! Prepared transactions: their changes appear at COMMIT PREPARED, at once, and never before.

use crate::blog;
use crate::harness::{shared, Ask, Cluster, Options, StopMode, WAIT};

#[test]
fn commit_prepared_makes_the_change_visible() {
    let (_database, mut client) = blog::open(shared(), "prepared");
    client.assert_follows(&blog::ENTITIES);
    client.run("BEGIN");
    client.run("UPDATE tb_user SET name = 'prepared' WHERE pk_user = 1");
    client.run("PREPARE TRANSACTION 'prepared'");
    client.assert_follows(&blog::ENTITIES);
    assert_eq!(
        client.rows("SELECT data->>'name' FROM tv_user WHERE pk_user = 1"),
        ["user 1"]
    );
    client.run("COMMIT PREPARED 'prepared'");
    // Not only found by the fallback look: the commit wakes a worker.
    let took = client.wait_until(
        "SELECT data->>'name' = 'prepared' FROM tv_user WHERE pk_user = 1",
        WAIT,
    );
    assert!(took.as_millis() < 1000, "took {took:?}");
    client.assert_follows(&blog::ENTITIES);
    client.assert_queue_empties();
}

#[test]
fn rollback_prepared_changes_nothing() {
    let (_database, mut client) = blog::open(shared(), "prepared_back");
    client.assert_follows(&blog::ENTITIES);
    let before = client.rows("SELECT * FROM tv_feed ORDER BY 1");
    client.run("BEGIN");
    client.run("DELETE FROM tb_post; UPDATE tb_user SET name = 'never'");
    client.run("PREPARE TRANSACTION 'prepared_back'");
    client.run("ROLLBACK PREPARED 'prepared_back'");
    client.assert_follows(&blog::ENTITIES);
    assert_eq!(client.rows("SELECT * FROM tv_feed ORDER BY 1"), before);
    client.assert_queue_empties();
}

#[test]
fn prepared_transaction_left_open_stalls_nobody() {
    let (database, mut client) = blog::open(shared(), "prepared_open");
    client.assert_follows(&blog::ENTITIES);
    client.run("BEGIN");
    client.run("UPDATE tb_user SET name = 'left open' WHERE pk_user = 10; INSERT INTO tb_post (fk_user, title) VALUES (10, 'p')");
    client.run("PREPARE TRANSACTION 'prepared_open'");
    let mut writer = database.client();
    for i in 0..30 {
        writer.run(&format!(
            "UPDATE tb_user SET name = 'meanwhile {i}' WHERE pk_user = 1"
        ));
    }
    client.assert_follows(&blog::ENTITIES);
    client.assert_queue_empties();
    client.run("COMMIT PREPARED 'prepared_open'");
    client.assert_follows(&blog::ENTITIES);
    assert_eq!(
        client.rows("SELECT data->>'name' FROM tv_user WHERE pk_user = 10"),
        ["left open"]
    );
    client.assert_queue_empties();
}

#[test]
fn session_goes_on_after_prepare_without_repeating_its_changes() {
    let (_database, mut client) = blog::open(shared(), "prepared_reuse");
    client.assert_follows(&blog::ENTITIES);
    client.run("BEGIN");
    client.run("UPDATE tb_user SET name = 'first' WHERE pk_user = 1");
    client.run("PREPARE TRANSACTION 'prepared_reuse'");
    client.run("SELECT pg_tviews_pause(entity_name) FROM pg_tview_meta");
    client.run("UPDATE tb_user SET name = 'second' WHERE pk_user = 2");
    let queued = client.rows("SELECT source_oid, operation, jsonb_array_length(keys) FROM pg_tview_queue");
    assert_eq!(
        queued,
        ["tb_user|UPDATE|1"],
        "the prepared transaction's keys were flushed again"
    );
    client.run("SELECT 1");
    client.run("BEGIN; SELECT count(*) FROM tb_user; COMMIT");
    client.run("COMMIT PREPARED 'prepared_reuse'");
    assert_eq!(client.rows("SELECT count(*) FROM pg_tview_queue"), ["2"]);
    client.run("SELECT pg_tviews_resume(entity_name) FROM pg_tview_meta");
    client.assert_follows(&blog::ENTITIES);
}

#[test]
fn prepare_with_savepoints_keeps_what_was_kept() {
    let (_database, mut client) = blog::open(shared(), "prepared_savepoints");
    client.run("BEGIN");
    client.run("SAVEPOINT a; UPDATE tb_user SET name = 'kept' WHERE pk_user = 1; RELEASE a");
    client.run("SAVEPOINT b; UPDATE tb_user SET name = 'lost' WHERE pk_user = 2; ROLLBACK TO b");
    client.run("PREPARE TRANSACTION 'prepared_savepoints'");
    client.run("COMMIT PREPARED 'prepared_savepoints'");
    client.assert_follows(&blog::ENTITIES);
    let names = client.rows("SELECT data->>'name' FROM tv_user WHERE pk_user < 3 ORDER BY 1");
    assert_eq!(names, ["kept", "user 2"]);
}

#[test]
fn commit_prepared_from_a_session_that_never_wrote() {
    let (database, mut client) = blog::open(shared(), "prepared_other");
    let mut writer = database.client();
    writer.run("BEGIN");
    writer.run("UPDATE tb_user SET name = 'by another' WHERE pk_user = 4");
    writer.run("PREPARE TRANSACTION 'prepared_other'");
    drop(writer);
    database.client().run("COMMIT PREPARED 'prepared_other'");
    client.wait_until(
        "SELECT data->>'name' = 'by another' FROM tv_user WHERE pk_user = 4",
        WAIT,
    );
    client.assert_follows(&blog::ENTITIES);
}

#[test]
fn prepared_transaction_survives_a_crash() {
    let cluster = Cluster::start(Options::preloaded());
    let (database, mut client) = blog::open(&cluster, "prepared_crash");
    client.run("BEGIN");
    client.run("UPDATE tb_user SET name = 'survivor' WHERE pk_user = 1");
    client.run("PREPARE TRANSACTION 'prepared_crash'");
    cluster.restart(StopMode::Immediate);
    let mut client = database.client();
    client.run("UPDATE tb_user SET name = 'after' WHERE pk_user = 2");
    client.assert_follows(&blog::ENTITIES);
    client.run("COMMIT PREPARED 'prepared_crash'");
    client.assert_follows(&blog::ENTITIES);
    assert_eq!(
        client.rows("SELECT data->>'name' FROM tv_user WHERE pk_user = 1"),
        ["survivor"]
    );
}

/// Shared memory is empty after a start: the first reader of the queue notes the rows that are there.
#[test]
fn change_prepared_before_a_start_is_found_though_the_queue_was_read_since() {
    let cluster = Cluster::start(Options::preloaded());
    let (database, mut client) = blog::open(&cluster, "prepared_read");
    client.assert_follows(&blog::ENTITIES);
    client.run("BEGIN");
    client.run("UPDATE tb_user SET name = 'survivor' WHERE pk_user = 1");
    client.run("PREPARE TRANSACTION 'prepared_read'");
    cluster.restart(StopMode::Fast);
    let mut client = database.client();
    for _ in 0..2 {
        client.run("SELECT * FROM pg_tview_status");
    }
    client.run("COMMIT PREPARED 'prepared_read'");
    client.run("CALL pg_tviews_drain()");
    client.assert_views_equal(&blog::ENTITIES);
    assert_eq!(
        client.rows("SELECT data->>'name' FROM tv_user WHERE pk_user = 1"),
        ["survivor"]
    );
}
