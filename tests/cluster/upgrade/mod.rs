//! From each version that was released: its SQL objects under this library, ALTER EXTENSION UPDATE, and what is there then.

mod servers;

use std::collections::BTreeSet;

use postgres::Client;

use crate::blog;
use crate::guide::Project;
use crate::harness::{repository, shared, Ask, Database, Load, Random, WAIT};

const OBJECTS: &str = include_str!("objects.sql");
const UPDATE: &str = "ALTER EXTENSION pg_tviews UPDATE";

/// The released versions: those whose installation scripts are kept.
fn released() -> Vec<String> {
    let scripts = std::fs::read_dir(repository().join("sql")).expect("there are scripts");
    let versions: BTreeSet<String> = scripts
        .filter_map(|script| script.ok()?.file_name().into_string().ok())
        .filter_map(|name| {
            let version = name.strip_prefix("pg_tviews--")?.strip_suffix(".sql")?;
            (!version.contains("--")).then(|| version.to_string())
        })
        .filter(|version| version != env!("CARGO_PKG_VERSION"))
        .collect();
    assert!(versions.contains("0.1.0"), "{versions:?}");
    versions.into_iter().collect()
}

/// What a script does, in any order: pgrx writes objects in the order of its graph, with the lines of the source.
fn lines(script: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = script
        .lines()
        .filter(|line| !line.starts_with("-- src/"))
        .collect();
    lines.sort_unstable();
    lines
}

#[test]
fn a_released_version_keeps_its_objects() {
    let current = format!("pg_tviews--{}.sql", env!("CARGO_PKG_VERSION"));
    let Ok(kept) = std::fs::read_to_string(repository().join("sql").join(&current)) else {
        return;
    };
    let folder = shared()
        .client("postgres")
        .one::<String>("SELECT setting FROM pg_config WHERE name = 'SHAREDIR'");
    let installed =
        std::fs::read_to_string(format!("{folder}/extension/{current}")).expect("it is installed");
    assert_eq!(
        lines(&installed),
        lines(&kept),
        "the version is released: raise it with scripts/version.sh"
    );
}

/// A database with the objects of a version.
fn install(name: &str, version: &str) -> (Database<'static>, Client) {
    let name = format!("{name}_{}", version.replace('.', "_"));
    let database = Database::without_extension(shared(), &name);
    let mut client = database.client();
    client.run(&format!("CREATE EXTENSION pg_tviews VERSION '{version}'"));
    (database, client)
}

fn faults_of_versions(client: &mut Client) -> Vec<String> {
    client.rows(
        "SELECT status, message FROM pg_tviews_health_check() WHERE component = 'library' AND status <> 'OK'",
    )
}

#[test]
fn updated_objects_are_those_of_a_new_installation() {
    let fresh = Database::new(shared(), "update_fresh");
    let right = fresh.client().rows(OBJECTS);
    assert!(right.len() > 100, "{right:?}");
    for version in released() {
        let (_database, mut client) = install("update_objects", &version);
        assert_ne!(client.rows(OBJECTS), right);
        client.run(UPDATE);
        for (found, right) in client.rows(OBJECTS).iter().zip(&right) {
            assert_eq!(found, right, "after an update from {version}");
        }
        assert_eq!(client.rows(OBJECTS).len(), right.len(), "{version}");
        assert!(faults_of_versions(&mut client).is_empty());
    }
}

#[test]
fn objects_of_released_versions_work_and_are_updated_under_load() {
    for version in released() {
        let (database, mut client) = install("update_load", &version);
        blog::create(&mut client);
        client.run(
            "SELECT pg_tviews_create('quiet', 'SELECT pk_user AS pk_quiet, name FROM tb_user', max_latency => '3 seconds');
             CREATE FUNCTION fails(n int) RETURNS int LANGUAGE sql RETURN 1 / n;
             CREATE TABLE tb_broken (pk_broken int PRIMARY KEY, n int);
             INSERT INTO tb_broken VALUES (1, 1), (2, 2);
             SELECT pg_tviews_create('broken', 'SELECT pk_broken, n FROM tb_broken');
             SELECT pg_tviews_create('partly', 'SELECT pk_broken AS pk_partly, fails(n) AS n FROM tb_broken')",
        );
        // The health check says what is due, and no more.
        let faults = faults_of_versions(&mut client);
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(
            faults[0].starts_with("WARNING|") && faults[0].ends_with("ALTER EXTENSION pg_tviews UPDATE;"),
            "{faults:?}"
        );
        client.assert_follows(&["broken", "quiet", "partly"]);
        client.assert_follows(&blog::ENTITIES);
        // One TVIEW is paused, one suspended, one has a dead key; each has changes pending.
        client.run("SELECT pg_tviews_pause('quiet'); UPDATE tb_user SET name = 'waits' WHERE pk_user = 1");
        client.run("UPDATE tb_broken SET n = 0 WHERE pk_broken = 2");
        client.wait_until("SELECT count(*) = 1 FROM pg_tview_dead_letter", WAIT);
        client.run("DROP VIEW v_broken; UPDATE tb_broken SET n = 3 WHERE pk_broken = 1");
        client.wait_until(
            "SELECT state = 'suspended' FROM pg_tview_meta WHERE entity_name = 'broken'",
            WAIT,
        );
        let kept = "SELECT (SELECT count(*) FROM pg_tview_meta_audit WHERE operation NOT IN ('refresh', 'resume', 'suspend')) AS audit,
                           (SELECT string_agg(concat_ws(' ', to_jsonb(m) - '{feed,throttle_lag,refresh_group}'::text[], t.n), E'\\n' ORDER BY entity_name)
                              FROM pg_tview_meta m CROSS JOIN (SELECT count(*) AS n FROM pg_tview_dead_letter) t) AS meta";
        let before = client.rows(kept);
        let random = Random::announced("update_load");
        let plan = blog::writers(shared(), &database.name);
        Load::during(&plan, 3, &random, |load| {
            load.let_pass(20);
            client.run(UPDATE);
            load.let_pass(20);
        });
        assert_eq!(client.rows(kept), before, "an update from {version}");
        assert!(faults_of_versions(&mut client).is_empty());
        for entity in blog::ENTITIES {
            assert!(client.one::<bool>(&format!("SELECT pg_tviews_wait('{entity}')")));
        }
        client.assert_views_equal(&blog::ENTITIES);
        client.run("SELECT pg_tviews_resume('quiet')");
        client.run("CREATE VIEW v_broken AS SELECT pk_broken, n FROM tb_broken");
        client.wait_until(
            "SELECT state = 'active' FROM pg_tview_meta WHERE entity_name = 'broken'",
            WAIT,
        );
        client.run("UPDATE tb_broken SET n = 4 WHERE pk_broken = 2");
        client.wait_until("SELECT count(*) = 0 FROM pg_tview_dead_letter", WAIT);
        client.assert_follows(&["quiet", "broken", "partly"]);
        client.assert_follows(&blog::ENTITIES);
        client.assert_queue_empties();
    }
}

#[test]
fn the_guide_works_after_an_update() {
    for version in released() {
        let (database, mut client) = install("update_guide", &version);
        client.run(UPDATE);
        let project = Project::of(database);
        project.succeeds("bash build.sh");
        client.assert_follows(&crate::guide::ENTITIES);
    }
}

/// As after the roll-back of a package: the objects are newer than the library.
#[test]
fn changes_wait_for_the_library_of_newer_objects() {
    let (database, mut client) = blog::open(shared(), "update_newer");
    client.assert_follows(&blog::ENTITIES);
    client.started_workers();
    let pretend = |client: &mut Client, version: &str| {
        client.run(&format!(
            "UPDATE pg_extension SET extversion = '{version}' WHERE extname = 'pg_tviews';
             ALTER EXTENSION pg_tviews UPDATE TO '{version}'"
        ));
    };
    pretend(&mut client, "99.0.0");
    client.wait_until(
        "SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'pg_tviews worker'",
        WAIT,
    );
    client.run("UPDATE tb_user SET name = 'waits'; DELETE FROM tb_post WHERE pk_post < 5");
    assert!(client.one::<bool>("SELECT count(*) > 0 FROM pg_tview_queue"));
    for call in [
        "SELECT pg_tviews_wait()",
        "SELECT pg_tviews_wait('user')",
        "CALL pg_tviews_drain()",
        "SELECT pg_tviews_create('other', 'SELECT pk_user AS pk_other FROM tb_user')",
        "SELECT pg_tviews_refresh('user')",
    ] {
        let error = client.fails(call);
        assert_eq!(error.code().code(), "55000", "{call}: {error:?}");
        assert_eq!(
            error.hint(),
            Some("Install the package of version 99.0.0, and restart the server."),
            "{call}"
        );
    }
    let faults = faults_of_versions(&mut client);
    assert!(
        faults.len() == 1 && faults[0].starts_with("ERROR|") && faults[0].contains("changes wait"),
        "{faults:?}"
    );
    pretend(&mut client, env!("CARGO_PKG_VERSION"));
    drop(client);
    let mut client = database.client();
    client.assert_follows(&blog::ENTITIES);
    client.assert_queue_empties();
}

/// `scripts/version.sh` sets them together.
#[test]
fn the_version_is_the_same_everywhere() {
    let Ok(meta) = std::fs::read_to_string(repository().join("META.json")) else {
        return;
    };
    let meta: serde_json::Value = serde_json::from_str(&meta).expect("JSON");
    for version in [&meta["version"], &meta["provides"]["pg_tviews"]["version"]] {
        assert_eq!(version, env!("CARGO_PKG_VERSION"), "META.json");
    }
}
