//! Row security of sources that asks other tables: their changes decide which rows a TVIEW has.

use postgres::Client;

use crate::harness::{shared, Ask, Database};

/// Notes that members of their team may read, for an owner who is subject to that.
fn open(name: &str) -> (Database<'static>, Client, Client) {
    let database = Database::new(shared(), name);
    let mut admin = database.client();
    let role = format!("{name}_owner");
    admin.run(&format!(
        "DO $$BEGIN IF to_regrole('{role}') IS NULL THEN CREATE ROLE {role} LOGIN; END IF; END$$;
         CREATE SCHEMA own AUTHORIZATION {role};
         CREATE TABLE team (pk_team int PRIMARY KEY, open boolean);
         CREATE TABLE member (fk_team int, who name);
         CREATE TABLE tb_note (pk_note int PRIMARY KEY, fk_team int, body text);
         INSERT INTO team VALUES (1, true), (2, true);
         INSERT INTO member VALUES (1, '{role}');
         INSERT INTO tb_note VALUES (1, 1, 'one'), (2, 2, 'two');
         GRANT SELECT, TRIGGER ON team, member, tb_note TO {role};
         ALTER TABLE tb_note ENABLE ROW LEVEL SECURITY;
         CREATE VIEW open_team AS SELECT * FROM team WHERE open;
         GRANT SELECT ON open_team TO {role};
         CREATE POLICY mine ON tb_note USING (fk_team IN (SELECT m.fk_team FROM member m JOIN open_team t ON t.pk_team = m.fk_team
                                                          WHERE m.who = current_user))"
    ));
    let mut owner = database.client_as(&role);
    owner.run("SELECT pg_tviews_create('own.note', 'SELECT pk_note, body FROM public.tb_note')");
    (database, admin, owner)
}

#[test]
fn tables_that_a_policy_reads_are_sources() {
    let (_database, mut admin, mut owner) = open("policy_reads");
    let role = "policy_reads_owner";
    let shown = "SELECT pk_note FROM own.tv_note ORDER BY 1";
    assert_eq!(owner.rows(shown), ["1"]);
    for (sql, rows) in [
        (format!("INSERT INTO member VALUES (2, '{role}')"), vec!["1", "2"]),
        (
            "UPDATE team SET open = false WHERE pk_team = 1".to_string(),
            vec!["2"],
        ),
        ("DELETE FROM member".to_string(), vec![]),
    ] {
        admin.run(&sql);
        owner.assert_follows(&["own.tv_note"]);
        assert_eq!(owner.rows(shown), rows, "{sql}");
    }
    assert_eq!(
        owner
            .rows("SELECT source, strategy, reason FROM pg_tviews_explain('own.note') ORDER BY source::text"),
        [
            "member|full|row security of public.tb_note reads it",
            "tb_note|keyed|~",
            "team|full|row security of public.tb_note reads it"
        ]
    );
}

#[test]
fn policies_that_come_and_go_are_followed() {
    let (_database, mut admin, mut owner) = open("policy_changes");
    admin.run("CREATE TABLE banned (pk_banned int); GRANT SELECT, TRIGGER ON banned TO policy_changes_owner");
    admin.run("CREATE POLICY allowed ON tb_note AS RESTRICTIVE USING (NOT EXISTS (SELECT FROM banned WHERE pk_banned = pk_note))");
    owner.assert_follows(&["own.tv_note"]);
    admin.run("INSERT INTO banned VALUES (1)");
    owner.assert_follows(&["own.tv_note"]);
    assert_eq!(owner.rows("SELECT count(*) FROM own.tv_note"), ["0"]);
    // Superusers are subject to none: their TVIEWs need no more sources.
    admin.run("SELECT pg_tviews_create('note', 'SELECT pk_note, body FROM tb_note')");
    assert_eq!(
        admin
            .rows("SELECT cardinality(source_oids) FROM pg_tview_meta WHERE tview_oid = 'tv_note'::regclass"),
        ["1"]
    );
}

#[test]
fn functions_of_a_policy_that_may_read_tables_are_warned_of() {
    let database = Database::new(shared(), "policy_calls");
    let mut admin = database.client();
    admin.run(
        "DO $$BEGIN IF to_regrole('policy_calls_owner') IS NULL THEN CREATE ROLE policy_calls_owner LOGIN; END IF; END$$;
         CREATE SCHEMA own AUTHORIZATION policy_calls_owner;
         CREATE TABLE tb_note (pk_note int PRIMARY KEY, body text);
         GRANT SELECT, TRIGGER ON tb_note TO policy_calls_owner;
         ALTER TABLE tb_note ENABLE ROW LEVEL SECURITY;
         CREATE FUNCTION may_read(n int) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT true';
         CREATE POLICY mine ON tb_note USING (may_read(pk_note))",
    );
    let (sender, heard) = std::sync::mpsc::channel();
    let mut owner = shared().client_as_with_notices("policy_calls", "policy_calls_owner", move |notice| {
        if notice.severity() == "WARNING" {
            let _ = sender.send(notice.message().to_string());
        }
    });
    owner.run("SELECT pg_tviews_create('own.note', 'SELECT pk_note, body FROM public.tb_note')");
    let heard: Vec<String> = heard.try_iter().collect();
    assert_eq!(
        heard,
        ["TVIEW own.tv_note does not follow what functions may read from tables: public.may_read(integer) in a policy of public.tb_note"]
    );
}
