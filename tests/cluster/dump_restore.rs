//! A dump carries definitions and triggers, no positions; a restored database follows without any manual step.

use postgres::Client;

use crate::blog;
use crate::harness::{repository, shared, Ask, Cluster, Database, Folder, Load, Options, Random};

/// The blog, a partitioned source with a name that needs quotes, a declared column, a bound, and a paused TVIEW.
const MORE: &str = r#"
CREATE SCHEMA "My App";
CREATE TABLE "My App".tb_event (pk_event int, day date, n int NOT NULL, PRIMARY KEY (pk_event, day)) PARTITION BY RANGE (day);
CREATE TABLE "My App"."event 1" PARTITION OF "My App".tb_event FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE "My App"."event 2" PARTITION OF "My App".tb_event FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
INSERT INTO "My App".tb_event SELECT i, date '2024-07-01' + i, i FROM generate_series(1, 300) i;
SELECT pg_tviews_create('"My App".event', 'SELECT pk_event, sum(n) AS n FROM "My App".tb_event GROUP BY pk_event');
SELECT pg_tviews_create('quiet', 'SELECT pk_user AS pk_quiet, name FROM tb_user', max_latency => '3 seconds');
SELECT pg_tviews_pause('quiet');
UPDATE pg_tview_meta SET fk_columns = '{fk_user}' WHERE entity_name = 'post';
"#;

fn open<'a>(cluster: &'a Cluster, name: &str) -> (Database<'a>, Client) {
    let (database, mut client) = blog::open(cluster, name);
    client.run(MORE);
    client.assert_follows_but_quiet();
    (database, client)
}

trait Judge {
    fn assert_follows_but_quiet(&mut self);
    fn assert_restored(&mut self);
}

impl Judge for Client {
    /// The paused one cannot be waited for.
    #[track_caller]
    fn assert_follows_but_quiet(&mut self) {
        for entity in blog::ENTITIES.iter().chain(&[r#""My App".event"#]) {
            let wait = format!("SELECT pg_tviews_wait('{entity}')");
            assert!(self.one::<bool>(&wait), "{entity} does not follow");
        }
        self.assert_views_equal(&blog::ENTITIES);
        self.assert_equal(r#""My App".v_event"#, r#""My App".tv_event"#, "pk_event, n");
    }

    /// As it was, and alive, although nobody did anything.
    #[track_caller]
    fn assert_restored(&mut self) {
        self.assert_follows_but_quiet();
        let meta = self.rows(
            "SELECT entity_name, state, extract(epoch FROM max_latency)::int, fk_columns FROM pg_tview_meta ORDER BY 1",
        );
        assert_eq!(
            meta,
            [
                "event|active|~|{}",
                "feed|active|~|{}",
                "post|active|~|{fk_user}",
                "quiet|paused|3|{}",
                "total|active|~|{}",
                "user|active|~|{}"
            ]
        );
        self.run(
            r#"UPDATE tb_user SET name = 'restored' WHERE pk_user = 1;
               INSERT INTO "My App".tb_event VALUES (1, '2025-06-01', 1000);
               TRUNCATE "My App"."event 2";
               DELETE FROM tb_post WHERE fk_user = 2"#,
        );
        self.assert_follows_but_quiet();
        self.run("SELECT pg_tviews_resume('quiet')");
        self.assert_follows(&["quiet"]);
        self.assert_queue_empties();
        // Each source has the triggers it had, not those of a second installation beside them.
        let twice = "SELECT tgrelid::regclass FROM pg_trigger WHERE tgfoid = 'pg_tviews_capture'::regproc
                      GROUP BY tgrelid, tgtype HAVING count(*) > 1";
        assert!(self.rows(twice).is_empty(), "a source captures twice");
    }
}

fn run(cluster: &Cluster, program: &str, arguments: &[&str]) {
    let folder = crate::harness::repository();
    let result = cluster.program(program, folder).args(arguments).output();
    let result = result.unwrap_or_else(|error| panic!("{program}: {error}"));
    let errors = String::from_utf8_lossy(&result.stderr);
    assert!(result.status.success(), "{program} {arguments:?}: {errors}");
    assert!(!errors.contains("error"), "{program} {arguments:?}: {errors}");
}

#[test]
fn parallel_restore_of_a_dump_taken_under_load_into_a_fresh_cluster() {
    let (database, client) = open(shared(), "dump_load");
    drop(client);
    let files = Folder::new();
    let (dump, random) = (files.join("dump"), Random::announced("dump_load"));
    let plan = blog::writers(shared(), &database.name);
    Load::during(&plan, 2, &random, |load| {
        load.let_pass(20);
        run(shared(), "pg_dump", &["-Fd", "-j2", "-f", &dump, &database.name]);
        load.let_pass(5);
    });
    let fresh = Cluster::start(Options::preloaded());
    run(&fresh, "pg_restore", &["-j2", "-C", "-d", "postgres", &dump]);
    fresh.client(&database.name).assert_restored();
}

#[test]
fn restore_into_another_database_of_the_same_cluster() {
    let (database, client) = open(shared(), "dump_custom");
    drop(client);
    let files = Folder::new();
    let dump = files.join("dump");
    run(shared(), "pg_dump", &["-Fc", "-f", &dump, &database.name]);
    for (name, how) in [
        ("restored_slowly", "-e"),
        ("restored_at_once", "--single-transaction"),
    ] {
        let restored = Database::without_extension(shared(), name);
        run(shared(), "pg_restore", &[how, "-d", name, &dump]);
        restored.client().assert_restored();
    }
}

#[test]
fn plain_sql_dump_restored_by_psql() {
    let (database, client) = open(shared(), "dump_plain");
    drop(client);
    let files = Folder::new();
    let dump = files.join("dump.sql");
    run(shared(), "pg_dump", &["-f", &dump, &database.name]);
    let restored = Database::without_extension(shared(), "restored_plain");
    run(
        shared(),
        "psql",
        &[
            "-X",
            "-q",
            "-v",
            "ON_ERROR_STOP=1",
            "-d",
            "restored_plain",
            "-f",
            &dump,
        ],
    );
    restored.client().assert_restored();
}

#[test]
fn restored_without_workers_is_brought_up_to_date_by_a_drain() {
    let (database, client) = open(shared(), "dump_no_workers");
    drop(client);
    let files = Folder::new();
    let dump = files.join("dump");
    run(shared(), "pg_dump", &["-Fc", "-f", &dump, &database.name]);
    let fresh = Cluster::start(Options::without_preload());
    run(&fresh, "pg_restore", &["-C", "-d", "postgres", &dump]);
    let mut client = fresh.client(&database.name);
    client.run("SET pg_tviews.allow_table_writes = on; DELETE FROM tv_post WHERE pk_post < 5");
    client.run("CALL pg_tviews_drain()");
    client.assert_views_equal(&blog::ENTITIES);
    client.run("UPDATE tb_user SET name = 'drained'");
    client.run("CALL pg_tviews_drain()");
    client.assert_views_equal(&blog::ENTITIES);
}

/// Definitions are rows: they come with the rest of the data.
#[test]
fn schema_and_data_restored_one_after_the_other() {
    let (database, client) = open(shared(), "dump_schema");
    drop(client);
    let files = Folder::new();
    let dump = files.join("dump");
    run(shared(), "pg_dump", &["-Fc", "-f", &dump, &database.name]);
    let restored = Database::without_extension(shared(), "restored_schema");
    run(
        shared(),
        "pg_restore",
        &["-e", "--schema-only", "-d", &restored.name, &dump],
    );
    let mut client = restored.client();
    assert_eq!(client.rows("SELECT count(*) FROM pg_tview_meta"), ["0"]);
    client.run("INSERT INTO tb_user (name) VALUES ('gone'); DELETE FROM tb_user");
    let data = [
        "-e",
        "--data-only",
        "--disable-triggers",
        "-d",
        &restored.name,
        &dump,
    ];
    run(shared(), "pg_restore", &data);
    assert_eq!(
        client.rows("SELECT tgenabled FROM pg_trigger WHERE tgname = 'pg_tviews_added'"),
        ["A"],
        "as before the restore disabled and enabled it"
    );
    client.assert_restored();
}

#[test]
fn restore_over_a_living_database() {
    let (database, client) = blog::open(shared(), "dump_clean");
    drop(client);
    let files = Folder::new();
    let dump = files.join("dump");
    run(shared(), "pg_dump", &["-Fc", "-f", &dump, &database.name]);
    database
        .client()
        .run("SET pg_tviews.allow_table_writes = on; DELETE FROM tb_post; DELETE FROM tv_user");
    let clean = ["-e", "--clean", "-d", &database.name, &dump];
    run(shared(), "pg_restore", &clean);
    let mut client = database.client();
    client.assert_follows(&blog::ENTITIES);
    client.run("UPDATE tb_post SET title = 'restored'");
    client.assert_follows(&blog::ENTITIES);
    assert_eq!(client.rows("SELECT count(*) FROM tv_user"), ["10"]);
}

#[test]
fn table_of_a_tview_restored_alone_is_an_ordinary_table() {
    let (database, client) = open(shared(), "dump_table");
    drop(client);
    let files = Folder::new();
    let dump = files.join("dump");
    run(
        shared(),
        "pg_dump",
        &["-Fc", "--table=tv_user", "-f", &dump, &database.name],
    );
    let restored = Database::without_extension(shared(), "restored_table");
    // Without the triggers, whose function is the extension's.
    let all = shared()
        .program("pg_restore", crate::harness::repository())
        .args(["-l", &dump])
        .output();
    let all = String::from_utf8(all.expect("pg_restore runs").stdout).expect("UTF-8");
    let others: Vec<&str> = all.lines().filter(|line| !line.contains(" TRIGGER ")).collect();
    let list = files.join("list");
    std::fs::write(&list, others.join("\n")).expect("the folder is writable");
    let listed = ["-e", "-L", &list, "-d", &restored.name, &dump];
    run(shared(), "pg_restore", &listed);
    let mut client = restored.client();
    assert_eq!(client.rows("SELECT count(*) FROM tv_user"), ["10"]);
    client.run("UPDATE tv_user SET data = '{}'; DROP TABLE tv_user");
}

/// Before 0.1.0 definitions were rows of the table pg_tview_meta, and had two columns less.
fn as_dumped_before_0_1_0(dump: &str) -> String {
    let header = "COPY public.pg_tview_definition (";
    let (before, rest) = dump.split_once(header).expect("definitions are dumped");
    let (rows, after) = rest.split_once("\n\\.\n").expect("rows have an end");
    let (columns, rows) = rows.split_once('\n').expect("there are rows");
    let (columns, newer) = columns.split_once(", table_created").expect("a newer column");
    let newer = newer.matches(", ").count() + 1;
    let rows: Vec<&str> = rows
        .lines()
        .map(|row| row.rsplitn(newer + 1, '\t').last().expect("the last columns"))
        .collect();
    let rows = rows.join("\n");
    format!("{before}COPY public.pg_tview_meta ({columns}) FROM stdin;\n{rows}\n\\.\n{after}")
}

#[test]
fn definitions_dumped_before_version_0_1_0() {
    let (database, client) = open(shared(), "dump_older");
    let files = Folder::new();
    let dump = files.join("dump.sql");
    run(shared(), "pg_dump", &["-f", &dump, &database.name]);
    drop(client);
    let text = std::fs::read_to_string(&dump).unwrap_or_else(|error| panic!("{dump}: {error}"));
    let older = as_dumped_before_0_1_0(&text);
    std::fs::write(&dump, older).unwrap_or_else(|error| panic!("{dump}: {error}"));
    let restored = Database::without_extension(shared(), "restored_older");
    run(
        shared(),
        "psql",
        &["-q", "-v", "ON_ERROR_STOP=1", "-d", "restored_older", "-f", &dump],
    );
    restored.client().assert_restored();
}

/// A TVIEW over the table of another one is not registered before the triggers of that table are restored: these could
/// not be created any more.
#[test]
fn workers_wait_for_the_triggers_of_what_a_tview_reads() {
    let (database, mut client) = blog::open(shared(), "dump_triggers");
    client.run("SELECT pg_tviews_create('named', 'SELECT pk_user AS pk_named, data FROM tv_user')");
    client.assert_follows(&["user", "named"]);
    let dump = shared()
        .program("pg_dump", repository())
        .arg(&database.name)
        .output()
        .expect("pg_dump runs");
    let trigger = "CREATE TRIGGER pg_tviews_";
    let slowly =
        String::from_utf8_lossy(&dump.stdout).replace(trigger, &format!("SELECT pg_sleep(0.5);\n{trigger}"));
    let restored = Database::without_extension(shared(), "dump_triggers_restored");
    let result = shared().psql(&restored.name, &slowly);
    let said = String::from_utf8_lossy(&result.stderr);
    assert!(result.status.success() && slowly.contains("pg_sleep"), "{said}");
    let mut client = restored.client();
    client.run("UPDATE tb_user SET name = 'restored' WHERE pk_user = 1");
    client.assert_follows(&["user", "named", "post", "feed", "total"]);
}
