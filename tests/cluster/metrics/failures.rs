//! Failures by class, and how late TVIEWs are that are not refreshed.

use std::time::Duration;

use super::{metric, shares};
use crate::harness::{shared, Ask, WAIT};

#[test]
fn failures_are_counted_by_class() {
    let (database, mut client) = shares(shared(), "metrics_failures");
    client.run("UPDATE tb_item SET divisor = 0 WHERE pk_item = 3");
    client.wait_until(
        "SELECT failures_data > 0 AND dead_letter_keys = 1 FROM pg_tview_metrics",
        WAIT,
    );
    assert_eq!(metric(&mut client, "failures_view, failed_seconds > 0"), "0|t");
    client.run("UPDATE tb_item SET divisor = 1 WHERE pk_item = 3");
    client.wait_until("SELECT dead_letter_keys = 0 FROM pg_tview_metrics", WAIT);
    client.run("BEGIN; LOCK TABLE tv_item IN SHARE MODE");
    let mut writer = database.client();
    writer.run("UPDATE tb_item SET name = 'late' WHERE pk_item = 1");
    // The table is held: that is no failure, and the changes wait.
    client.wait_until(
        "SELECT pending_commits >= 1 AND lag_seconds > 0.2 FROM pg_tview_metrics",
        WAIT,
    );
    client.run("COMMIT");
    client.wait_until(
        "SELECT pending_commits = 0 AND lag_seconds = 0 FROM pg_tview_metrics",
        WAIT,
    );
}

#[test]
fn a_lock_on_rows_counts_as_such() {
    let (database, mut client) = shares(shared(), "metrics_lock");
    let mut holder = database.client();
    holder.run("BEGIN; SELECT * FROM tv_item WHERE pk_item = 1 FOR UPDATE");
    client.run("UPDATE tb_item SET name = 'held' WHERE pk_item = 1");
    client.wait_until("SELECT failures_lock > 0 FROM pg_tview_metrics", WAIT);
    holder.run("COMMIT");
    client.assert_follows(&["item"]);
    assert_eq!(
        metric(&mut client, "failures_data + failures_view + failures_server"),
        "0"
    );
}

#[test]
fn what_a_paused_tview_waits_for_is_counted() {
    let (_database, mut client) = shares(shared(), "metrics_paused");
    // A worker has to know the TVIEW: what was committed before counts as absorbed then.
    client.run("UPDATE tb_item SET name = 'known' WHERE pk_item = 1");
    client.wait_until(
        "SELECT refreshes > 0 AND pending_commits = 0 FROM pg_tview_metrics",
        WAIT,
    );
    // Workers that give their slot to another database, and come back, count from then on.
    let counted = (0..5).any(|_| {
        client.run("SELECT pg_tviews_pause('item')");
        for _ in 0..3 {
            client.run("UPDATE tb_item SET name = name || '+' WHERE pk_item = 1");
        }
        let counted = (0..100).any(|_| {
            std::thread::sleep(Duration::from_millis(100));
            metric(
                &mut client,
                "state || ' ' || pending_commits || ' ' || (lag_seconds > 0.3)",
            ) == "paused 3 true"
        });
        if !counted {
            eprintln!("{}", metric(&mut client, "state, pending_commits, lag_seconds"));
            client.run("SELECT pg_tviews_resume('item')");
            client.assert_follows(&["item"]);
        }
        counted
    });
    assert!(counted);
    client.run("SELECT pg_tviews_resume('item')");
    client.wait_until(
        "SELECT pending_commits = 0 AND lag_seconds = 0 FROM pg_tview_metrics",
        WAIT,
    );
}

#[test]
fn a_suspended_tview_is_late_until_its_view_works() {
    let (_database, mut client) = shares(shared(), "metrics_suspended");
    client.run("DROP VIEW v_item; UPDATE tb_item SET name = 'waits' WHERE pk_item = 1");
    client.wait_until(
        "SELECT state = 'suspended' AND lag_seconds > 0.3 AND pending_commits > 0 FROM pg_tview_metrics",
        WAIT,
    );
    client.run("CREATE VIEW v_item AS SELECT pk_item, jsonb_build_object('name', name) AS data FROM tb_item");
    client.wait_until(
        "SELECT state = 'active' AND lag_seconds = 0 AND pending_commits = 0 FROM pg_tview_metrics",
        WAIT,
    );
}
