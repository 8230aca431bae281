//! What a preview does not do, and says so.

use postgres::Client;

use super::{listen, name, open, said};
use crate::blog;
use crate::harness::{Ask, WAIT};

#[test]
fn too_many_rows_are_said_once() {
    let (database, mut client) = open("ryw_limit");
    let (mut session, notices) = listen(&database);
    session.run("SET pg_tviews.preview_limit = 5");
    session.run("BEGIN; UPDATE tb_user SET name = 'many'");
    for _ in 0..3 {
        assert_eq!(name(&mut session, "user", 1), ["user 1"]);
    }
    session.run("UPDATE tb_user SET name = 'again' WHERE pk_user = 1");
    assert_eq!(name(&mut session, "user", 1), ["user 1"]);
    let heard = said(&notices);
    assert!(
        heard.len() == 1 && heard[0].contains("more than 5 rows"),
        "{heard:?}"
    );
    session.run("SET pg_tviews.preview_limit = 50; UPDATE tb_user SET name = 'all' WHERE pk_user = 1");
    session.assert_views_equal(&blog::ENTITIES);
    session.run("COMMIT; BEGIN; SET LOCAL pg_tviews.preview_limit = 1; UPDATE tb_user SET name = 'few' WHERE pk_user = 1");
    assert_eq!(name(&mut session, "user", 1), ["few"]);
    session.run("COMMIT");
    client.assert_follows(&blog::ENTITIES);
}

#[test]
fn changes_of_every_row_are_shown_of_small_tables() {
    let (database, mut client) = open("ryw_every_row");
    let (mut session, notices) = listen(&database);
    session.run("BEGIN; TRUNCATE tb_post");
    session.assert_views_equal(&blog::ENTITIES);
    session.run("INSERT INTO tb_post (fk_user, title) SELECT 1, 'n' || n FROM generate_series(1, 20000) n");
    assert!(said(&notices).is_empty());
    assert_eq!(session.rows("SELECT count(*) FROM tv_post"), ["0"]);
    assert_eq!(session.rows("SELECT data->>'n' FROM tv_total"), ["20000"]);
    let heard = said(&notices);
    assert!(
        heard.len() == 1 && heard[0].starts_with("public.tv_post") || heard[0].starts_with("tv_post"),
        "{heard:?}"
    );
    session.run("ROLLBACK");
    client.assert_follows(&blog::ENTITIES);
}

#[test]
fn a_view_that_fails_does_not_fail_the_query() {
    let (database, mut client) = open("ryw_failing");
    client.run("SELECT pg_tviews_create('share', 'SELECT pk_user AS pk_share, 100 / score AS share FROM tb_user WHERE pk_user > 50')");
    client.run("INSERT INTO tb_user (pk_user, name, score) VALUES (51, 'x', 5)");
    client.assert_follows(&["share"]);
    let (mut session, notices) = listen(&database);
    session.run("BEGIN; UPDATE tb_user SET score = 0 WHERE pk_user = 51");
    for _ in 0..2 {
        assert_eq!(session.rows("SELECT share FROM tv_share"), ["20"]);
    }
    let heard = said(&notices);
    assert!(
        heard.len() == 1 && heard[0].contains("division by zero (SQLSTATE 22012)"),
        "{heard:?}"
    );
    session.run("UPDATE tb_user SET score = 10 WHERE pk_user = 51");
    assert_eq!(session.rows("SELECT share FROM tv_share"), ["10"]);
    session.run("COMMIT");
    client.assert_follows(&["share"]);
}

#[test]
fn a_cancelled_preview_cancels_the_query() {
    let (_database, mut client) = open("ryw_cancel");
    blog::create_slow(&mut client);
    client.assert_follows(&["slow"]);
    client.run("UPDATE knob SET seconds = 10");
    client.run("SET statement_timeout = '500ms'; BEGIN; UPDATE tb_slow SET n = 2");
    let error = client.fails("SELECT * FROM tv_slow");
    assert_eq!(error.code().code(), "57014", "{error:?}");
    client.run("ROLLBACK; UPDATE knob SET seconds = 0");
}

#[test]
fn a_tview_that_stands_still_is_not_previewed() {
    let (database, mut client) = open("ryw_paused");
    client.run(
        "SELECT pg_tviews_create('card', 'SELECT pk_user AS pk_card, data->>''name'' AS name FROM tv_user')",
    );
    client.assert_follows(&["card"]);
    let (mut session, notices) = listen(&database);
    session.run("BEGIN; UPDATE tb_user SET name = 'x' WHERE pk_user = 1");
    assert_eq!(name(&mut session, "user", 1), ["x"]);
    session.run("ROLLBACK");
    client.run("SELECT pg_tviews_pause('user')");
    session.run("BEGIN; UPDATE tb_user SET name = 'x' WHERE pk_user = 1");
    assert_eq!(name(&mut session, "user", 1), ["user 1"]);
    assert_eq!(
        session.rows("SELECT name FROM tv_card WHERE pk_card = 1"),
        ["user 1"]
    );
    assert_eq!(name(&mut session, "feed", 1), ["x"]);
    session.run("COMMIT");
    assert!(said(&notices).is_empty());
    client.run("SELECT pg_tviews_resume('user')");
    client.assert_follows(&blog::ENTITIES);
    client.assert_follows(&["card"]);
}

#[test]
fn a_tview_made_in_the_same_transaction() {
    let (_database, mut client) = open("ryw_fresh");
    client.run("BEGIN; SELECT pg_tviews_create('nick', 'SELECT pk_user AS pk_nick, name FROM tb_user')");
    client.run("UPDATE tb_user SET name = 'nick' WHERE pk_user = 1");
    assert_eq!(
        client.rows("SELECT name FROM tv_nick WHERE pk_nick = 1"),
        ["nick"]
    );
    client.run("ROLLBACK; BEGIN; UPDATE tb_user SET name = 'other' WHERE pk_user = 1");
    assert_eq!(name(&mut client, "user", 1), ["other"]);
    client.run("COMMIT");
    client.run("CREATE OR REPLACE VIEW v_user AS SELECT pk_user, id, jsonb_build_object('name', upper(name)) AS data FROM tb_user");
    for entity in ["user", "post", "feed"] {
        client.wait_until(
            &format!("SELECT bool_and(strpos(data::text, 'USER') > 0 OR strpos(data::text, 'OTHER') > 0) FROM tv_{entity}"),
            WAIT,
        );
    }
    client.assert_follows(&blog::ENTITIES);
    client.run("BEGIN; UPDATE tb_user SET name = 'loud' WHERE pk_user = 1");
    assert_eq!(name(&mut client, "user", 1), ["LOUD"]);
    client.run("COMMIT");
    client.assert_follows(&blog::ENTITIES);
}

/// Partitions and their indexes that a session has locked.
fn locks(client: &mut Client, of: &mut Client) -> i64 {
    let pid: i32 = of.one("SELECT pg_backend_pid()");
    client.one(&format!(
        "SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
          WHERE l.pid = {pid} AND c.relname LIKE 'tb\\_part%'"
    ))
}

/// The lock table has room for 64 locks of each session; there are twice as many partitions.
#[test]
fn a_preview_locks_the_partitions_that_it_reads() {
    let (database, mut client) = open("ryw_partitions");
    client.run(
        "CREATE TABLE tb_part (pk_part int PRIMARY KEY, grp int, n int) PARTITION BY HASH (pk_part);
         DO $$ BEGIN FOR i IN 0..127 LOOP
             EXECUTE format('CREATE TABLE tb_part_%s PARTITION OF tb_part FOR VALUES WITH (MODULUS 128, REMAINDER %s)', i, i);
         END LOOP; END $$;
         INSERT INTO tb_part SELECT i, i % 10, i FROM generate_series(1, 1000) i",
    );
    client.run(
        "SELECT pg_tviews_create('part', 'SELECT pk_part, n FROM tb_part'),
                pg_tviews_create('grp', 'SELECT grp AS id, sum(n) AS n FROM tb_part GROUP BY grp')",
    );
    client.assert_follows(&["part", "grp"]);
    let (mut session, notices) = listen(&database);
    session.run("BEGIN; UPDATE tb_part SET n = -1 WHERE pk_part = 5");
    assert_eq!(session.rows("SELECT n FROM tv_part WHERE pk_part = 5"), ["-1"]);
    assert_eq!(said(&notices), Vec::<String>::new());
    let held = locks(&mut client, &mut session);
    assert!(held < 64, "{held} locks");
    // Any partition may have rows of the group.
    for _ in 0..2 {
        session.run("SELECT * FROM tv_grp");
        let held = locks(&mut client, &mut session);
        assert!(held < 64, "{held} locks");
    }
    let heard = said(&notices);
    assert!(
        heard.len() == 1 && heard[0].contains("max_locks_per_transaction"),
        "{heard:?}"
    );
    session.run("COMMIT");
    client.assert_follows(&["part", "grp"]);
}
