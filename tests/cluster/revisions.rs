//! The column `revision` as an ETag: for a key it never goes back, and two contents never have the same one.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use postgres::{Client, Error};

use crate::blog;
use crate::harness::{
    repository, shared, Ask, Cluster, Database, Folder, Load, Options, Plan, Random, StopMode,
};

const TABLES: [(&str, &str); 2] = [("user", "pk_user"), ("post", "pk_post")];

/// What a reader has seen of each row: the revision and the content.
#[derive(Default)]
struct Seen {
    rows: HashMap<(&'static str, i64), (i64, String)>,
    /// How often a row was seen with another content.
    changes: usize,
}

impl Seen {
    /// Reads both tables and compares them with what was seen before.
    fn look(&mut self, client: &mut Client) -> Result<(), Error> {
        for (entity, key) in TABLES {
            let sql = format!("SELECT {key}::bigint, revision, data::text FROM tv_{entity}");
            for row in client.query(&sql, &[])? {
                let (key, revision, data): (i64, i64, String) = (row.get(0), row.get(1), row.get(2));
                let before = self.rows.insert((entity, key), (revision, data.clone()));
                let Some(before) = before else { continue };
                assert!(
                    revision > before.0 || revision == before.0 && data == before.1,
                    "{entity} {key}: {before:?}, then {:?}",
                    (revision, data)
                );
                self.changes += usize::from(revision > before.0);
            }
        }
        Ok(())
    }

    /// Looks until the end, through a crash of the server.
    fn look_until(&mut self, cluster: &Cluster, database: &str, end: &AtomicBool) {
        while !end.load(Ordering::Relaxed) {
            if let Ok(mut client) = cluster.try_client(database, "postgres") {
                while !end.load(Ordering::Relaxed) && self.look(&mut client).is_ok() {
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

#[test]
fn revisions_never_go_back() {
    let cluster = Cluster::start(
        Options::preloaded()
            .set("pg_tviews.batch_size", "20")
            .set("wal_writer_delay", "10s"),
    );
    let (database, mut client) = blog::open(&cluster, "revisions");
    for (entity, _) in TABLES {
        client.run(&format!(
            "ALTER TABLE tv_{entity} ADD COLUMN revision bigint NOT NULL DEFAULT 1"
        ));
    }
    // Writers that read what they have written, too.
    let mut statements = blog::STATEMENTS.to_vec();
    statements.extend(["SELECT count(*) FROM tv_post", "SELECT count(*) FROM tv_user"]);
    let plan = Plan {
        statements: &statements,
        ..blog::writers_through_crashes(&cluster, &database.name)
    };
    let random = Random::announced("revisions_never_go_back");
    let (mut seen, end) = (Seen::default(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let looking = scope.spawn(|| seen.look_until(&cluster, &database.name, &end));
        Load::during(&plan, 3, &random, |load| {
            load.let_pass(150);
            cluster.stop(StopMode::Immediate);
            cluster.start_server();
            client = cluster.client_after_recovery(&database.name);
            load.let_pass(100);
        });
        end.store(true, Ordering::Relaxed);
        looking.join().expect("revisions do not go back");
    });
    client.assert_follows(&blog::ENTITIES);
    seen.look(&mut client).expect("rows");
    assert!(seen.changes > 20, "{} changes", seen.changes);
}

#[test]
fn a_crash_takes_back_no_revision_that_was_read() {
    let cluster = Cluster::start(
        Options::preloaded()
            .set("wal_writer_delay", "10s")
            .set("synchronous_commit", "off"),
    );
    let (database, mut client) = blog::open(&cluster, "revisions_durable");
    client.run("ALTER TABLE tv_user ADD COLUMN revision bigint; CHECKPOINT");
    for n in 0..5 {
        client.run(&format!("UPDATE tb_user SET name = 'name {n}' WHERE pk_user = 1"));
        client.run("SELECT pg_tviews_wait('user')");
    }
    let revision = "SELECT revision, data->>'name' FROM tv_user WHERE pk_user = 1";
    assert_eq!(client.rows(revision), ["5|name 4"]);
    // A session that commits what it was shown, without a worker.
    client.run("BEGIN; UPDATE tb_user SET name = 'shown' WHERE pk_user = 1; SELECT FROM tv_user; COMMIT");
    assert_eq!(client.rows(revision), ["6|shown"]);
    cluster.stop(StopMode::Immediate);
    cluster.start_server();
    assert_eq!(database.client().rows(revision), ["6|shown"]);
}

#[test]
fn a_restore_goes_on_where_the_dump_was() {
    let (database, mut client) = blog::open(shared(), "revisions_dump");
    client.run("ALTER TABLE tv_user ADD COLUMN revision bigint NOT NULL DEFAULT 7; DELETE FROM tb_user WHERE pk_user = 1");
    client.assert_follows(&blog::ENTITIES);
    drop(client);
    let files = Folder::new();
    let dump = files.join("dump");
    let restored = Database::without_extension(shared(), "revisions_restored");
    for (program, arguments) in [
        ("pg_dump", ["-Fc", "-f", &dump, &database.name]),
        ("pg_restore", ["-e", "-d", &restored.name, &dump]),
    ] {
        let ran = shared().program(program, repository()).args(arguments).output();
        let ran = ran.unwrap_or_else(|error| panic!("{program}: {error}"));
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    }
    let mut client = restored.client();
    client.assert_follows(&blog::ENTITIES);
    client.run("INSERT INTO tb_user (pk_user, name) VALUES (1, 'again')");
    client.assert_follows(&blog::ENTITIES);
    assert_eq!(
        client.rows("SELECT pk_user, revision FROM tv_user WHERE pk_user < 3 ORDER BY 1"),
        ["1|8", "2|7"]
    );
}

/// Sessions that delete rows in transactions that stay open do not wait for each other.
#[test]
fn deletions_wait_for_no_other_session() {
    let (database, mut client) = blog::open(shared(), "revisions_open");
    client.run("ALTER TABLE tv_post ADD COLUMN revision bigint NOT NULL DEFAULT 3");
    let mut other = database.client();
    for (session, post) in [(&mut client, 1), (&mut other, 2)] {
        session.run(&format!("BEGIN; DELETE FROM tb_post WHERE pk_post = {post}"));
        session.run("SET LOCAL statement_timeout = '20s'");
        assert_eq!(session.one::<i64>("SELECT count(*) FROM tv_post"), 29);
    }
    client.run("COMMIT");
    other.run("COMMIT");
    client.assert_follows(&blog::ENTITIES);
    client.run("INSERT INTO tb_post (pk_post, fk_user, title) VALUES (1, 1, 'again'), (2, 1, 'again')");
    client.assert_follows(&blog::ENTITIES);
    assert_eq!(
        client.rows("SELECT revision FROM tv_post WHERE pk_post < 3"),
        ["4", "4"]
    );
    // Housekeeping leaves one row.
    client.wait_until(
        "SELECT count(*) = 1 FROM pg_tview_revision",
        Duration::from_secs(180),
    );
}

/// The owner of a TVIEW may lack USAGE on the schema of the extension: refreshes, comparisons of all rows, and rows
/// that a session sees of its own changes keep counting.
#[test]
fn owners_need_no_rights_on_the_schema_of_the_extension() {
    let database = Database::without_extension(shared(), "revisions_schema");
    let mut client = database.client();
    client.run(
        "CREATE ROLE revisions_owner LOGIN;
         CREATE SCHEMA tools; CREATE EXTENSION pg_tviews SCHEMA tools; SET search_path = public, tools;
         CREATE TABLE tb_item (pk_item int PRIMARY KEY, name text);
         CREATE VIEW v_item AS SELECT pk_item, name FROM tb_item;
         CREATE TABLE tv_item (pk_item int PRIMARY KEY, name text, revision bigint NOT NULL DEFAULT 0);
         ALTER TABLE tb_item OWNER TO revisions_owner; ALTER VIEW v_item OWNER TO revisions_owner;
         ALTER TABLE tv_item OWNER TO revisions_owner;
         INSERT INTO tb_item SELECT i, 'item' FROM generate_series(1, 2000) i;
         SELECT pg_tviews_create('item')",
    );
    let mut owner = database.client_as("revisions_owner");
    let usage = "SELECT has_schema_privilege('tools', 'USAGE')";
    assert!(!owner.one::<bool>(usage), "the owner has no rights");
    let revisions = |client: &mut Client| {
        client.rows("SELECT pk_item, revision FROM tv_item WHERE pk_item < 4 ORDER BY 1")
    };
    client.assert_follows(&["item"]);
    assert_eq!(revisions(&mut client), ["1|1", "2|1", "3|1"]);
    owner.run("UPDATE tb_item SET name = 'new' WHERE pk_item = 1");
    client.assert_follows(&["item"]);
    owner.run("DELETE FROM tb_item WHERE pk_item IN (1, 2)");
    client.assert_follows(&["item"]);
    owner.run("INSERT INTO tb_item VALUES (1, 'again')");
    client.assert_follows(&["item"]);
    assert_eq!(revisions(&mut client), ["1|3", "3|1"]);
    owner.run("BEGIN; INSERT INTO tb_item VALUES (2, 'again')");
    assert_eq!(
        owner.one::<i64>("SELECT revision FROM tv_item WHERE pk_item = 2"),
        3
    );
    owner.run("COMMIT");
    client.assert_follows(&["item"]);
    // Many rows at once, and a comparison of all rows.
    owner.run("DELETE FROM tb_item WHERE pk_item > 3");
    client.assert_follows(&["item"]);
    owner.run("INSERT INTO tb_item SELECT i, 'again' FROM generate_series(4, 2000) i");
    client.assert_follows(&["item"]);
    owner.run("TRUNCATE tb_item");
    client.assert_follows(&["item"]);
    owner.run("INSERT INTO tb_item VALUES (1, 'last'); UPDATE tb_item SET name = 'changed'");
    client.run("SELECT pg_tviews_refresh('item')");
    client.assert_follows(&["item"]);
    let last: i64 = client.one("SELECT revision FROM tv_item");
    assert!(last > 3, "{last} after everything was deleted");
    drop(owner);
    client.run("DROP OWNED BY revisions_owner CASCADE; DROP ROLE revisions_owner");
}
