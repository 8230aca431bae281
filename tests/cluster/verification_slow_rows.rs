//! Rows that take too long to compare are passed over, and the rows after them are verified.

use postgres::Client;

use crate::harness::{Ask, Cluster, Database, Options, WAIT};
use crate::verification::{behind_the_back, cluster, verified_again, DRIFT};

/// A cluster with one worker: the bound of the TVIEWs limits the time of a slice.
fn one_worker() -> Cluster {
    Cluster::start(
        Options::preloaded()
            .set("pg_tviews.verify_cycle", "1")
            .set("pg_tviews.verify_share", "100")
            .set("pg_tviews.workers", "1")
            .set("pg_tviews.max_latency", "400"),
    )
}

/// Rows whose values take as long to compute as tb_slow says, which no TVIEW follows.
fn open<'c>(cluster: &'c Cluster, name: &str, rows: i32) -> (Database<'c>, Client) {
    let database = Database::new(cluster, name);
    let mut client = database.client();
    client.run(&format!(
        "CREATE TABLE tb_slow (key int PRIMARY KEY, seconds float8);
         CREATE FUNCTION slowly(key int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS
         $$BEGIN PERFORM pg_sleep(seconds) FROM public.tb_slow s WHERE s.key = $1; RETURN $1; END$$;
         CREATE TABLE tb_row (pk_row int PRIMARY KEY);
         INSERT INTO tb_row SELECT generate_series(1, {rows});
         CREATE TABLE tb_pair (a int, b int, PRIMARY KEY (a, b));
         INSERT INTO tb_pair SELECT i / 20, i % 20 FROM generate_series(1, {rows}) i;
         ANALYZE"
    ));
    (database, client)
}

const ROW: &str = "SELECT pg_tviews_create('row', 'SELECT pk_row, slowly(pk_row) AS n FROM tb_row')";

#[test]
fn rows_after_slow_ones_are_verified() {
    let cluster = one_worker();
    let (_database, mut client) = open(&cluster, "verify_slow_rows", 120);
    client.run(ROW);
    client.run(
        "SELECT pg_tviews_create('pair', 'SELECT a, b, slowly(a * 20 + b) AS n FROM tb_pair', key_columns => '{a,b}')",
    );
    for entity in ["row", "pair"] {
        verified_again(&mut client, entity);
    }
    // The first, the last, and two beside each other.
    client.run("INSERT INTO tb_slow SELECT unnest('{1,60,61,120}'::int[]), 60");
    behind_the_back(
        &mut client,
        "UPDATE tv_row SET n = -1 WHERE pk_row IN (2, 62); DELETE FROM tv_row WHERE pk_row = 119;
         INSERT INTO tv_row (pk_row, n) VALUES (121, 121);
         UPDATE tv_pair SET n = -1 WHERE a * 20 + b IN (62, 119)",
    );
    client.wait_until(&format!("SELECT ({DRIFT}) = 6"), 4 * WAIT);
    client.wait_until(
        "SELECT count(*) = 120 AND bool_and(n = pk_row) FROM tv_row",
        2 * WAIT,
    );
    client.wait_until(
        "SELECT count(*) = 120 AND bool_and(n = a * 20 + b) FROM tv_pair",
        2 * WAIT,
    );
    client.wait_until(
        "SELECT bool_and(unverified_rows = 4 AND verified_rows = 116 AND unverified_because = 'comparing one row takes longer than 200 ms')
           FROM pg_tview_status",
        4 * WAIT,
    );
    client.wait_until(
        "SELECT slow_keys = '[[\"1\",\"60\",\"61\",\"120\"]]' FROM pg_tview_verification WHERE tview_oid = 'tv_row'::regclass",
        2 * WAIT,
    );
    // It is nothing to warn of, however often it is met.
    verified_again(&mut client, "row");
    let log = cluster.read_log();
    assert!(
        !log.contains("takes longer") && !log.contains("took longer"),
        "{log}"
    );
    assert_eq!(client.one::<i64>(DRIFT), 6);
    client.run("DELETE FROM tb_slow");
    client.wait_until(
        "SELECT bool_and(unverified_rows = 0 AND verified_rows = 120 AND unverified_because IS NULL) FROM pg_tview_status",
        4 * WAIT,
    );
}

/// Few rows are compared in one slice, and one by one if that takes too long.
#[test]
fn a_slow_one_of_few_rows_is_passed_over() {
    let cluster = one_worker();
    let (_database, mut client) = open(&cluster, "verify_few_slow_rows", 6);
    client.run(ROW);
    verified_again(&mut client, "row");
    client.run("INSERT INTO tb_slow VALUES (3, 60)");
    behind_the_back(&mut client, "UPDATE tv_row SET n = -1 WHERE pk_row = 4");
    client.wait_until("SELECT n = 4 FROM tv_row WHERE pk_row = 4", 4 * WAIT);
    client.wait_until("SELECT unverified_rows = 1 FROM pg_tview_status", 4 * WAIT);
    assert_eq!(client.one::<i64>(DRIFT), 1);
}

/// Of rows that differ, too: the others are examined after one that takes too long.
#[test]
fn a_slow_suspect_is_passed_over() {
    let cluster = Cluster::start(
        Options::preloaded()
            .set("pg_tviews.verify_cycle", "600")
            .set("pg_tviews.verify_share", "100"),
    );
    let (_database, mut client) = open(&cluster, "verify_slow_suspect", 40);
    client.run(ROW);
    client.run("UPDATE pg_tview_definition SET created_at = created_at - interval '1 hour'");
    client.wait_until(
        "SELECT verified_at IS NOT NULL FROM pg_tview_status WHERE entity_name = 'row'",
        2 * WAIT,
    );
    client.run("INSERT INTO tb_slow VALUES (1, 60), (20, 60)");
    behind_the_back(&mut client, "UPDATE tv_row SET n = -1");
    // As if all rows had been found to differ while they were fast.
    client.run(
        "UPDATE pg_tview_verification
            SET suspects = (SELECT jsonb_build_array(jsonb_agg(i::text)) FROM generate_series(1, 40) i)::text",
    );
    client.wait_until(
        "SELECT count(*) = 38 FROM tv_row WHERE n = pk_row AND pk_row NOT IN (1, 20)",
        4 * WAIT,
    );
    client.wait_until(
        "SELECT slow_keys = '[[\"1\",\"20\"]]' AND suspects IS NULL FROM pg_tview_verification",
        2 * WAIT,
    );
    assert_eq!(
        client.rows("SELECT n FROM tv_row WHERE pk_row IN (1, 20)"),
        ["-1", "-1"]
    );
    assert_eq!(
        client.rows("SELECT drifted_keys, unverified_rows, unverified_because FROM pg_tview_status"),
        ["38|2|comparing one row takes longer than 1000 ms"]
    );
}

/// What waits for a lock is not slow: neither the slices while DDL waits, nor the code of the view.
#[test]
fn a_row_that_waits_for_a_lock_is_not_slow() {
    let cluster = cluster();
    let (database, mut client) = open(&cluster, "verify_lock", 200);
    client.run(ROW);
    verified_again(&mut client, "row");
    for locked in ["tb_row", "tb_slow"] {
        let mut holder = database.client();
        holder.run(&format!("BEGIN; LOCK TABLE {locked} IN ACCESS SHARE MODE"));
        let mut other = database.client();
        let pid: i32 = other.one("SELECT pg_backend_pid()");
        std::thread::scope(|scope| {
            let alter = format!("ALTER TABLE {locked} ADD COLUMN more int");
            let ddl = scope.spawn(move || other.run(&alter));
            client.wait_until(
                &format!("SELECT count(*) > 0 FROM pg_locks WHERE pid = {pid} AND NOT granted"),
                WAIT,
            );
            // Time in which rows would be passed over.
            std::thread::sleep(std::time::Duration::from_secs(4));
            assert_eq!(
                client.rows("SELECT slow_rows, unverified_rows FROM pg_tview_verification"),
                ["0|0"],
                "{locked}"
            );
            holder.run("COMMIT");
            ddl.join().expect("DDL succeeds");
        });
        verified_again(&mut client, "row");
    }
    assert_eq!(
        client.rows("SELECT unverified_rows, unverified_because, drifted_keys FROM pg_tview_status"),
        ["0|~|0"]
    );
}

/// A session that alters the table waits no longer than a slice takes.
#[test]
fn ddl_does_not_wait_for_slow_rows() {
    let cluster = cluster();
    let (_database, mut client) = open(&cluster, "verify_slow_ddl", 200);
    client.run(ROW);
    verified_again(&mut client, "row");
    client.run("INSERT INTO tb_slow SELECT i, 600 FROM generate_series(1, 200) i");
    client.wait_until("SELECT slow_rows > 0 FROM pg_tview_verification", 2 * WAIT);
    client.run("SET statement_timeout = '60s'");
    for number in 0..3 {
        client.run(&format!("ALTER TABLE tb_row ADD COLUMN more_{number} int"));
    }
}
