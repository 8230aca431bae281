//! A TVIEW whose redefinition takes longer than one transaction may: the new rows fill a stage, and replace the old ones together.

use postgres::Client;

use crate::harness::{Ask, Cluster, Database, Load, Options, Plan, Random, StopMode, WAIT};
use crate::redefined_at_once::{Reads, SEEN};
use crate::slow_documents;

pub const ROWS: i32 = 3_000;

/// The new rows are being computed, and some are there.
pub const UNDER_WAY: &str = "SELECT batches > 0 AND stage IS NOT NULL FROM pg_tview_comparison";
pub const ACTIVE: &str = "SELECT state = 'active' FROM pg_tview_meta WHERE entity_name = 'doc'";
pub const STAGES: &str = "SELECT count(*) FROM pg_class WHERE relname LIKE 'pg\\_tview\\_stage%'";

/// No redefinition of the documents is done at once.
pub fn cluster() -> Cluster {
    Cluster::start(options())
}

pub fn options() -> Options {
    Options::preloaded()
        .set("pg_tviews.batch_size", "400")
        .set("pg_tviews.redefine_limit", "100ms")
}

/// Rows that take seconds to compute, complete under the definition `old`.
pub fn open<'c>(cluster: &'c Cluster, name: &str) -> (Database<'c>, Client) {
    let database = Database::new(cluster, name);
    let mut client = database.client();
    client.run(&format!(
        "CREATE TABLE tb_doc (pk_doc int PRIMARY KEY, n int NOT NULL);
         INSERT INTO tb_doc SELECT i, 1 FROM generate_series(1, {ROWS}) i;
         CREATE FUNCTION slowly(pk int, n int) RETURNS int LANGUAGE plpgsql IMMUTABLE COST 100000 AS
         $$BEGIN IF pk % 10 = 0 THEN PERFORM pg_sleep(0.006); END IF; RETURN 100 / n; END$$"
    ));
    client.run(&redefine("old", "n"));
    assert!(client.one::<bool>("SELECT pg_tviews_wait()"));
    (database, client)
}

pub fn redefine(def: &str, columns: &str) -> String {
    format!(
        "SELECT pg_tviews_create('doc',
             $$SELECT pk_doc, {columns}, slowly(pk_doc, n) AS slow, '{def}'::text AS def FROM tb_doc$$)"
    )
}

/// The rows are those of this definition, and nothing is left of how they came there.
#[track_caller]
pub fn is_complete(client: &mut Client, seen: &str) {
    client.wait_until(ACTIVE, WAIT);
    slow_documents::nothing_is_left(client, "pg_tview_comparison");
    assert_eq!(client.rows(SEEN), [seen]);
    assert_eq!(client.one::<i64>(STAGES), 0);
}

#[test]
fn readers_see_the_old_rows_or_the_new_ones() {
    let cluster = cluster();
    let (database, mut client) = open(&cluster, "stage_readers");
    let random = Random::announced("readers_see_the_old_rows_or_the_new_ones");
    let plan = Plan {
        cluster: &cluster,
        database: &database.name,
        statements: &[
            "UPDATE tb_doc SET n = n % 50 + 1 WHERE pk_doc = {3000}",
            "DELETE FROM tb_doc WHERE pk_doc = {3000}",
            "INSERT INTO tb_doc VALUES ({3000}, {9} + 1) ON CONFLICT DO NOTHING",
            "UPDATE tb_doc SET pk_doc = pk_doc + 3000 WHERE pk_doc = {3000}",
        ],
        crashes: false,
    };
    let seen = Reads::during(&database, |reads| {
        Load::during(&plan, 2, &random, |load| {
            for (def, columns) in [
                ("same columns", "n"),
                ("added column", "n, n * 2 AS extra"),
                ("dropped column", "n"),
                ("overtaken", "n"),
                ("changed type", "n::bigint AS n"),
            ] {
                load.let_pass(5);
                client.run(&redefine(def, columns));
                client.wait_until(UNDER_WAY, WAIT);
                if def != "overtaken" {
                    client.wait_until(ACTIVE, WAIT);
                    reads.let_pass();
                }
            }
        });
    });
    for def in [
        "old|f",
        "same columns|f",
        "added column|t",
        "dropped column|f",
        "changed type|f",
    ] {
        assert!(seen.contains(def), "{def} in {seen:?}");
    }
    is_complete(&mut client, "changed type|f");
}

#[test]
fn changes_meanwhile_are_in_the_new_rows() {
    let cluster = cluster();
    let (database, mut client) = open(&cluster, "stage_changes");
    client.run("UPDATE pg_tview_meta SET feed = true");
    client.run("SELECT pg_tviews_subscribe('c')");
    client.run("SELECT pg_tviews_create('over', 'SELECT pk_doc AS pk_over, def FROM tv_doc WHERE pk_doc IN (5, 2990)')");
    assert!(client.one::<bool>("SELECT pg_tviews_wait()"));
    let begin = client.one::<i64>("SELECT coalesce(max(change_id), 0) FROM pg_tview_change");
    client.run(&redefine("new", "n"));
    client.wait_until(UNDER_WAY, WAIT);
    client.run(
        "UPDATE tb_doc SET n = 2 WHERE pk_doc IN (5, 2990); DELETE FROM tb_doc WHERE pk_doc IN (6, 2991)",
    );
    // The changes are applied, and no reader sees them yet.
    client.wait_until("SELECT count(*) = 0 FROM pg_tview_queue", WAIT);
    if client.one::<bool>("SELECT EXISTS (SELECT FROM pg_tview_comparison)") {
        assert_eq!(
            client.rows("SELECT n, def FROM tv_doc WHERE pk_doc = 5"),
            ["1|old"]
        );
        assert!(!client.one::<bool>("SELECT pg_tviews_wait('doc', timeout => '1 ms')"));
        assert!(!client.one::<bool>("SELECT pg_tviews_wait('doc', key => '5', timeout => '1 ms')"));
        assert_eq!(
            client.rows("SELECT state FROM pg_tview_meta WHERE entity_name = 'doc'"),
            ["populating"]
        );
        assert_eq!(client.rows("SELECT DISTINCT def FROM tv_over"), ["old"]);
        assert_eq!(
            client.one::<i64>(&format!(
                "SELECT count(*) FROM pg_tview_change WHERE change_id > {begin}"
            )),
            0
        );
    }
    assert!(client.one::<bool>("SELECT pg_tviews_wait()"));
    is_complete(&mut client, "new|f");
    client.assert_views_equal(&["doc", "over"]);
    assert_eq!(
        client.rows("SELECT n, def FROM tv_doc WHERE pk_doc = 5"),
        ["2|new"]
    );
    assert_eq!(client.rows("SELECT DISTINCT def FROM tv_over"), ["new"]);
    // One transaction has written all of it.
    assert_eq!(
        client.rows(&format!(
            "SELECT count(DISTINCT xid) FROM pg_tview_change WHERE change_id > {begin} AND entity_name = 'doc'"
        )),
        ["1"]
    );
    assert_eq!(
        client.rows(
            "SELECT rows_updated, rows_deleted FROM pg_tview_meta_audit WHERE operation = 'populate' ORDER BY audit_id DESC LIMIT 1"
        ),
        [format!("{}|2", ROWS - 2)]
    );
    drop(database);
}

#[test]
fn a_crash_leaves_the_old_rows_until_the_new_ones_are_complete() {
    let cluster = cluster();
    let (database, mut client) = open(&cluster, "stage_crash");
    client.run(&redefine("killed", "n"));
    client.wait_until(UNDER_WAY, WAIT);
    let pid = client.workers()[0];
    cluster.kill(pid, &mut client, &database.name);
    let seen = client.rows(SEEN);
    assert!(seen == ["old|f"] || seen == ["killed|f"], "{seen:?}");
    is_complete(&mut client, "killed|f");
    for (mode, def) in [(StopMode::Immediate, "immediate"), (StopMode::Fast, "fast")] {
        client.run(&redefine(def, "n"));
        client.wait_until(UNDER_WAY, WAIT);
        let before = client.rows(SEEN);
        cluster.restart(mode);
        client = database.client();
        let seen = client.rows(SEEN);
        assert!(seen == before || seen == [format!("{def}|f")], "{seen:?}");
        is_complete(&mut client, &format!("{def}|f"));
    }
}

#[test]
fn whoever_pauses_redefines_or_drops_it_meanwhile_comes_next() {
    let cluster = cluster();
    let (_database, mut client) = open(&cluster, "stage_meanwhile");
    client.run(&redefine("paused", "n"));
    client.wait_until(UNDER_WAY, WAIT);
    client.run("SELECT pg_tviews_pause('doc')");
    let seen = client.rows(SEEN);
    assert!(seen == ["old|f"] || seen == ["paused|f"], "{seen:?}");
    client.run("UPDATE tb_doc SET n = 3 WHERE pk_doc IN (7, 2992)");
    client.run("SELECT pg_tviews_resume('doc')");
    is_complete(&mut client, "paused|f");
    client.run(&redefine("first", "n"));
    client.wait_until(UNDER_WAY, WAIT);
    client.run(&redefine("second", "n"));
    is_complete(&mut client, "second|f");
    // All rows may have changed meanwhile.
    client.run(&redefine("third", "n"));
    client.wait_until(UNDER_WAY, WAIT);
    client.run("TRUNCATE tb_doc; INSERT INTO tb_doc SELECT i, 7 FROM generate_series(1, 2500) i");
    is_complete(&mut client, "third|f");
    for drop in [
        "SELECT pg_tviews_drop('doc')",
        "DROP TABLE tv_doc CASCADE",
        "DROP EXTENSION pg_tviews CASCADE",
    ] {
        client.run(&redefine("dropped", "n"));
        if !drop.contains("tviews_drop") {
            client.wait_until(ACTIVE, WAIT);
            client.run(&redefine("dropped again", "n"));
        }
        client.wait_until(UNDER_WAY, WAIT);
        client.run(drop);
        assert_eq!(client.one::<i64>(STAGES), 0, "{drop}");
    }
}

#[test]
fn what_its_rows_depend_on_changes_meanwhile() {
    let cluster = cluster();
    let (database, mut client) = open(&cluster, "stage_ddl");
    client.run("CREATE ROLE stage_next; GRANT SELECT, TRIGGER ON tb_doc TO stage_next; GRANT ALL ON SCHEMA public TO stage_next");
    let seen = Reads::during(&database, |reads| {
        for (def, ddl) in [
            (
                "function",
                "CREATE OR REPLACE FUNCTION slowly(pk int, n int) RETURNS int LANGUAGE plpgsql IMMUTABLE COST 100000 AS
                 $$BEGIN IF pk % 10 = 0 THEN PERFORM pg_sleep(0.006); END IF; RETURN 200 / n; END$$",
            ),
            ("owner", "ALTER TABLE tv_doc OWNER TO stage_next; ALTER VIEW v_doc OWNER TO stage_next"),
        ] {
            client.run(&redefine(def, "n"));
            client.wait_until(UNDER_WAY, WAIT);
            client.run(ddl);
            is_complete(&mut client, &format!("{def}|f"));
            reads.let_pass();
            client.assert_views_equal(&["doc"]);
        }
    });
    assert!(seen.contains("owner|f"), "{seen:?}");
    client.run("DROP OWNED BY stage_next CASCADE; DROP ROLE stage_next");
}

#[test]
fn a_row_that_fails_leaves_the_old_rows() {
    let cluster = cluster();
    let (_database, mut client) = open(&cluster, "stage_poison");
    let failing = |def: &str, key: i32| {
        redefine(def, "n").replace(
            "slowly(pk_doc, n)",
            &format!("slowly(pk_doc, n - (pk_doc = {key})::int)"),
        )
    };
    client.run(&failing("fails", 2900));
    client.wait_until("SELECT state = 'suspended' FROM pg_tview_meta", WAIT);
    assert_eq!(client.rows(SEEN), ["old|f"]);
    assert_eq!(
        client.rows("SELECT last_error, dead_letter_keys FROM pg_tview_status"),
        ["22012: division by zero|0"]
    );
    client.run("UPDATE tb_doc SET n = 2 WHERE pk_doc = 2900");
    is_complete(&mut client, "fails|f");
    // A change meanwhile fails.
    client.run(&redefine("change fails", "n"));
    client.wait_until(UNDER_WAY, WAIT);
    client.run("UPDATE tb_doc SET n = 0 WHERE pk_doc = 11");
    client.wait_until("SELECT state = 'suspended' FROM pg_tview_meta", WAIT);
    assert_eq!(client.rows(SEEN), ["fails|f"]);
    client.run("UPDATE tb_doc SET n = 1 WHERE pk_doc = 11");
    is_complete(&mut client, "change fails|f");
    // A row comes twice.
    client.run(&redefine("twice", "n").replace(
        "FROM tb_doc",
        "FROM tb_doc UNION ALL SELECT pk_doc, n, 0, 'other' FROM tb_doc WHERE pk_doc = 2950",
    ));
    client.wait_until(
        "SELECT state = 'suspended' AND last_error LIKE '21000: %' FROM pg_tview_status",
        WAIT,
    );
    assert_eq!(client.rows(SEEN), ["change fails|f"]);
    // With batches that write the table all other rows follow.
    client.run(&failing("without stage", 2900));
    client.run("UPDATE tb_doc SET n = 1 WHERE pk_doc = 2900");
    client.run("ALTER SYSTEM SET pg_tviews.redefine_limit = 0");
    client.run("SELECT pg_reload_conf()");
    client.wait_until("SELECT dead_letter_keys = 1 FROM pg_tview_status", WAIT);
    client.run("UPDATE tb_doc SET n = 2 WHERE pk_doc = 2900");
    is_complete(&mut client, "without stage|f");
}

#[test]
fn nobody_else_notices_the_stage() {
    let cluster = cluster();
    let (database, mut client) = open(&cluster, "stage_unnoticed");
    client.run(
        "CREATE ROLE stage_owner; CREATE ROLE stage_heir; CREATE ROLE stage_reader;
         GRANT ALL ON SCHEMA public TO stage_owner, stage_heir;
         GRANT SELECT, TRIGGER ON tb_doc TO stage_owner, stage_heir; ALTER VIEW v_doc OWNER TO stage_owner; ALTER TABLE tv_doc OWNER TO stage_owner;
         ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO stage_reader;
         CREATE PUBLICATION everything FOR ALL TABLES;
         CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'no DDL now'; END$$",
    );
    assert!(client.one::<bool>("SELECT pg_tviews_wait()"));
    client.run(&redefine("new", "n"));
    client.run("CREATE EVENT TRIGGER refuse ON ddl_command_start EXECUTE FUNCTION refuse()");
    client.run("CREATE EVENT TRIGGER refuse_too ON sql_drop EXECUTE FUNCTION refuse()");
    client.wait_until(UNDER_WAY, WAIT);
    let stage = client.one::<String>("SELECT stage::regclass::text FROM pg_tview_comparison");
    assert_eq!(
        client.rows(&format!(
            "SELECT has_table_privilege('stage_reader', '{stage}', 'SELECT'), has_table_privilege('stage_owner', '{stage}', 'INSERT'),
                    EXISTS (SELECT FROM pg_publication_tables WHERE tablename LIKE 'pg_tview_stage%')"
        )),
        ["f|t|f"]
    );
    let dump = cluster
        .program("pg_dump", &cluster.data())
        .arg("stage_unnoticed")
        .output();
    let dump = String::from_utf8(dump.expect("pg_dump ran").stdout).expect("text");
    assert!(
        dump.contains("tv_doc") && !dump.contains("pg_tview_stage"),
        "the dump names the stage"
    );
    client.run("DROP EVENT TRIGGER refuse; DROP EVENT TRIGGER refuse_too");
    client
        .run("REASSIGN OWNED BY stage_owner TO stage_heir; DROP OWNED BY stage_owner; DROP ROLE stage_owner");
    is_complete(&mut client, "new|f");
    client.run(&redefine("heir", "n"));
    client.wait_until(UNDER_WAY, WAIT);
    client.run("DROP OWNED BY stage_heir CASCADE");
    assert_eq!(client.one::<i64>(STAGES), 0);
    client.run("DROP ROLE stage_heir");
    drop(database);
}

#[test]
fn a_session_that_drains_does_the_same() {
    let cluster = Cluster::start(
        Options::without_preload()
            .set("pg_tviews.batch_size", "400")
            .set("pg_tviews.redefine_limit", "1ms"),
    );
    let database = Database::new(&cluster, "stage_drain");
    let mut client = database.client();
    client.run(
        "CREATE TABLE tb_doc (pk_doc int PRIMARY KEY, n int NOT NULL);
         INSERT INTO tb_doc SELECT i, 1 FROM generate_series(1, 30000) i",
    );
    let query = |def: &str| {
        format!("SELECT pg_tviews_create('doc', $$SELECT pk_doc, n, '{def}'::text AS def FROM tb_doc$$)")
    };
    client.run(&query("first"));
    client.run("CALL pg_tviews_drain()");
    client.run(&query("second"));
    let seen = Reads::during(&database, |reads| {
        reads.let_pass();
        client.run("CALL pg_tviews_drain()");
        assert_eq!(client.rows(SEEN), ["second|f"]);
    });
    assert!(seen.contains("first|f"), "{seen:?}");
    client.assert_views_equal(&["doc"]);
    assert_eq!(client.one::<i64>(STAGES), 0);
    assert_eq!(
        client.one::<i64>("SELECT count(*) FROM pg_tview_meta_audit WHERE operation = 'compare'"),
        2,
        "it was not done at once"
    );
}
