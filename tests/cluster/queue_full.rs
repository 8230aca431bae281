//! A queue that cannot be written, as on a full disk: the error is the writer's, and nothing is half done. What makes
//! the insertion fail here is an index on the queue whose expression does.

use postgres::error::{DbError, SqlState};
use postgres::Client;

use crate::blog;
use crate::harness::{shared, Ask, Database};

fn open(name: &str) -> (Database<'static>, Client) {
    let (database, mut client) = blog::open(shared(), name);
    client.assert_follows(&blog::ENTITIES);
    client.run("CREATE INDEX disk_full ON pg_tview_queue ((1 / (length(operation) - length(operation))))");
    (database, client)
}

#[track_caller]
fn assert_full(error: &DbError) {
    assert_eq!(error.code(), &SqlState::DIVISION_BY_ZERO, "{error:?}");
    let detail = error.detail().unwrap_or_default();
    assert!(
        detail.contains("recording changes for TVIEWs in pg_tview_queue"),
        "{error:?}"
    );
}

/// Nothing of the failed change is there, in the table or the queue, and with room again all goes on.
#[track_caller]
fn assert_undone(client: &mut Client) {
    assert_eq!(
        client.rows("SELECT count(*) FROM tb_user WHERE name = 'too much'"),
        ["0"]
    );
    assert_eq!(client.rows("SELECT count(*) FROM pg_tview_queue"), ["0"]);
    client.assert_follows(&blog::ENTITIES);
    client.run("DROP INDEX disk_full");
    client.run("UPDATE tb_user SET name = 'room again' WHERE pk_user = 1");
    client.assert_follows(&blog::ENTITIES);
    assert_eq!(
        client.rows("SELECT data->>'name' FROM tv_user WHERE pk_user = 1"),
        ["room again"]
    );
}

#[test]
fn commit_fails_as_a_whole() {
    let (_database, mut client) = open("full_commit");
    assert_full(&client.fails("UPDATE tb_user SET name = 'too much'"));
    client.run("BEGIN; UPDATE tb_user SET name = 'too much'; SAVEPOINT a; DELETE FROM tb_post; RELEASE a");
    assert_full(&client.fails("COMMIT"));
    assert_eq!(client.rows("SELECT count(*) FROM tb_post"), ["30"]);
    assert_undone(&mut client);
}

#[test]
fn prepare_transaction_fails_as_a_whole() {
    let (_database, mut client) = open("full_prepare");
    client.run("BEGIN; UPDATE tb_user SET name = 'too much'");
    assert_full(&client.fails("PREPARE TRANSACTION 'full_prepare'"));
    assert_eq!(
        client.rows("SELECT count(*) FROM pg_prepared_xacts WHERE gid = 'full_prepare'"),
        ["0"]
    );
    assert_undone(&mut client);
}

/// So many keys that they are written before the end: a savepoint takes the failure back.
#[test]
fn early_writing_fails_where_it_happens() {
    let (_database, mut client) = open("full_early");
    client.run("BEGIN; SAVEPOINT a");
    let many = "INSERT INTO tb_user (name) SELECT 'too much' FROM generate_series(1, 60000)";
    assert_full(&client.fails(many));
    client.run("ROLLBACK TO a; SELECT 1; COMMIT");
    assert_undone(&mut client);
}
