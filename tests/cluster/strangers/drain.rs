//! Who may apply what is pending, and what others are told.

use super::stage;
use crate::harness::Ask;

#[test]
fn only_members_of_the_owner_drain_a_tview() {
    let mut stage = stage("drain_rights", "", "SELECT pk_item, n FROM app.tb_item");
    let role = stage.role.clone();
    let mut mallory = stage.mallory();
    mallory.run(
        "CREATE SCHEMA mine;
         CREATE TABLE mine.tb_own (pk_own int PRIMARY KEY, n int);
         INSERT INTO mine.tb_own VALUES (1, 1);
         SELECT pg_tviews_create('mine.own', 'SELECT pk_own, n FROM mine.tb_own');
         UPDATE mine.tb_own SET n = 2;
         UPDATE app.tb_item SET n = 20",
    );
    let error = mallory.fails("CALL pg_tviews_drain('app.item')");
    assert_eq!(error.code().code(), "42501", "{error:?}");
    assert_eq!(error.message(), "must be owner of table app.tv_item");
    // One's own is drained, whatever others have.
    mallory.run("CALL pg_tviews_drain()");
    stage.admin.assert_views_equal(&["mine.tv_own"]);
    assert_eq!(
        stage.admin.rows("SELECT DISTINCT n FROM app.tv_item ORDER BY 1"),
        ["1", "2"]
    );
    // A member of the owner may do as the owner, also one whose session was somebody else's at first.
    stage.admin.run(&format!(
        "DO $$BEGIN IF to_regrole('drain_rights_team') IS NULL THEN CREATE ROLE drain_rights_team; END IF; END$$;
         GRANT drain_rights_team TO {role};
         GRANT ALL ON SCHEMA app TO drain_rights_team;
         GRANT ALL ON ALL TABLES IN SCHEMA app TO drain_rights_team;
         ALTER TABLE app.tv_item OWNER TO drain_rights_team;
         ALTER VIEW app.v_item OWNER TO drain_rights_team"
    ));
    mallory.run("CALL pg_tviews_drain('app.item')");
    stage.admin.assert_views_equal(&["app.tv_item"]);
}

#[test]
fn values_of_rows_are_told_to_the_owner_only() {
    let mut stage = stage(
        "drain_tells",
        "CREATE TABLE app.tb_secret (pk_secret int PRIMARY KEY, word text);
         INSERT INTO app.tb_secret VALUES (1, 'swordfish')",
        "SELECT i.pk_item, CASE WHEN i.n > 10 THEN (SELECT s.word::int FROM app.tb_secret s) ELSE i.n END AS n FROM app.tb_item i",
    );
    let mut mallory = stage.mallory();
    mallory.run("UPDATE app.tb_item SET n = 11 WHERE pk_item = 1");
    let (mut listening, heard) = stage.listening();
    listening.run("CALL pg_tviews_drain()");
    let heard = heard.text();
    assert!(heard.contains("one TVIEW is left to its owner"), "{heard}");
    assert!(!heard.contains("swordfish"), "{heard}");
    // The key is dead now, and why is the owner's to know.
    stage.admin.run("CALL pg_tviews_drain()");
    assert_eq!(
        stage.admin.rows("SELECT message FROM pg_tview_dead_letter"),
        ["invalid input syntax for type integer: \"swordfish\""]
    );
    let error = mallory.fails("SELECT pg_tviews_wait('app.item', key => '1')");
    assert_eq!(error.code().code(), "55000", "{error:?}");
    assert!(!format!("{error:?}").contains("swordfish"), "{error:?}");
    let error = stage.admin.fails("SELECT pg_tviews_wait('app.item', key => '1')");
    assert!(format!("{error:?}").contains("swordfish"), "{error:?}");
    // The same where the whole view fails.
    stage.admin.run("UPDATE app.tb_item SET n = 12");
    stage.admin.fails("CALL pg_tviews_drain()");
    let error = mallory.fails("SELECT pg_tviews_wait('app.item')");
    assert_eq!(error.message(), "TVIEW app.tv_item is suspended");
    assert!(!format!("{error:?}").contains("swordfish"), "{error:?}");
}
