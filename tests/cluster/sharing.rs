//! Large backlogs that several workers apply together.

use std::time::Duration;

use postgres::Client;

use crate::harness::{Ask, Cluster, Database, Random, WAIT};
use crate::slow_documents::{self, cluster};

/// Keys of a backlog: many parts.
const ROWS: i32 = 4_000;

/// Documents that tell who has computed them.
fn open<'a>(cluster: &'a Cluster, name: &str) -> (Database<'a>, Client) {
    let (database, mut client) = slow_documents::create(cluster, name, (ROWS, 2, 100));
    client.run(
        "ALTER TABLE tv_doc ADD COLUMN by int;
         CREATE FUNCTION sign() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN new.by := pg_backend_pid(); RETURN new; END$$;
         CREATE TRIGGER sign BEFORE INSERT OR UPDATE ON tv_doc FOR EACH ROW EXECUTE FUNCTION sign()",
    );
    client.assert_follows(&["doc"]);
    client.started_workers();
    (database, client)
}

const HELPER: &str =
    "SELECT pid FROM pg_stat_activity WHERE query LIKE 'helping to refresh%' AND state = 'active'";

fn nothing_is_left(client: &mut Client) {
    slow_documents::nothing_is_left(client, "pg_tview_backlog_part");
}

#[test]
fn workers_share_a_backlog_and_the_audit_says_so_once() {
    let cluster = cluster();
    let (_database, mut client) = open(&cluster, "shared_backlog");
    client.run("UPDATE tb_doc SET n = 2 WHERE pk_doc > 10; DELETE FROM tb_doc WHERE pk_doc <= 10");
    client.wait_until("SELECT count(*) > 0 FROM pg_tview_backlog_part", WAIT);
    nothing_is_left(&mut client);
    assert_eq!(client.one::<i64>("SELECT count(DISTINCT by) FROM tv_doc"), 2);
    assert_eq!(
        client.rows(
            "SELECT keys_refreshed, rows_inserted, rows_updated, rows_deleted, status FROM pg_tview_meta_audit
              WHERE operation = 'refresh' ORDER BY audit_id DESC LIMIT 1"
        ),
        [format!("{ROWS}|0|{}|10|SUCCESS", ROWS - 10)]
    );
}

#[test]
fn a_worker_that_ends_in_the_middle_loses_nothing() {
    let cluster = cluster();
    let (_database, mut client) = open(&cluster, "shared_ended");
    let leader = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'refreshing %' AND state = 'active'";
    for (n, who) in [(2, HELPER), (3, leader)] {
        client.run(&format!("UPDATE tb_doc SET n = {n}"));
        client.wait_until(&format!("EXISTS ({HELPER})"), WAIT);
        client.run(&format!("SELECT pg_terminate_backend(pid) FROM ({who}) worker"));
        nothing_is_left(&mut client);
    }
}

#[test]
fn a_crash_in_the_middle_loses_nothing() {
    let cluster = cluster();
    let (database, mut client) = open(&cluster, "shared_crash");
    for n in [2, 3] {
        client.run(&format!("UPDATE tb_doc SET n = {n}"));
        client.wait_until(&format!("EXISTS ({HELPER})"), WAIT);
        let pid: i32 = client.one(&format!("{HELPER} LIMIT 1"));
        cluster.kill(pid, &mut client, &database.name);
        nothing_is_left(&mut client);
    }
}

#[test]
fn a_key_that_fails_in_a_part_is_the_only_one() {
    let cluster = cluster();
    let (_database, mut client) = open(&cluster, "shared_poison");
    client.run("UPDATE tb_doc SET n = CASE WHEN pk_doc IN (17, 3000) THEN 0 ELSE 5 END");
    assert!(client.one::<bool>("SELECT pg_tviews_wait()"));
    assert_eq!(
        client.rows("SELECT key FROM pg_tview_dead_letter ORDER BY key"),
        ["{\"pk_doc\": 17}", "{\"pk_doc\": 3000}"]
    );
    assert_eq!(
        client.one::<i64>("SELECT count(*) FROM tv_doc WHERE slow = 20"),
        i64::from(ROWS) - 2
    );
    client.run("UPDATE tb_doc SET n = 4");
    nothing_is_left(&mut client);
}

#[test]
fn a_row_that_is_held_keeps_the_position_and_nothing_else() {
    let cluster = cluster();
    let (database, mut client) = open(&cluster, "shared_held");
    let mut holder = database.client();
    holder.run("BEGIN; SELECT FROM tv_doc WHERE pk_doc = 2345 FOR UPDATE");
    client.run("UPDATE tb_doc SET n = 5");
    client.wait_until(
        &format!("SELECT count(*) = {ROWS} - 1 FROM tv_doc WHERE slow = 20"),
        WAIT,
    );
    assert!(!client.one::<bool>("SELECT pg_tviews_wait('doc', timeout => '300 ms')"));
    holder.run("COMMIT");
    nothing_is_left(&mut client);
}

#[test]
fn changes_during_a_shared_backlog_are_not_lost() {
    let cluster = cluster();
    let (database, mut client) = open(&cluster, "shared_changes");
    let mut random = Random::announced("changes_during_a_shared_backlog_are_not_lost");
    let mut writer = database.client();
    for round in 1..=3 {
        client.run(&format!("UPDATE tb_doc SET n = {round} + pk_doc % 7"));
        client.wait_until(&format!("EXISTS ({HELPER})"), WAIT);
        for _ in 0..100 {
            let key = random.upto(ROWS as u64);
            writer.run(&format!("UPDATE tb_doc SET n = n % 50 + 1 WHERE pk_doc = {key}"));
            std::thread::sleep(Duration::from_millis(3));
        }
        if round == 2 {
            // Another session does it meanwhile.
            writer.run("CALL pg_tviews_drain('doc')");
        }
        nothing_is_left(&mut client);
    }
}
