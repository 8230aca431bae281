//! Copies of a server or a database in the middle of a redefinition that fills a stage: the copy has the old rows, and makes the new ones.

use crate::harness::{Ask, Cluster, Options, StopMode, WAIT};
use crate::redefined_at_once::{OPEN, SEEN};
use crate::redefined_by_stage::{cluster, is_complete, open, options, UNDER_WAY};
use crate::stages_watched::redefine_behind_gate;

#[test]
fn a_standby_has_the_old_rows_and_fills_another_stage_once_promoted() {
    let primary = cluster();
    let (database, mut client) = open(&primary, "stage_promoted");
    let standby = Cluster::start_backup(&primary, &["-R"], Options::copied());
    redefine_behind_gate(&mut client, "new");
    let stage = client.one::<String>("SELECT stage::regclass::text FROM pg_tview_comparison");
    client.run("UPDATE tb_doc SET n = 2 WHERE pk_doc = 5");
    // A copy that is made now has an empty stage from the beginning.
    let copy = Cluster::start_backup(&primary, &[], options());
    let mut there = standby.client(&database.name);
    let now: String = client.one("SELECT pg_current_wal_lsn()::text");
    there.wait_until(&format!("SELECT pg_last_wal_replay_lsn() >= '{now}'"), WAIT);
    assert_eq!(there.rows(SEEN), ["old|f"]);
    assert_eq!(there.rows(UNDER_WAY), ["t"]);
    assert_eq!(
        there.rows("SELECT state, lag > '0' FROM pg_tview_status"),
        ["populating|t"]
    );
    there.fails(&format!("SELECT FROM {stage}"));
    there.run("SELECT FROM pg_tviews_health_check()");
    primary.stop(StopMode::Immediate);
    there.run("SELECT pg_promote()");
    for there in [&mut there, &mut copy.client(&database.name)] {
        there.started_workers();
        is_complete(there, "new|f");
        there.run("UPDATE tb_doc SET n = 3 WHERE pk_doc = 6");
        there.assert_follows(&["doc"]);
    }
}

#[test]
fn a_database_copied_meanwhile_goes_on_by_itself() {
    let cluster = cluster();
    let (database, mut client) = open(&cluster, "stage_template");
    redefine_behind_gate(&mut client, "new");
    client.run(OPEN);
    drop(client);
    let mut outside = cluster.client("postgres");
    outside.run("CREATE DATABASE stage_template_copy TEMPLATE stage_template");
    for name in ["stage_template_copy", &database.name] {
        let mut client = cluster.client(name);
        is_complete(&mut client, "new|f");
        client.run("UPDATE tb_doc SET n = 3 WHERE pk_doc = 6");
        client.assert_follows(&["doc"]);
    }
    outside.run("DROP DATABASE stage_template_copy");
}
