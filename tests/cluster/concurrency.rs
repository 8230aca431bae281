//! Commit order is not write order: what several sessions do at once is neither lost nor delayed.

use std::time::Duration;

use postgres::error::SqlState;
use postgres::Client;

use crate::blog;
use crate::harness::{shared, Ask, Cluster, Load, Options, Plan, Random, WAIT};

const LEVELS: [&str; 3] = ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"];

#[test]
fn overlapping_writers_commit_in_either_order() {
    let (database, mut reader) = blog::open(shared(), "overlap");
    let mut writers = [database.client(), database.client()];
    reader.assert_follows(&blog::ENTITIES);
    for level in LEVELS {
        for (first, second) in [(0, 1), (1, 0)] {
            // Writer 0 always writes (and so takes its xid) first.
            for (i, writer) in writers.iter_mut().enumerate() {
                writer.run(&format!("BEGIN ISOLATION LEVEL {level}"));
                writer.run(&format!(
                    "UPDATE tb_user SET name = '{level} {first} {i}' WHERE pk_user = {i} + 1;
                     INSERT INTO tb_post (fk_user, title) VALUES ({i} + 5, '{level} {first} {i}')"
                ));
            }
            writers[first].run("COMMIT");
            reader.assert_follows(&blog::ENTITIES);
            writers[second].run("COMMIT");
            reader.assert_follows(&blog::ENTITIES);
            let seen = format!("SELECT count(*) FROM tv_user WHERE data->>'name' LIKE '{level} {first} %'");
            assert_eq!(reader.rows(&seen), ["2"], "{level}, writer {first} first");
        }
    }
    reader.assert_queue_empties();
}

#[test]
fn child_and_parent_change_in_transactions_that_do_not_see_each_other() {
    let (database, mut reader) = blog::open(shared(), "write_skew");
    let (mut parent, mut child) = (database.client(), database.client());
    for round in 0..10 {
        parent.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM tb_post LIMIT 1");
        child.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM tb_user LIMIT 1");
        parent.run(&format!(
            "UPDATE tb_user SET name = 'round {round}' WHERE pk_user = 9"
        ));
        child.run("UPDATE tb_post SET fk_user = 9 WHERE pk_post = 9");
        let order = if round % 2 == 0 {
            [&mut parent, &mut child]
        } else {
            [&mut child, &mut parent]
        };
        for session in order {
            session.run("COMMIT");
        }
        reader.assert_follows(&blog::ENTITIES);
        reader.run("UPDATE tb_post SET fk_user = 1 WHERE pk_post = 9");
    }
}

#[test]
fn random_writers_against_several_tviews() {
    let (database, mut reader) = blog::open(shared(), "random_writers");
    let random = Random::announced("random_writers_against_several_tviews");
    let plan = blog::writers(shared(), &database.name);
    for round in 0..3 {
        let commits = Load::run(&plan, 4, 60, &random.branch(round * 100));
        assert!(commits > 60, "only {commits} transactions committed");
        reader.assert_follows(&blog::ENTITIES);
    }
    reader.assert_queue_empties();
}

#[test]
fn position_does_not_pass_a_transaction_still_open() {
    let (database, mut reader) = blog::open(shared(), "out_of_order");
    let (mut early, mut late) = (database.client(), database.client());
    for round in 0..5 {
        early.run(&format!(
            "BEGIN; UPDATE tb_user SET name = 'early {round}' WHERE pk_user = 1"
        ));
        for i in 0..5 {
            late.run(&format!(
                "UPDATE tb_user SET name = 'late {round} {i}' WHERE pk_user = 2"
            ));
            reader.assert_follows(&blog::ENTITIES);
        }
        early.run("COMMIT");
        reader.assert_follows(&blog::ENTITIES);
        assert_eq!(
            reader.rows("SELECT data->>'name' FROM tv_user WHERE pk_user = 1"),
            [format!("early {round}")]
        );
    }
}

/// A snapshot does not list its own transaction as running: a position taken inside a transaction that already
/// wrote, while later ones have completed, must not count that transaction's changes as absorbed.
#[test]
fn management_inside_a_writing_transaction_does_not_swallow_its_changes() {
    let (database, mut reader) = blog::open(shared(), "own_xid");
    let (mut writer, mut later) = (database.client(), database.client());
    let (name, query) = blog::TVIEWS[0];
    let redefine = format!("SELECT pg_tviews_create('{name}', $${query}$$)");
    let actions = [
        redefine.as_str(),
        "SELECT pg_tviews_pause('user'); SELECT pg_tviews_resume('user')",
        "SELECT pg_tviews_refresh('user')",
        "SELECT pg_tviews_create('late', 'SELECT pk_user AS pk_late, name FROM tb_user')",
        "SELECT pg_tviews_drop('late'); SELECT pg_tviews_create('late', 'SELECT pk_user AS pk_late, name FROM tb_user')",
    ];
    for (round, action) in actions.iter().enumerate() {
        writer.run(&format!(
            "BEGIN; UPDATE tb_user SET name = 'before {round}' WHERE pk_user = 1"
        ));
        // Completes with a later xid while the first is open.
        later.run("INSERT INTO tb_post (fk_user, title) VALUES (7, 'later')");
        reader.assert_follows(&["post"]);
        writer.run(action);
        writer.run(&format!(
            "UPDATE tb_user SET name = 'after {round}' WHERE pk_user = 3; COMMIT"
        ));
        reader.assert_follows(&blog::ENTITIES);
        let names = reader.rows("SELECT data->>'name' FROM tv_user WHERE pk_user IN (1, 3) ORDER BY pk_user");
        assert_eq!(
            names,
            [format!("before {round}"), format!("after {round}")],
            "{action}"
        );
    }
    reader.assert_follows(&["late"]);
}

/// Writers that touch nothing in common but the queue and a TVIEW never fail because of these.
#[test]
fn maintenance_adds_no_serialization_failures() {
    let (database, mut client) = blog::open(shared(), "serializable");
    client.run(
        "CREATE TABLE tb_own0 (pk_own int PRIMARY KEY, n int NOT NULL DEFAULT 0);
         CREATE TABLE tb_own1 (LIKE tb_own0 INCLUDING ALL);
         CREATE TABLE tb_own2 (LIKE tb_own0 INCLUDING ALL);
         SELECT pg_tviews_create('own', 'SELECT 0 AS pk_own, n FROM tb_own0 WHERE pk_own = 1
             UNION ALL SELECT 1, n FROM tb_own1 WHERE pk_own = 1 UNION ALL SELECT 2, n FROM tb_own2 WHERE pk_own = 1');
         INSERT INTO tb_own0 VALUES (1); INSERT INTO tb_own1 VALUES (1); INSERT INTO tb_own2 VALUES (1)",
    );
    std::thread::scope(|scope| {
        for index in 0..3 {
            let mut writer = database.client();
            scope.spawn(move || {
                for round in 0..60 {
                    let level = LEVELS[1 + round % 2];
                    // Reads the TVIEW, too: what a worker writes there is no conflict either.
                    writer.run(&format!(
                        "BEGIN ISOLATION LEVEL {level}; SELECT * FROM tv_own;
                         SELECT n FROM tb_own{index}; UPDATE tb_own{index} SET n = n + 1; COMMIT"
                    ));
                }
            });
        }
    });
    client.assert_follows(&["own"]);
    assert_eq!(client.rows("SELECT n FROM tv_own"), ["60", "60", "60"]);
}

/// Only who reads pg_tview_queue itself has read what others write when they commit.
#[test]
fn asking_in_a_serializable_transaction_has_no_others_fail() {
    let (database, mut client) = blog::open(shared(), "serializable_reader");
    client.run(
        "CREATE TABLE tb_left (pk_left int PRIMARY KEY, n int NOT NULL); INSERT INTO tb_left VALUES (1, 1);
         CREATE TABLE tb_right (pk_right int PRIMARY KEY, n int NOT NULL); INSERT INTO tb_right VALUES (1, 1);
         SELECT pg_tviews_create('left', 'SELECT pk_left, n FROM tb_left');
         SELECT pg_tviews_create('right', 'SELECT pk_right, n FROM tb_right')",
    );
    let mut failures = |level: &str, question: &str| {
        let (mut reader, mut first, mut second) = (database.client(), database.client(), database.client());
        reader.run(&format!("BEGIN ISOLATION LEVEL {level}"));
        reader.run(question);
        // The second has read what the first writes, not the other way round: that alone is no conflict.
        first.run("BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT 1");
        second.run("BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT n FROM tb_left");
        first.run("UPDATE tb_left SET n = n + 1; COMMIT");
        let failed = second.batch_execute("UPDATE tb_right SET n = n + 1; COMMIT");
        reader.run("COMMIT");
        client.assert_follows(&["left", "right"]);
        failed
            .err()
            .and_then(|error| error.code().map(|code| code.code().to_string()))
    };
    for question in [
        "SELECT * FROM pg_tview_status",
        "SELECT pg_tviews_wait()",
        "SELECT pg_tviews_wait('left')",
        "SELECT pg_tviews_wait('left', 1)",
        "SELECT * FROM pg_tviews_pending('left')",
        "SELECT * FROM pg_tviews_health_check()",
    ] {
        assert_eq!(failures("SERIALIZABLE", question), None, "{question}");
    }
    let rows = "SELECT * FROM pg_tview_queue";
    assert_eq!(failures("SERIALIZABLE READ ONLY", rows), None);
    assert_eq!(failures("SERIALIZABLE", rows).as_deref(), Some("40001"));
}

#[test]
fn idle_in_transaction_writer_stalls_nobody() {
    let (database, mut client) = blog::open(shared(), "idle_writer");
    client.assert_follows(&blog::ENTITIES);
    let mut idle = database.client();
    idle.run("BEGIN ISOLATION LEVEL REPEATABLE READ; UPDATE tb_user SET name = 'idle' WHERE pk_user = 10");
    for i in 0..30 {
        client.run(&format!("UPDATE tb_user SET name = 'busy {i}' WHERE pk_user = 1"));
    }
    client.assert_follows(&blog::ENTITIES);
    // Trimmed by what positions have seen, not by the oldest running transaction.
    client.assert_queue_empties();
    idle.run("COMMIT");
    client.assert_follows(&blog::ENTITIES);
    assert_eq!(
        client.rows("SELECT data->>'name' FROM tv_user WHERE pk_user = 10"),
        ["idle"]
    );
}

#[test]
fn row_lock_on_a_source_does_not_stop_a_refresh() {
    let (database, mut client) = blog::open(shared(), "row_locks");
    let mut locker = database.client();
    locker.run("BEGIN; SELECT 1 FROM tb_user FOR UPDATE");
    client.run("UPDATE tb_post SET title = 'beside the lock' WHERE pk_post = 1");
    client.assert_follows(&blog::ENTITIES);
    locker.run("ROLLBACK");
}

#[test]
fn lock_on_a_source_delays_its_tviews_only() {
    let (database, mut client) = blog::open(shared(), "table_lock");
    client.run(
        "CREATE TABLE tb_other (pk_other int PRIMARY KEY, n int);
         SELECT pg_tviews_create('other', 'SELECT pk_other, n FROM tb_other')",
    );
    client.assert_follows(&["other"]);
    let mut locker = database.client();
    client.run("UPDATE tb_user SET name = 'behind the lock' WHERE pk_user = 1");
    locker.run("BEGIN; LOCK TABLE tb_user IN ACCESS EXCLUSIVE MODE");
    client.run("INSERT INTO tb_other VALUES (1, 1)");
    client.wait_until("SELECT count(*) = 1 FROM tv_other", Duration::from_secs(10));
    locker.run("COMMIT");
    client.assert_follows(&blog::ENTITIES);
}

#[test]
fn two_sessions_drain_at_once() {
    let cluster = Cluster::start(Options::without_preload());
    let (database, mut client) = blog::open(&cluster, "two_drains");
    let random = Random::announced("two_sessions_drain_at_once");
    let plan = blog::writers(&cluster, &database.name);
    Load::during(&plan, 2, &random, |load| {
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let mut session = database.client();
                    for _ in 0..15 {
                        session.run("CALL pg_tviews_drain()");
                    }
                });
            }
        });
        load.let_pass(10);
    });
    client.run("CALL pg_tviews_drain()");
    client.assert_views_equal(&blog::ENTITIES);
    assert_eq!(client.rows("SELECT count(*) FROM pg_tview_queue"), ["0"]);
}

/// Writers and a TRUNCATE of two tables can lock them in different orders: that is theirs to repeat.
fn run_despite_deadlocks(client: &mut Client, sql: &str) {
    while let Err(error) = client.batch_execute(sql) {
        assert_eq!(
            error.code(),
            Some(&SqlState::T_R_DEADLOCK_DETECTED),
            "{sql}\n{error:?}"
        );
        client.run("ROLLBACK");
    }
}

#[test]
fn truncate_under_load_loses_nothing() {
    let (database, mut client) = blog::open(shared(), "truncate_load");
    let random = Random::announced("truncate_under_load_loses_nothing");
    let plan = blog::writers(shared(), &database.name);
    Load::during(&plan, 2, &random, |load| {
        for i in 0..8 {
            load.let_pass(10);
            run_despite_deadlocks(&mut client, match i % 3 {
                0 => "TRUNCATE tb_post",
                1 => "TRUNCATE tb_user CASCADE",
                _ => "BEGIN; TRUNCATE tb_user CASCADE; INSERT INTO tb_user (pk_user, name) SELECT i, 'again' FROM generate_series(1, 10) i; COMMIT",
            });
        }
    });
    client.assert_follows(&blog::ENTITIES);
}

/// An older snapshot reads a rewritten table as empty: a refresh that used one would delete rows of the TVIEW.
#[test]
fn rewrite_under_load_never_empties_a_tview() {
    let (database, mut client) = blog::open(shared(), "rewrite_load");
    let random = Random::announced("rewrite_under_load_never_empties_a_tview");
    let updates = &[
        "UPDATE tb_post SET likes = likes + 1 WHERE pk_post = {30}",
        "UPDATE tb_user SET name = 'n{99}' WHERE pk_user = {10}",
    ];
    let plan = Plan {
        cluster: shared(),
        database: &database.name,
        statements: updates,
        crashes: false,
    };
    let mut watcher = database.client();
    Load::during(&plan, 2, &random, |load| {
        for i in 0..8 {
            load.let_pass(10);
            let kind = if i % 2 == 0 { "bigint" } else { "int" };
            client.run(&format!("ALTER TABLE tb_post ALTER COLUMN unread TYPE {kind}"));
            for _ in 0..20 {
                assert_eq!(
                    watcher.rows("SELECT count(*) FROM tv_post"),
                    ["30"],
                    "rows vanished after a rewrite"
                );
            }
        }
    });
    client.assert_follows(&blog::ENTITIES);
    assert_eq!(
        client.rows("SELECT count(*) FROM pg_tview_meta_audit WHERE rows_deleted > 0"),
        ["0"]
    );
}

#[test]
fn bulk_update_beyond_the_byte_limits_is_absorbed() {
    let (_database, mut client) = blog::open(shared(), "bulk");
    client.run("INSERT INTO tb_user (name) SELECT 'bulk ' || i FROM generate_series(1, 60000) i");
    client.run("BEGIN; UPDATE tb_user SET name = name || '!'; SAVEPOINT s; DELETE FROM tb_user WHERE pk_user > 500; ROLLBACK TO s; COMMIT");
    client.run("DELETE FROM tb_user WHERE pk_user > 1000");
    client.assert_follows(&blog::ENTITIES);
    client.wait_until("SELECT count(*) = 0 FROM pg_tview_queue", WAIT);
}
