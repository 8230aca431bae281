//! New rows that have filled a stage replace the old ones, while other sessions hold rows, wait for locks, or too little time is left.

use crate::harness::{Ask, Cluster, WAIT};
use crate::redefined_at_once::{CLOSE, OPEN, SEEN};
use crate::redefined_by_stage::{cluster, is_complete, open, options, redefine, ACTIVE, ROWS, STAGES};
use crate::stages_watched::redefine_behind_gate;

/// With the gate closed, writing all rows of the table takes half a minute.
const TRICKLE: &str = "CREATE FUNCTION trickle() RETURNS trigger LANGUAGE plpgsql AS
     $$BEGIN
         IF NOT pg_try_advisory_xact_lock_shared(77) THEN PERFORM pg_sleep(0.01); END IF;
         RETURN NEW;
     END$$;
     CREATE TRIGGER trickle BEFORE UPDATE ON tv_doc FOR EACH ROW EXECUTE FUNCTION trickle()";
const REPLACING: &str = "SELECT count(*) > 0 FROM pg_tview_progress WHERE phase = 'replacing rows'";

#[test]
fn a_row_that_another_session_holds_comes_later() {
    let cluster = cluster();
    let (database, mut client) = open(&cluster, "stage_held");
    let mut holder = database.client();
    holder.run("BEGIN; SELECT FROM tv_doc WHERE pk_doc = 5 FOR UPDATE");
    client.run(&redefine("new", "n"));
    client.wait_until("SELECT count(*) FILTER (WHERE def = 'new') > 0 FROM tv_doc", WAIT);
    assert_eq!(
        client.one::<i64>("SELECT count(*) FROM tv_doc WHERE def = 'new'"),
        i64::from(ROWS) - 1,
        "all others at the same moment"
    );
    assert_eq!(client.one::<i64>(STAGES), 0);
    client.run("UPDATE tb_doc SET n = 2 WHERE pk_doc = 6");
    client.wait_until("SELECT n = 2 FROM tv_doc WHERE pk_doc = 6", WAIT);
    assert!(!client.one::<bool>("SELECT pg_tviews_wait('doc', timeout => '100 ms')"));
    holder.run("COMMIT");
    is_complete(&mut client, "new|f");
}

#[test]
fn the_last_transaction_gives_way_to_ddl_and_to_calls() {
    let cluster = cluster();
    let (database, mut client) = open(&cluster, "stage_gives_way");
    client.run(TRICKLE);
    let mut other = database.client();
    client.run(CLOSE);
    client.run(&redefine("new", "n"));
    for call in [
        "ALTER TABLE tb_doc ADD COLUMN more int",
        "SELECT pg_tviews_pause('doc')",
    ] {
        client.wait_until(REPLACING, WAIT);
        other.run(call);
        assert_eq!(client.rows(SEEN), ["old|f"], "{call} did not wait for the end");
        assert!(client.one::<i64>(STAGES) > 0, "what was computed is kept");
    }
    client.run(OPEN);
    client.run("SELECT pg_tviews_resume('doc')");
    is_complete(&mut client, "new|f");
}

#[test]
fn where_the_last_transaction_takes_too_long_batches_write_the_table() {
    let cluster = Cluster::start(options().set("pg_tviews.refresh_timeout", "2s"));
    let (_database, mut client) = open(&cluster, "stage_timeout");
    client.run(TRICKLE);
    client.run(CLOSE);
    client.run(&redefine("new", "n"));
    client.wait_until(REPLACING, WAIT);
    client.wait_until("SELECT stage IS NULL FROM pg_tview_comparison", WAIT);
    assert_eq!(client.one::<i64>(STAGES), 0);
    client.run(OPEN);
    is_complete(&mut client, "new|f");
}

/// Whoever may create objects in the schema of the extension can take the name.
#[test]
fn an_object_of_another_role_in_the_place_of_the_stage_stays() {
    let cluster = cluster();
    let (_database, mut client) = open(&cluster, "stage_name_taken");
    client.run(
        "DO $$BEGIN EXECUTE format('CREATE DOMAIN pg_tview_stage_%s AS int', 'tv_doc'::regclass::oid); END$$",
    );
    client.run(&redefine("new", "n"));
    is_complete(&mut client, "new|f");
    assert_eq!(
        client.one::<i64>("SELECT count(*) FROM pg_type WHERE typname LIKE 'pg_tview_stage%'"),
        1
    );
}

#[test]
fn batches_can_be_chosen() {
    let cluster = Cluster::start(options().set("pg_tviews.redefine_beyond_limit", "batches"));
    let (_database, mut client) = open(&cluster, "stage_not_chosen");
    client.run(&redefine("new", "n"));
    client.wait_until(
        "SELECT batches > 1 AND stage IS NULL FROM pg_tview_comparison",
        WAIT,
    );
    assert_eq!(client.rows(SEEN), ["new|f", "old|f"], "side by side");
    is_complete(&mut client, "new|f");
}

#[test]
fn what_others_made_over_a_stage_stays_and_keeps_nobody_waiting() {
    let cluster = cluster();
    let (database, mut client) = open(&cluster, "stage_dependents");
    client.run("CREATE ROLE stage_other LOGIN; GRANT ALL ON SCHEMA public TO stage_other; GRANT pg_read_all_data TO stage_other");
    let mut other = database.client_as("stage_other");
    redefine_behind_gate(&mut client, "new");
    let stage = client.one::<String>("SELECT stage::regclass::text FROM pg_tview_comparison");
    other.run(&format!(
        "CREATE VIEW seen AS SELECT * FROM {stage};
         CREATE TABLE kept (id int, of_stage {stage}); INSERT INTO kept (id) VALUES (1)"
    ));
    client.run(OPEN);
    client.wait_until(ACTIVE, WAIT);
    assert_eq!(client.rows(SEEN), ["new|f"]);
    assert_eq!(
        client.rows("SELECT count(*), (SELECT count(*) FROM kept WHERE of_stage IS NULL) FROM seen"),
        ["0|1"],
        "the rows of the stage need no space any more"
    );
    // A reader of the next stage, and of what an idle session made of the first one.
    redefine_behind_gate(&mut client, "next");
    let next = client.one::<String>("SELECT stage::regclass::text FROM pg_tview_comparison");
    assert_ne!(next, stage);
    other.run(&format!("BEGIN; SELECT count(*) FROM {next}; SELECT FROM kept"));
    client.run(OPEN);
    client.wait_until(ACTIVE, WAIT);
    assert_eq!(client.rows(SEEN), ["next|f"]);
    other.run("COMMIT; DROP VIEW seen");
    client.run("CALL pg_tviews_drain()");
    assert_eq!(client.rows("SELECT relname::text FROM pg_class WHERE relname LIKE 'pg\\_tview\\_stage\\_%' AND relkind = 'r'"), [stage.as_str()]);
    other.run("ALTER TABLE kept DROP COLUMN of_stage");
    client.run("CALL pg_tviews_drain()");
    assert_eq!(client.one::<i64>(STAGES), 0);
    redefine_behind_gate(&mut client, "last");
    client.run(OPEN);
    is_complete(&mut client, "last|f");
}
