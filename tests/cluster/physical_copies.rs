//! Copies of a whole cluster: positions come along with the changes they belong to, and workers start once the copy
//! may be written.

use postgres::error::SqlState;
use std::time::Duration;

use crate::blog;
use crate::harness::{server_program, Ask, Cluster, Folder, Load, Options, Random, StopMode, WAIT};

const UPDATE_SLOW: &str = "UPDATE tb_slow SET n = n + 1";

#[test]
fn standby_promoted_in_the_middle_of_a_refresh_with_a_prepared_transaction() {
    let primary = Cluster::start(Options::preloaded());
    let (database, mut client) = blog::open(&primary, "promoted");
    blog::create_slow(&mut client);
    let standby = Cluster::start_backup(&primary, &["-R"], Options::copied());
    let plan = blog::writers_through_crashes(&primary, &database.name);
    client.run("INSERT INTO tb_user (pk_user, name) VALUES (1000, 'before')");
    client.run("BEGIN; UPDATE tb_user SET name = 'prepared' WHERE pk_user = 1000");
    client.run("PREPARE TRANSACTION 'promoted'");
    let mut there = standby.client(&database.name);
    assert!(there.workers().is_empty(), "workers on a standby");
    let error = there.fails("SELECT pg_tviews_wait()");
    assert_eq!(error.code(), &SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE);
    Load::during(&plan, 2, &Random::announced("standby_promoted"), |load| {
        load.let_pass(20);
        client.run("UPDATE knob SET seconds = 20");
        client.run(UPDATE_SLOW);
        client.wait_until(
            "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'PgSleep'",
            WAIT,
        );
        load.let_pass(20);
        let now: String = client.one("SELECT pg_current_wal_lsn()::text");
        let replayed = format!("SELECT pg_last_wal_replay_lsn() >= '{now}'");
        there.wait_until(&replayed, WAIT);
        primary.stop(StopMode::Immediate);
    });
    there.run("SELECT pg_promote()");
    there.run("UPDATE knob SET seconds = 0");
    there.started_workers();
    there.assert_follows(&blog::ENTITIES);
    there.assert_follows(&["slow"]);
    assert_eq!(there.rows("SELECT n FROM tv_slow"), ["2"]);
    there.run("COMMIT PREPARED 'promoted'");
    there.assert_follows(&blog::ENTITIES);
    assert_eq!(
        there.rows("SELECT data->>'name' FROM tv_user WHERE pk_user = 1000"),
        ["prepared"]
    );
    there.run("UPDATE tb_user SET name = 'promoted'");
    there.assert_follows(&blog::ENTITIES);
    there.assert_queue_empties();
}

#[test]
fn recovery_to_a_point_in_time() {
    let archive = Folder::new();
    let options = Options::preloaded()
        .set("archive_mode", "on")
        .set("archive_command", &format!("cp %p {}", archive.join("%f")));
    let original = Cluster::start(options);
    let (database, mut client) = blog::open(&original, "recovered");
    let recovery = Options::copied()
        .set("archive_mode", "off")
        .set("restore_command", &format!("cp {} %p", archive.join("%f")))
        .set("recovery_target_name", "here")
        .set("recovery_target_action", "promote");
    let copy = Cluster::create_backup(&original, &["-X", "none"], recovery);
    let plan = blog::writers(&original, &database.name);
    let random = Random::announced("recovery_to_a_point_in_time");
    Load::during(&plan, 2, &random, |load| {
        load.let_pass(20);
        client.run("SELECT pg_create_restore_point('here')");
        load.let_pass(20);
        client.run("UPDATE tb_user SET name = 'too late'");
    });
    client.assert_follows(&blog::ENTITIES);
    let last: String = client.one("SELECT pg_walfile_name(pg_switch_wal())");
    client.wait_until(
        &format!("SELECT last_archived_wal >= '{last}' FROM pg_stat_archiver"),
        Duration::from_secs(20),
    );
    let signal = copy.data().join("recovery.signal");
    assert!(server_program("/usr/bin/touch")
        .arg(signal)
        .status()
        .is_ok_and(|status| status.success()));
    copy.start_server();
    let mut there = copy.client(&database.name);
    there.wait_until("SELECT NOT pg_is_in_recovery()", WAIT);
    there.assert_follows(&blog::ENTITIES);
    let late = "SELECT count(*) FROM tv_user WHERE data->>'name' = 'too late'";
    assert_eq!(there.rows(late), ["0"]);
    there.run("UPDATE tb_user SET name = 'another past'");
    there.assert_follows(&blog::ENTITIES);
    there.assert_queue_empties();
}

#[test]
fn server_in_binary_upgrade_mode_runs_no_workers() {
    let cluster = Cluster::start(Options::preloaded());
    let (database, mut client) = blog::open(&cluster, "upgrade_mode");
    client.assert_follows(&blog::ENTITIES);
    client.run("UPDATE tb_user SET name = 'just before'");
    drop(client);
    cluster.stop(StopMode::Fast);
    cluster.start_server_with("-b");
    let mut client = database.client();
    std::thread::sleep(Duration::from_millis(1500));
    let ours = "SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'pg_tviews%'";
    assert_eq!(client.rows(ours), ["0"]);
    drop(client);
    cluster.restart(StopMode::Fast);
    database.client().assert_follows(&blog::ENTITIES);
}

#[test]
fn upgraded_cluster_goes_on_where_it_stopped() {
    let old = Cluster::start(Options::preloaded());
    let (database, mut client) = blog::open(&old, "upgraded");
    client.assert_follows(&blog::ENTITIES);
    client.run("SELECT pg_tviews_pause('user')");
    client.run("UPDATE tb_user SET name = 'before the upgrade'");
    drop(client);
    old.stop(StopMode::Fast);
    let new = Cluster::create(Options::preloaded());
    new.upgrade_from(&old);
    new.start_server();
    let mut client = new.client(&database.name);
    let waiting = "SELECT count(*) > 0 FROM pg_tview_queue WHERE keys IS NOT NULL";
    assert!(client.one::<bool>(waiting), "changes were lost");
    assert_eq!(
        client.rows("SELECT state FROM pg_tview_meta WHERE entity_name = 'user'"),
        ["paused"]
    );
    client.run("SELECT pg_tviews_resume('user')");
    client.assert_follows(&blog::ENTITIES);
    client.run("DELETE FROM tb_post WHERE pk_post < 10");
    client.assert_follows(&blog::ENTITIES);
    assert_eq!(
        client.rows("SELECT count(*) FROM pg_tview_meta_audit WHERE operation = 'redefine'"),
        ["0"]
    );
}
