//! What an operator reads while a redefined TVIEW fills a stage: since when its rows stand still, and how many changes they miss.

use postgres::Client;

use crate::harness::{Ask, Cluster, WAIT};
use crate::redefined_at_once::{CLOSE, OPEN};
use crate::redefined_by_stage::{cluster, is_complete, open, redefine, UNDER_WAY};

/// A definition whose last rows are computed once no session has closed the gate.
pub fn redefine_behind_gate(client: &mut Client, def: &str) {
    client.run(
        "CREATE OR REPLACE FUNCTION gate(pk int) RETURNS int LANGUAGE plpgsql IMMUTABLE COST 1 AS
         $$BEGIN
             WHILE pk = 2990 AND NOT pg_try_advisory_xact_lock_shared(77) LOOP PERFORM pg_sleep(0.01); END LOOP;
             RETURN 0;
         END$$",
    );
    client.run(CLOSE);
    client.run(&redefine(def, "n").replace("slowly(pk_doc, n)", "slowly(pk_doc, n) + gate(pk_doc)"));
    client.wait_until(UNDER_WAY, WAIT);
}

fn now(client: &mut Client) -> String {
    client.one("SELECT clock_timestamp()::text")
}

#[test]
fn the_lag_counts_from_when_the_rows_stand_still() {
    let cluster: Cluster = cluster();
    let (_database, mut client) = open(&cluster, "stage_watched");
    let before = now(&mut client);
    redefine_behind_gate(&mut client, "new");
    let after = now(&mut client);
    for key in [5, 6, 7] {
        client.run(&format!("UPDATE tb_doc SET n = 2 WHERE pk_doc = {key}"));
    }
    // Most of the time, the changes are in the stage by then.
    client.wait_until(
        "SELECT NOT EXISTS (SELECT 1 FROM pg_tview_queue)
             OR EXISTS (SELECT 1 FROM pg_tview_progress WHERE started_at < clock_timestamp() - interval '5 s')",
        WAIT,
    );
    assert_eq!(
        client.rows(&format!(
            "SELECT state, pending_changes, oldest_pending_at BETWEEN '{before}' AND '{after}',
                    lag > clock_timestamp() - timestamptz '{after}' - interval '1 ms', within_bound
               FROM pg_tview_status"
        )),
        ["populating|3|t|t|f"]
    );
    assert_eq!(
        client.rows(&format!(
            "SELECT pending_commits >= 3, lag_seconds > extract(epoch FROM clock_timestamp() - '{after}') - 0.001
               FROM pg_tview_metrics"
        )),
        ["t|t"]
    );
    client.run("UPDATE pg_tview_meta SET max_latency = '1 ms'");
    let health = client.rows(
        "SELECT severity, message FROM pg_tviews_health_check() WHERE message LIKE 'the rows of public.tv_doc%'",
    );
    assert!(
        health.len() == 1 && health[0].starts_with("warning|") && health[0].contains("pg_tview_progress"),
        "{health:?}"
    );
    client.run(OPEN);
    is_complete(&mut client, "new|f");
    assert!(client.one::<bool>("SELECT pg_tviews_wait()"));
    assert_eq!(
        client.rows("SELECT state, pending_changes, oldest_pending_at IS NULL, lag = '0'::interval FROM pg_tview_status"),
        ["active|0|t|t"]
    );
}
