//! Every way to run a query.

use super::{listen, name, open, said, LEVELS};
use crate::blog;
use crate::harness::{Ask, WAIT};

#[test]
fn a_transaction_sees_its_changes_at_every_isolation_level() {
    let (_database, mut client) = open("ryw_levels");
    for level in LEVELS {
        client.run(&format!("BEGIN ISOLATION LEVEL {level}"));
        client.assert_views_equal(&blog::ENTITIES);
        for change in [
            "UPDATE tb_user SET name = 'changed' WHERE pk_user = 1",
            "INSERT INTO tb_user (pk_user, name) VALUES (50, 'new')",
            "INSERT INTO tb_post (fk_user, title) VALUES (50, 'first'), (1, 'second')",
            "UPDATE tb_post SET fk_user = 2 WHERE fk_user = 3",
            "DELETE FROM tb_user WHERE pk_user = 4",
            "UPDATE tb_user SET pk_user = 51 WHERE pk_user = 50",
            "TRUNCATE tb_post",
        ] {
            client.run(change);
            client.assert_views_equal(&blog::ENTITIES);
        }
        client.run("ROLLBACK");
        client.assert_views_equal(&blog::ENTITIES);
    }
    client.assert_follows(&blog::ENTITIES);
}

#[test]
fn one_command_of_several_statements_is_a_transaction() {
    let (_database, mut client) = open("ryw_command");
    let rows = client.rows(
        "INSERT INTO tb_user (pk_user, name) VALUES (60, 'at once'); SELECT data->>'name' FROM tv_user WHERE pk_user = 60",
    );
    assert_eq!(rows, ["at once"]);
    client.assert_follows(&blog::ENTITIES);
}

#[test]
fn others_see_nothing_before_the_commit() {
    let (database, mut client) = open("ryw_others");
    let mut other = database.client();
    client.run("BEGIN; UPDATE tb_user SET name = 'mine' WHERE pk_user = 1");
    assert_eq!(name(&mut client, "user", 1), ["mine"]);
    assert_eq!(name(&mut other, "user", 1), ["user 1"]);
    client.run("COMMIT");
    assert_eq!(name(&mut other, "user", 1), ["mine"], "it was written already");
    client.assert_follows(&blog::ENTITIES);
}

#[test]
fn nothing_is_left_of_a_rollback() {
    let (_database, mut client) = open("ryw_rollback");
    let before = client.rows("SELECT xmin, * FROM tv_feed ORDER BY pk_feed");
    client.run("BEGIN; UPDATE tb_user SET name = 'undone' WHERE pk_user = 1");
    assert_eq!(name(&mut client, "feed", 1), ["undone"]);
    client.run("ROLLBACK");
    assert_eq!(
        client.rows("SELECT xmin, * FROM tv_feed ORDER BY pk_feed"),
        before
    );
    assert_eq!(client.rows("SELECT count(*) FROM pg_tview_queue"), ["0"]);
}

#[test]
fn savepoints_take_back_what_was_shown() {
    let (_database, mut client) = open("ryw_savepoints");
    client.run("BEGIN; UPDATE tb_user SET name = 'outer' WHERE pk_user = 1; SAVEPOINT s");
    assert_eq!(name(&mut client, "user", 1), ["outer"]);
    client.run("ROLLBACK TO s");
    assert_eq!(name(&mut client, "user", 1), ["outer"], "shown again");
    client.run("UPDATE tb_user SET name = 'inner' WHERE pk_user = 1");
    assert_eq!(name(&mut client, "user", 1), ["inner"]);
    client.run("ROLLBACK TO s");
    assert_eq!(name(&mut client, "user", 1), ["outer"], "gone again");
    client.run("UPDATE tb_user SET name = 'released' WHERE pk_user = 1; RELEASE s");
    assert_eq!(name(&mut client, "user", 1), ["released"]);
    client.run("COMMIT");
    client.assert_follows(&blog::ENTITIES);
}

#[test]
fn prepared_statements_with_generic_plans() {
    let (_database, mut client) = open("ryw_prepared");
    client.run("SET plan_cache_mode = force_generic_plan");
    let text = "SELECT data->>'name' FROM tv_user WHERE pk_user = $1";
    let protocol = client.prepare(text).unwrap();
    client.run(&format!("PREPARE by_name(bigint) AS {text}"));
    for round in 1..=3_i64 {
        let wanted = format!("round {round}");
        let mut transaction = client.transaction().unwrap();
        transaction
            .execute(
                "UPDATE tb_user SET name = $1 WHERE pk_user = $2",
                &[&wanted, &round],
            )
            .unwrap();
        let seen: String = transaction.query_one(&protocol, &[&round]).unwrap().get(0);
        assert_eq!(seen, wanted);
        transaction
            .execute(
                "UPDATE tb_user SET name = name || '!' WHERE pk_user = $1",
                &[&round],
            )
            .unwrap();
        let seen = transaction
            .simple_query(&format!("EXECUTE by_name({round})"))
            .unwrap();
        assert!(format!("{seen:?}").contains(&format!("{wanted}!")), "{seen:?}");
        transaction.commit().unwrap();
    }
    client.assert_follows(&blog::ENTITIES);
}

#[test]
fn cursors_see_what_was_there_when_they_were_opened() {
    let (_database, mut client) = open("ryw_cursors");
    let names = "SELECT data->>'name' FROM tv_user WHERE pk_user < 3 ORDER BY pk_user";
    client.run("BEGIN; UPDATE tb_user SET name = 'before' WHERE pk_user = 1");
    client.run(&format!(
        "DECLARE c CURSOR FOR {names}; DECLARE h CURSOR WITH HOLD FOR {names}"
    ));
    client.run("UPDATE tb_user SET name = 'after' WHERE pk_user IN (1, 2)");
    assert_eq!(client.rows(names), ["after", "after"]);
    assert_eq!(client.rows("FETCH ALL FROM c"), ["before", "user 2"]);
    client.run("COMMIT");
    assert_eq!(client.rows("FETCH ALL FROM h"), ["before", "user 2"]);
    client.assert_follows(&blog::ENTITIES);
}

#[test]
fn joins_views_copies_and_writes_from_tv_tables() {
    let (_database, mut client) = open("ryw_kinds");
    client.run(
        "CREATE VIEW names AS SELECT pk_user, data->>'name' AS name FROM tv_user;
         CREATE TABLE kept (pk bigint, name text);
         ALTER TABLE tv_user ADD note text",
    );
    client.assert_follows(&blog::ENTITIES);
    client.run("BEGIN; UPDATE tb_user SET name = 'x' WHERE pk_user = 1");
    let joined = client.rows(
        "SELECT u.data->>'name', f.data->>'name', n.name, (SELECT count(*) FROM tv_post p WHERE p.data->'author'->>'name' = 'x')
           FROM tv_user u JOIN tv_feed f ON pk_feed = pk_user JOIN names n USING (pk_user) WHERE pk_user = 1",
    );
    assert_eq!(joined, ["x|x|x|3"]);
    client.run("UPDATE tb_user SET name = 'y' WHERE pk_user = 1");
    client.run("INSERT INTO kept SELECT * FROM names WHERE pk_user = 1");
    client.run("UPDATE tb_user SET name = 'z' WHERE pk_user = 1");
    client.run("CREATE TABLE made AS SELECT * FROM names WHERE pk_user = 1");
    client.run("UPDATE tb_user SET name = 'w' WHERE pk_user = 1");
    let mut copied = String::new();
    let reader = client.copy_out("COPY (SELECT name FROM names WHERE pk_user = 1) TO STDOUT");
    std::io::Read::read_to_string(&mut reader.unwrap(), &mut copied).unwrap();
    assert_eq!(copied, "w\n");
    assert_eq!(
        client.rows("SELECT name FROM kept UNION ALL SELECT name FROM made"),
        ["y", "z"]
    );
    client.run("UPDATE tb_user SET name = 'noted' WHERE pk_user = 1");
    let updated = client.rows("UPDATE tv_user SET note = data->>'name' WHERE pk_user = 1 RETURNING note");
    assert_eq!(updated, ["noted"]);
    client.run("UPDATE tb_user SET name = 'locked' WHERE pk_user = 1");
    assert_eq!(
        client.rows("SELECT data->>'name' FROM tv_user WHERE pk_user = 1 FOR UPDATE"),
        ["locked"]
    );
    client.run("UPDATE tb_user SET name = 'cte' WHERE pk_user = 1");
    assert_eq!(
        client.rows(
            "WITH gone AS (DELETE FROM kept RETURNING 1) SELECT name FROM names, gone WHERE pk_user = 1"
        ),
        ["cte"]
    );
    let analysed = client
        .rows("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) SELECT FROM tv_user WHERE data->>'name' = 'cte'");
    // PostgreSQL 18 writes rows=1.00.
    assert!(
        analysed[0].contains("rows=1 ") || analysed[0].contains("rows=1.00 "),
        "{analysed:?}"
    );
    client.run("COMMIT");
    client.assert_follows(&blog::ENTITIES);
}

/// Parallel workers see what the session has written before they started; a query that was given another snapshot than
/// the active one does without them.
#[test]
fn parallel_plans() {
    let (_database, mut client) = open("ryw_parallel");
    client.run(
        "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
         SET max_parallel_workers_per_gather = 2; SET enable_indexscan = off; SET enable_bitmapscan = off;
         ALTER TABLE tv_user SET (parallel_workers = 2);
         CREATE FUNCTION changed_names() RETURNS bigint LANGUAGE plpgsql AS
         $$BEGIN RETURN (SELECT count(*) FROM tv_user WHERE data->>'name' = 'x'); END$$",
    );
    let count = "SELECT count(*) FROM tv_user WHERE data->>'name' = 'x'";
    let plan = client.rows(&format!("EXPLAIN {count}"));
    assert!(plan.iter().any(|line| line.contains("Gather")), "{plan:?}");
    for number in 1..=4 {
        client.run(&format!(
            "BEGIN; UPDATE tb_user SET name = 'x' WHERE pk_user = {number}"
        ));
        let rows = client.rows(&format!(
            "SELECT changed_names(); {count}; {count}; SELECT changed_names()"
        ));
        assert_eq!(rows, vec![number.to_string(); 4]);
        client.run(&format!(
            "UPDATE tb_user SET name = name || '' WHERE pk_user = {number}"
        ));
        let rows = client.rows(&format!("{count}; SELECT changed_names()"));
        assert_eq!(rows, vec![number.to_string(); 2]);
        client.run("COMMIT");
        client.assert_follows(&blog::ENTITIES);
    }
}

#[test]
fn explain_alone_writes_nothing() {
    let (_database, mut client) = open("ryw_explain");
    client.run("BEGIN; UPDATE tb_user SET name = 'x' WHERE pk_user = 1");
    let unchanged = "SELECT xmin FROM public.tv_user WHERE pk_user = 1";
    client.run("SET pg_tviews.read_your_writes = off");
    let before = client.rows(unchanged);
    client.run("SET pg_tviews.read_your_writes = on; EXPLAIN SELECT * FROM tv_user; SET pg_tviews.read_your_writes = off");
    assert_eq!(client.rows(unchanged), before);
    client.run("SET pg_tviews.read_your_writes = on");
    assert_ne!(client.rows(unchanged), before);
    client.run("ROLLBACK");
}

#[test]
fn a_tview_over_the_table_of_another() {
    let (_database, mut client) = open("ryw_nested");
    client.run(
        "SELECT pg_tviews_create('card', 'SELECT pk_user AS pk_card, data->>''name'' AS name FROM tv_user')",
    );
    client.run(
        "SELECT pg_tviews_create('label', 'SELECT pk_card AS pk_label, upper(name) AS name FROM tv_card')",
    );
    client.assert_follows(&["user", "card", "label"]);
    for order in [["label", "card", "user"], ["user", "card", "label"]] {
        client.run("BEGIN; UPDATE tb_user SET name = 'deep' WHERE pk_user = 1");
        client.assert_views_equal(&order);
        client.run(
            "UPDATE tb_user SET name = 'deeper' WHERE pk_user = 1; DELETE FROM tb_user WHERE pk_user = 2",
        );
        assert_eq!(
            client.rows("SELECT name FROM tv_label WHERE pk_label IN (1, 2)"),
            ["DEEPER"]
        );
        client.assert_views_equal(&order);
        client.run("COMMIT");
        client.assert_follows(&order);
        client.run("INSERT INTO tb_user (pk_user, name) VALUES (2, 'again')");
        client.assert_follows(&order);
    }
}

#[test]
fn a_second_query_recomputes_nothing() {
    let (_database, mut client) = open("ryw_once");
    client.run("BEGIN; UPDATE tb_user SET name = 'x' WHERE pk_user = 1");
    let versions = "SELECT ctid, xmin, cmin FROM tv_user WHERE pk_user = 1";
    let first = client.rows(versions);
    assert_eq!(client.rows(versions), first);
    client.run("UPDATE tb_user SET score = 7 WHERE pk_user = 2");
    assert_eq!(client.rows(versions), first, "another row's change");
    client.run("UPDATE tb_user SET name = 'y' WHERE pk_user = 1");
    assert_ne!(client.rows(versions), first);
    client.run("COMMIT");
}

#[test]
fn without_changes_nothing_is_written() {
    let (_database, mut client) = open("ryw_reader");
    client.run("BEGIN; SELECT * FROM tv_user; SELECT * FROM tv_feed, tv_post");
    assert_eq!(client.rows("SELECT txid_current_if_assigned()"), ["~"]);
    client.run("COMMIT; BEGIN; CREATE TABLE unrelated (n int); INSERT INTO unrelated VALUES (1)");
    let versions = "SELECT xmin, ctid FROM tv_user ORDER BY pk_user";
    let before = client.rows(versions);
    client.run("UPDATE tb_post SET unread = 1; UPDATE tb_user SET name = name");
    assert_eq!(
        client.rows(versions),
        before,
        "no column that a view reads has changed"
    );
    client.run("ROLLBACK");
}

#[test]
fn turned_off_the_transaction_reads_what_is_there() {
    let (_database, mut client) = open("ryw_off");
    client.run("SET pg_tviews.read_your_writes = off");
    client.run("BEGIN; UPDATE tb_user SET name = 'later' WHERE pk_user = 1");
    assert_eq!(name(&mut client, "user", 1), ["user 1"]);
    client.run("SET pg_tviews.read_your_writes = on");
    assert_eq!(name(&mut client, "user", 1), ["later"]);
    client.run("COMMIT");
    client.assert_follows(&blog::ENTITIES);
}

#[test]
fn a_transaction_that_became_read_only_is_told() {
    let (database, mut client) = open("ryw_read_only");
    let (mut session, notices) = listen(&database);
    session.run("BEGIN; UPDATE tb_user SET name = 'x' WHERE pk_user = 1; SET TRANSACTION READ ONLY");
    assert_eq!(name(&mut session, "user", 1), ["user 1"]);
    assert_eq!(name(&mut session, "user", 1), ["user 1"]);
    let said = said(&notices);
    assert!(said.len() == 1 && said[0].contains("read-only"), "{said:?}");
    session.run("COMMIT");
    client.assert_follows(&blog::ENTITIES);
}

#[test]
fn two_phase_commit_carries_the_preview() {
    let (_database, mut client) = open("ryw_prepare");
    client.run("BEGIN; UPDATE tb_user SET name = 'prepared' WHERE pk_user = 1");
    assert_eq!(name(&mut client, "user", 1), ["prepared"]);
    client.run("PREPARE TRANSACTION 'ryw'");
    client.run("UPDATE tb_user SET name = 'free' WHERE pk_user = 2");
    client.wait_until(
        "SELECT data->>'name' = 'free' FROM tv_user WHERE pk_user = 2",
        WAIT,
    );
    client.run("COMMIT PREPARED 'ryw'");
    client.assert_follows(&blog::ENTITIES);
}

#[test]
fn others_have_more_savepoints_than_a_snapshot_lists() {
    let (database, mut client) = open("ryw_savepoints_of_others");
    client.run("CREATE TABLE tb_other (n int)");
    // A snapshot lists the savepoints of sessions up to the first with more than 64, and those only where it is no copy.
    let others = [3, 70, 3].map(|savepoints| {
        let mut other = database.client();
        let savepoint = |n| format!("SAVEPOINT s{n}; INSERT INTO tb_other VALUES ({n});");
        other.run("BEGIN");
        other.run(&(0..savepoints).map(savepoint).collect::<String>());
        other
    });
    for level in LEVELS {
        client.run(&format!(
            "BEGIN ISOLATION LEVEL {level}; UPDATE tb_user SET name = '{level}' WHERE pk_user = 1"
        ));
        assert_eq!(name(&mut client, "user", 1), [level]);
        client.run("UPDATE tb_user SET name = 'again' WHERE pk_user = 1");
        client.assert_views_equal(&blog::ENTITIES);
        client.run("COMMIT");
    }
    drop(others);
    client.assert_follows(&blog::ENTITIES);
}
