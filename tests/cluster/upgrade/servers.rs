//! pg_upgrade from an older server, with the SQL objects of every released version.

use super::{faults_of_versions, released, UPDATE};
use crate::blog;
use crate::harness::{older_server, Ask, Cluster, Options, StopMode, WAIT};
use crate::redefined_by_stage;
use crate::stages_watched::redefine_behind_gate;

#[test]
fn pg_upgrade_from_an_older_server_loses_no_change() {
    let Some(programs) = older_server() else { return };
    let old = Cluster::start(Options::preloaded().of_server(&programs));
    let versions = released();
    for version in &versions {
        old.client("postgres")
            .run(&format!("CREATE DATABASE {}", name(version)));
        let mut client = old.client(&name(version));
        client.run(&format!("CREATE EXTENSION pg_tviews VERSION '{version}'"));
        blog::create(&mut client);
        // What has another OID afterwards, or other names in the catalogs.
        client.run(
            "CREATE TYPE pair AS (a text, n int);
             CREATE FUNCTION paired(a text, n int) RETURNS pair LANGUAGE plpgsql IMMUTABLE AS $$BEGIN RETURN (a, n); END$$;
             CREATE COLLATION folded (provider = libc, locale = 'C');
             SELECT pg_tviews_create('pair', 'SELECT pk_user AS pk_pair, paired(name, score) AS p, lower(name COLLATE folded) AS l FROM tb_user');
             SELECT pg_tviews_create('gone', 'SELECT pk_user AS pk_gone, name FROM tb_user')",
        );
        client.assert_follows(&blog::ENTITIES);
        client.run("SELECT pg_tviews_pause('user'); DROP VIEW v_gone");
        client.wait_until(
            "SELECT state = 'suspended' FROM pg_tview_meta WHERE entity_name = 'gone'",
            WAIT,
        );
        client.run("UPDATE tb_user SET name = 'before'; DELETE FROM tb_post WHERE pk_post = 3");
    }
    old.stop(StopMode::Fast);
    let new = Cluster::create(Options::preloaded());
    new.upgrade_from(&old);
    new.start_server();
    for version in &versions {
        let mut client = new.client(&name(version));
        assert!(client.one::<bool>("SELECT count(*) > 0 FROM pg_tview_queue WHERE keys IS NOT NULL"));
        assert_eq!(
            client.rows("SELECT entity_name, state FROM pg_tview_meta WHERE state IN ('paused', 'suspended') ORDER BY 1"),
            ["gone|suspended", "user|paused"]
        );
        for entity in ["feed", "post", "pair"] {
            assert!(client.one::<bool>(&format!("SELECT pg_tviews_wait('{entity}')")));
        }
        client.assert_views_equal(&["feed", "post", "pair"]);
        client.run(UPDATE);
        assert!(faults_of_versions(&mut client).is_empty());
        client.run("SELECT pg_tviews_resume('user'); CREATE VIEW v_gone AS SELECT pk_user AS pk_gone, name FROM tb_user");
        client.wait_until(
            "SELECT count(*) = 6 FROM pg_tview_meta WHERE state = 'active'",
            WAIT,
        );
        client.run("UPDATE tb_user SET score = 7, name = 'after' WHERE pk_user < 5; INSERT INTO tb_post (fk_user, title) VALUES (2, 'new')");
        client.assert_follows(&blog::ENTITIES);
        client.assert_views_equal(&["pair", "gone"]);
        client.assert_queue_empties();
    }
}

#[test]
fn a_stage_is_filled_again_after_pg_upgrade() {
    let Some(programs) = older_server() else { return };
    let old = Cluster::start(redefined_by_stage::options().of_server(&programs));
    let (database, mut client) = redefined_by_stage::open(&old, "stage_upgraded");
    redefine_behind_gate(&mut client, "new");
    client.run("UPDATE tb_doc SET n = 2 WHERE pk_doc = 5");
    old.stop(StopMode::Fast);
    let new = Cluster::create(redefined_by_stage::options());
    new.upgrade_from(&old);
    new.start_server();
    let mut client = new.client(&database.name);
    redefined_by_stage::is_complete(&mut client, "new|f");
    client.run("UPDATE tb_doc SET n = 3 WHERE pk_doc = 6");
    client.assert_follows(&["doc"]);
}

fn name(version: &str) -> String {
    format!("servers_{}", version.replace('.', "_"))
}
