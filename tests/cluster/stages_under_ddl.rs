//! DDL on a TVIEW, its schema and its owner while new rows fill a stage.

use crate::harness::{Ask, StopMode, WAIT};
use crate::redefined_at_once::{CLOSE, SEEN};
use crate::redefined_by_stage::{cluster, is_complete, open, redefine, ACTIVE, UNDER_WAY};

#[test]
fn the_table_is_altered_meanwhile() {
    let cluster = cluster();
    let (_database, mut client) = open(&cluster, "stage_altered");
    client.run("CREATE SCHEMA \"Other app\"");
    for (number, ddl) in [
        "ALTER TABLE tv_doc ADD COLUMN note text, ALTER COLUMN def TYPE varchar(20); CREATE INDEX ON tv_doc (def)",
        "CREATE TABLE tv_doc_child () INHERITS (tv_doc);
         ALTER TABLE tv_doc SET SCHEMA \"Other app\"; SET search_path = \"Other app\", public",
    ]
    .into_iter()
    .enumerate()
    {
        let def = format!("new {number}");
        client.run(&redefine(&def, "n"));
        client.wait_until(UNDER_WAY, WAIT);
        client.run(ddl);
        is_complete(&mut client, &format!("{def}|f"));
        client.run("UPDATE tb_doc SET n = n % 7 + 1 WHERE pk_doc % 100 = 0");
        assert!(client.one::<bool>("SELECT pg_tviews_wait()"));
        client.assert_views_equal(&["doc"]);
    }
}

#[test]
fn a_crash_while_the_rows_are_replaced_leaves_all_old_ones() {
    let cluster = cluster();
    let (database, mut client) = open(&cluster, "stage_crash_at_end");
    client.run(
        "CREATE FUNCTION trickle() RETURNS trigger LANGUAGE plpgsql AS
         $$BEGIN
             IF NEW.pk_doc > 1000 AND NOT pg_try_advisory_xact_lock_shared(77) THEN PERFORM pg_sleep(0.01); END IF;
             RETURN NEW;
         END$$;
         CREATE TRIGGER trickle BEFORE UPDATE ON tv_doc FOR EACH ROW EXECUTE FUNCTION trickle()",
    );
    for mode in [None, Some(StopMode::Immediate)] {
        let def = if mode.is_none() { "killed" } else { "stopped" };
        let before = client.rows(SEEN);
        client.run(CLOSE);
        client.run(&redefine(def, "n"));
        client.wait_until(
            "SELECT count(*) > 0 FROM pg_tview_progress WHERE phase = 'replacing rows'",
            WAIT,
        );
        match mode {
            None => cluster.kill(client.workers()[0], &mut client, &database.name),
            Some(mode) => {
                cluster.restart(mode);
                client = database.client();
            }
        }
        assert_eq!(client.rows(SEEN), before);
        client.run("UPDATE tb_doc SET n = n + 1 WHERE pk_doc = 5");
        is_complete(&mut client, &format!("{def}|f"));
        client.assert_views_equal(&["doc"]);
    }
}

#[test]
fn an_owner_without_rights_to_create_and_a_schema_that_goes() {
    let cluster = cluster();
    let (_database, mut client) = open(&cluster, "stage_goes");
    client.run(
        "SELECT pg_tviews_drop('doc'); CREATE SCHEMA app; CREATE ROLE stage_lowly; GRANT USAGE ON SCHEMA app TO stage_lowly;
         GRANT SELECT, TRIGGER ON tb_doc TO stage_lowly",
    );
    let in_app = |def: &str| redefine(def, "n").replace("'doc',", "'app.doc',");
    for drop in ["", "DROP SCHEMA app CASCADE; CREATE SCHEMA app"] {
        client.run(&in_app("old"));
        // It may create nothing anywhere.
        client.run("ALTER TABLE app.tv_doc OWNER TO stage_lowly; ALTER VIEW app.v_doc OWNER TO stage_lowly");
        assert!(client.one::<bool>("SELECT pg_tviews_wait()"));
        client.run(&in_app("new"));
        client.wait_until(UNDER_WAY, WAIT);
        client.run(drop);
        if drop.is_empty() {
            client.wait_until(ACTIVE, WAIT);
            assert_eq!(client.rows(&SEEN.replace("tv_doc", "app.tv_doc")), ["new|f"]);
        } else {
            client.wait_until(
                "SELECT count(*) = 0 FROM pg_class WHERE relname LIKE 'pg\\_tview\\_stage%'",
                WAIT,
            );
            client.wait_until("SELECT count(*) = 0 FROM pg_tview_comparison", WAIT);
        }
    }
    client.run("DROP OWNED BY stage_lowly; DROP ROLE stage_lowly");
}
