//! Readers leave out blocks of the queue that cannot have rows for them. Whatever moves rows, none is passed over.

use std::time::Instant;

use postgres::Client;

use crate::harness::{shared, Ask, Cluster, Database, Options, StopMode, WAIT};

/// Tables with a TVIEW each, all caught up: from then on their positions are later than what shared memory knows of.
fn open(name: &str, entities: &[&str]) -> (Database<'static>, Client) {
    open_in(shared(), name, entities)
}

fn open_in<'a>(cluster: &'a Cluster, name: &str, entities: &[&str]) -> (Database<'a>, Client) {
    let database = Database::new(cluster, name);
    let mut client = database.client();
    for entity in entities {
        client.run(&format!(
            "CREATE TABLE tb_{entity} (pk_{entity} int PRIMARY KEY, n int);
             INSERT INTO tb_{entity} SELECT i, 0 FROM generate_series(1, 1000) i;
             SELECT pg_tviews_create('{entity}', 'SELECT pk_{entity}, n FROM tb_{entity}')"
        ));
    }
    for n in 1..3 {
        for entity in entities {
            client.run(&format!(
                "UPDATE tb_{entity} SET n = -{n} WHERE pk_{entity} = {n}"
            ));
        }
        client.assert_follows(entities);
    }
    (database, client)
}

/// Each in a transaction of its own.
fn change(client: &mut Client, entity: &str, times: i32) {
    client.run(&format!(
        "DO $$ BEGIN FOR i IN 1..{times} LOOP
             UPDATE tb_{entity} SET n = i WHERE pk_{entity} = 1 + i % 1000; COMMIT;
         END LOOP; END $$"
    ));
}

fn follows_after_resume(client: &mut Client, entity: &str) {
    client.run(&format!("SELECT pg_tviews_resume('{entity}')"));
    client.assert_follows(&[entity]);
}

#[test]
fn rows_that_a_renamed_column_moves_are_found() {
    let (_database, mut client) = open("moved_rows", &["item"]);
    client.run("SELECT pg_tviews_pause('item')");
    change(&mut client, "item", 300);
    let blocks = "SELECT (ctid::text::point)[0] AS block FROM pg_tview_queue";
    let before: f64 = client.one(&format!("SELECT max(block) FROM ({blocks}) q"));
    client.run("ALTER TABLE tb_item RENAME COLUMN pk_item TO id");
    let moved: i64 = client.one(&format!(
        "SELECT count(*) FROM ({blocks}) q WHERE block > {before}"
    ));
    assert!(moved > 50, "{moved} rows are in blocks where no writer was");
    follows_after_resume(&mut client, "item");
    client.assert_queue_empties();
}

#[test]
fn rows_that_a_rewritten_queue_has_elsewhere_are_found() {
    let (_database, mut client) = open("rewritten_queue", &["item", "other"]);
    client.run("SELECT pg_tviews_pause('item'), pg_tviews_pause('other')");
    change(&mut client, "other", 1000);
    change(&mut client, "item", 20);
    client.run("BEGIN; UPDATE tb_item SET n = 7 WHERE pk_item = 777; PREPARE TRANSACTION 'rewritten_queue'");
    client.run("SELECT pg_tviews_drop('other')");
    client.wait_until("SELECT count(*) = 20 FROM pg_tview_queue", WAIT);
    client.run("COMMIT PREPARED 'rewritten_queue'");
    // Deleted rows stay while the oldest transaction of the server, in any database, may see them.
    let last = "SELECT max((ctid::text::point)[0]) FROM pg_tview_queue";
    let deadline = Instant::now() + WAIT;
    loop {
        client.run("VACUUM FULL pg_tview_queue");
        if client.one::<f64>(last) < 2.0 {
            break;
        }
        assert!(Instant::now() < deadline, "{}", client.one::<f64>(last));
    }
    follows_after_resume(&mut client, "item");
}

/// As an administrator might have a row computed again.
#[test]
fn rows_that_sql_has_inserted_are_found() {
    let (_database, mut client) = open("inserted_rows", &["item"]);
    client.run(
        "SET pg_tviews.allow_table_writes = on;
         UPDATE tv_item SET n = 99 WHERE pk_item = 5;
         BEGIN;
         INSERT INTO pg_tview_queue SELECT pg_current_xact_id(), 'pg_class', 'UPDATE', '[]', now() FROM generate_series(1, 500);
         INSERT INTO pg_tview_queue VALUES (pg_current_xact_id(), 'tb_item', 'UPDATE', '[{\"pk_item\": 5}]', now());
         COMMIT",
    );
    client.run("CALL pg_tviews_drain()");
    client.assert_views_equal(&["item"]);
}

#[test]
fn a_first_change_after_long_reads_little_of_the_backlog_of_others() {
    const QUIET: [&str; 6] = ["quiet1", "quiet2", "quiet3", "quiet4", "quiet5", "quiet6"];
    let entities = ["busy"].iter().chain(&QUIET).copied().collect::<Vec<_>>();
    let (_database, mut client) = open("quiet_sources", &entities);
    client.run("SELECT pg_tviews_pause('busy')");
    change(&mut client, "busy", 8_000);
    let blocks: i64 = client.one("SELECT pg_relation_size('pg_tview_queue') / 8192");
    assert!(blocks > 70, "{blocks}");
    client.run("SELECT pg_stat_force_next_flush()");
    // Trims read all, as often as there is time for.
    let read = format!(
        "SELECT heap_blks_read + heap_blks_hit - seq_scan * {blocks}
           FROM pg_statio_user_tables JOIN pg_stat_user_tables USING (relid, relname) WHERE relname = 'pg_tview_queue'"
    );
    let before: i64 = client.one(&read);
    for entity in QUIET {
        client.run(&format!("UPDATE tb_{entity} SET n = 8 WHERE pk_{entity} = 8"));
    }
    for entity in QUIET {
        assert!(client.one::<bool>(&format!("SELECT pg_tviews_wait('{entity}')")));
    }
    client.assert_views_equal(&QUIET);
    client.run("SELECT pg_stat_force_next_flush()");
    client.wait_until(
        "SELECT n_tup_ins >= (SELECT max(audit_id) FROM pg_tview_meta_audit)
           FROM pg_stat_user_tables WHERE relname = 'pg_tview_meta_audit'",
        WAIT,
    );
    let read = client.one::<i64>(&read) - before;
    // Each worker may read all once.
    assert!(
        read < blocks * QUIET.len() as i64,
        "{read} blocks were read of {blocks}"
    );
    follows_after_resume(&mut client, "busy");
}

/// PostgreSQL names the index as versions before 0.3.0 did.
#[test]
fn an_index_that_an_administrator_adds_changes_nothing() {
    let (_database, mut client) = open("added_index", &["item"]);
    client.run("CREATE INDEX ON pg_tview_queue (source_oid, xid)");
    let is_named = "SELECT to_regclass('pg_tview_queue_source_oid_xid_idx') IS NOT NULL";
    assert!(client.one::<bool>(is_named));
    change(&mut client, "item", 10);
    client.assert_follows(&["item"]);
    client.assert_queue_empties();
}

/// Their positions are older than what shared memory knows of.
#[test]
fn tviews_that_nothing_changes_do_not_read_the_backlog_of_others_again_and_again() {
    const QUIET: i64 = 20;
    let (_database, mut client) = open("unchanged_tviews", &["busy"]);
    client.run(&format!(
        "DO $$ BEGIN FOR i IN 1..{QUIET} LOOP
             EXECUTE format('CREATE TABLE tb_quiet%s (pk_quiet%s int PRIMARY KEY)', i, i);
             PERFORM pg_tviews_create('quiet' || i, format('SELECT pk_quiet%s FROM tb_quiet%s', i, i));
         END LOOP; END $$;
         SELECT pg_tviews_pause('busy')"
    ));
    change(&mut client, "busy", 8_000);
    client.run("VACUUM FULL pg_tview_queue");
    let status = "SELECT count(*) FROM pg_tview_status";
    client.one::<i64>(status);
    let read =
        "SELECT heap_blks_read + heap_blks_hit FROM pg_statio_user_tables WHERE relname = 'pg_tview_queue'";
    client.run("SELECT pg_stat_force_next_flush()");
    let before: i64 = client.one(read);
    assert_eq!(client.one::<i64>(status), QUIET + 1);
    client.run("SELECT pg_stat_force_next_flush()");
    let (read, blocks) = (
        client.one::<i64>(read) - before,
        client.one::<i64>("SELECT pg_relation_size('pg_tview_queue') / 8192"),
    );
    assert!(blocks > 70, "{blocks}");
    assert!(read < QUIET / 2 * blocks, "{read} blocks were read of {blocks}");
    follows_after_resume(&mut client, "busy");
}

#[test]
fn empty_blocks_are_ready_before_one_is_needed() {
    let cluster = Cluster::start(Options::preloaded());
    let (database, mut client) = open_in(&cluster, "empty_blocks", &["busy"]);
    client.run("SELECT pg_tviews_pause('busy')");
    let sizes = "SELECT pg_relation_size('pg_tview_queue') / 8192, max((ctid::text::point)[0])::int8 + 1 FROM pg_tview_queue";
    change(&mut client, "busy", 8_000);
    let row = client.query_one(sizes, &[]).expect("sizes");
    let (all, used): (i64, i64) = (row.get(0), row.get(1));
    assert!(
        used > 64 && all > used + 16 && all <= used + 66,
        "{used} of {all} blocks have rows"
    );
    // What is in memory only is lost.
    cluster.restart(StopMode::Immediate);
    let mut client = database.client();
    change(&mut client, "busy", 4_000);
    follows_after_resume(&mut client, "busy");
    client.assert_queue_empties();
}
