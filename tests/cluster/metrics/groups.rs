//! What is counted of TVIEWs that are refreshed in one transaction.

use std::time::Instant;

use postgres::Client;

use crate::harness::{shared, Ask, Cluster, Database, WAIT};

/// Two members of a group, of which the second fails for a divisor of 0.
fn group<'a>(cluster: &'a Cluster, name: &str) -> (Database<'a>, Client) {
    let database = Database::new(cluster, name);
    let mut client = database.client();
    client.run(
        "CREATE TABLE tb_a (pk_a int PRIMARY KEY, n int NOT NULL);
         CREATE TABLE tb_b (pk_b int PRIMARY KEY, n int NOT NULL);
         INSERT INTO tb_a SELECT i, 1 FROM generate_series(1, 20) i;
         INSERT INTO tb_b SELECT i, 1 FROM generate_series(1, 20) i;
         SELECT pg_tviews_create('a', 'SELECT pk_a, n FROM tb_a');
         SELECT pg_tviews_create('b', 'SELECT pk_b, n, 100 / n AS share FROM tb_b');
         UPDATE pg_tview_meta SET refresh_group = 'both'",
    );
    client.started_workers();
    client.assert_follows(&["a", "b"]);
    client.wait_until(
        "SELECT count(*) = 2 AND count(counted_since) = 2 AND sum(pending_commits) = 0 FROM pg_tview_metrics",
        WAIT,
    );
    (database, client)
}

#[test]
fn each_member_of_a_group_is_counted() {
    let (_database, mut client) = group(shared(), "metrics_group");
    let values = "refreshes, rows_updated, changes_read, keys_refreshed, latency_count, latency_sum, recompute_seconds, commit_seconds";
    client.run(&format!(
        "CREATE TABLE before AS SELECT entity_name, {values} FROM pg_tview_metrics;
         CREATE TABLE audited AS SELECT coalesce(max(audit_id), 0) AS audit_id FROM pg_tview_meta_audit"
    ));
    let together = "SELECT count(DISTINCT entity_name) = 2 FROM pg_tview_meta_audit
                     WHERE operation = 'refresh' AND position::text = (SELECT position::text FROM pg_tview_meta_audit
                                                    WHERE operation = 'refresh' ORDER BY audit_id DESC LIMIT 1)";
    let (begin, mut writes) = (Instant::now(), 0);
    loop {
        client.run("BEGIN; UPDATE tb_a SET n = n + 1 WHERE pk_a <= 3; UPDATE tb_b SET n = n + 1 WHERE pk_b <= 5; COMMIT");
        writes += 1;
        client.assert_follows(&["a", "b"]);
        if client.one::<bool>(together) {
            break;
        }
        assert!(begin.elapsed() < WAIT, "not refreshed together");
    }
    let counted = "SELECT bool_and(m.refreshes - b.refreshes = a.refreshes AND m.latency_count - b.latency_count = a.refreshes
                     AND m.latency_sum > b.latency_sum AND m.recompute_seconds > b.recompute_seconds
                     AND m.commit_seconds > b.commit_seconds AND m.pending_commits = 0 AND m.lag_seconds = 0)
                   FROM pg_tview_metrics m JOIN before b USING (entity_name)
                   JOIN (SELECT entity_name, count(*) AS refreshes FROM pg_tview_meta_audit
                          WHERE operation = 'refresh' AND audit_id > (SELECT audit_id FROM audited) GROUP BY 1) a USING (entity_name)";
    client.wait_until(counted, WAIT);
    let rows = "SELECT entity_name, m.rows_updated - b.rows_updated, m.changes_read - b.changes_read, m.keys_refreshed - b.keys_refreshed
                  FROM pg_tview_metrics m JOIN before b USING (entity_name) ORDER BY 1";
    let expected =
        [("a", 3 * writes), ("b", 5 * writes)].map(|(name, rows)| format!("{name}|{rows}|{rows}|{rows}"));
    assert_eq!(client.rows(rows), expected);
}

#[test]
fn what_a_group_has_rolled_back_is_counted_as_time_only() {
    let (_database, mut client) = group(shared(), "metrics_group_failed");
    client
        .run("CREATE TABLE before AS SELECT entity_name, rows_updated, failed_seconds FROM pg_tview_metrics");
    client.run(
        "BEGIN; UPDATE tb_a SET n = 2 WHERE pk_a <= 3; UPDATE tb_b SET n = pk_b - 1 WHERE pk_b <= 2; COMMIT",
    );
    client.wait_until("SELECT sum(dead_letter_keys) = 1 FROM pg_tview_metrics", WAIT);
    client.run("SELECT pg_tviews_wait()");
    client.wait_until(
        "SELECT sum(pending_commits) = 0 AND sum(lag_seconds) = 0 FROM pg_tview_metrics",
        WAIT,
    );
    let rows = "SELECT entity_name, m.rows_updated - b.rows_updated, m.failed_seconds > b.failed_seconds, failures_data > 0
                  FROM pg_tview_metrics m JOIN before b USING (entity_name) ORDER BY 1";
    assert_eq!(client.rows(rows), ["a|3|t|f", "b|0|t|t"]);
}

#[test]
fn an_attempt_of_a_group_that_fails_is_counted_for_the_member_that_fails() {
    let (_database, mut client) = group(shared(), "metrics_group_attempts");
    client.run(
        "CREATE TABLE in_the_way (); CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS
         $$BEGIN IF to_regclass('public.in_the_way') IS NOT NULL THEN RAISE 'in the way' USING ERRCODE = '40P01'; END IF; RETURN new; END$$;
         CREATE TRIGGER fail BEFORE UPDATE ON tv_b FOR EACH ROW EXECUTE FUNCTION fail()",
    );
    client.run("BEGIN; UPDATE tb_a SET n = 2 WHERE pk_a = 1; UPDATE tb_b SET n = 2 WHERE pk_b = 1; COMMIT");
    client.wait_until(
        "SELECT failures_lock > 0 FROM pg_tview_metrics WHERE entity_name = 'b'",
        WAIT,
    );
    client.run("DROP TABLE in_the_way");
    client.assert_follows(&["a", "b"]);
    assert_eq!(
        client.rows("SELECT failures_lock FROM pg_tview_metrics WHERE entity_name = 'a'"),
        ["0"]
    );
}
