//! pg_tviews_health_check on servers with workers: each fault is made, seen with what to do, repaired as told, and gone.

use std::time::Duration;

use postgres::Client;

use crate::blog;
use crate::harness::{send_signal, shared, Ask, Cluster, Database, Options, StopMode, WAIT};

const FAULTS: &str =
    "SELECT status || ' ' || component || ': ' || message FROM pg_tviews_health_check() WHERE status <> 'OK'";

trait Health {
    /// Waits for a fault of `component` whose message has `part`; returns the message.
    fn sick(&mut self, status: &str, component: &str, part: &str) -> String;
    /// Waits until nothing is wrong.
    fn well(&mut self);
    /// Runs the command that a message names, from `begin` to the next semicolon.
    fn as_told(&mut self, message: &str, begin: &str);
}

impl Health for Client {
    #[track_caller]
    fn sick(&mut self, status: &str, component: &str, part: &str) -> String {
        let fault = format!(
            "FROM pg_tviews_health_check() WHERE status = '{status}' AND component = '{component}'
              AND severity = lower('{status}') AND message LIKE '%{part}%'"
        );
        let deadline = std::time::Instant::now() + WAIT;
        loop {
            if let Some(message) = self.rows(&format!("SELECT message {fault}")).pop() {
                return message;
            }
            assert!(
                std::time::Instant::now() < deadline,
                "no {component} fault with {part}: {:?}",
                self.rows("SELECT * FROM pg_tviews_health_check()")
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    #[track_caller]
    fn well(&mut self) {
        let deadline = std::time::Instant::now() + WAIT;
        loop {
            let faults = self.rows(FAULTS);
            if faults.is_empty() {
                break;
            }
            assert!(std::time::Instant::now() < deadline, "still wrong: {faults:#?}");
            std::thread::sleep(Duration::from_millis(20));
        }
        let components = "SELECT count(DISTINCT component) = 10 AND bool_and(severity = 'info') FROM pg_tviews_health_check()";
        assert!(self.one::<bool>(components));
    }

    #[track_caller]
    fn as_told(&mut self, message: &str, begin: &str) {
        let at = message
            .find(begin)
            .unwrap_or_else(|| panic!("no {begin}: {message}"));
        let command = message[at..].split_inclusive(';').next().unwrap_or_default();
        self.run(command);
    }
}

fn options() -> Options {
    Options::preloaded().set("deadlock_timeout", "1s")
}

fn reload(client: &mut Client) {
    client.run("SELECT pg_reload_conf()");
}

#[test]
fn settings_that_stop_workers_are_faults() {
    let cluster = Cluster::start(options());
    let (_database, mut client) = blog::open(&cluster, "health_settings");
    client.well();
    for setting in ["enabled = off", "workers = 0"] {
        client.run(&format!("ALTER SYSTEM SET pg_tviews.{setting}"));
        reload(&mut client);
        client.sick("ERROR", "workers", "CALL pg_tviews_drain();");
        let name = setting.split(' ').next().unwrap_or_default();
        let told = client.sick("ERROR", "settings", &format!("pg_tviews.{name} is"));
        client.as_told(&told, "ALTER SYSTEM");
        reload(&mut client);
        client.well();
    }
}

#[test]
fn a_lock_timeout_beyond_that_of_deadlocks_is_a_fault() {
    let cluster = Cluster::start(options());
    let database = Database::new(&cluster, "health_deadlock");
    let mut client = database.client();
    client.well();
    client.run("ALTER SYSTEM SET pg_tviews.lock_timeout = '5s'");
    reload(&mut client);
    let told = client.sick("WARNING", "settings", "not less than deadlock_timeout");
    client.as_told(&told, "ALTER SYSTEM");
    reload(&mut client);
    client.well();
}

#[test]
fn a_server_without_the_library_is_a_fault() {
    let cluster = Cluster::start(
        Options::without_preload()
            .set("deadlock_timeout", "1s")
            .set("shared_preload_libraries", "auto_explain"),
    );
    let database = Database::new(&cluster, "health_library");
    let mut client = database.client();
    client.sick("ERROR", "workers", "CALL pg_tviews_drain();");
    let told = client.sick("ERROR", "library", "not preloaded");
    client.as_told(&told, "ALTER SYSTEM");
    cluster.restart(StopMode::Fast);
    let mut client = database.client();
    client.well();
    assert_eq!(
        client.rows("SHOW shared_preload_libraries"),
        ["auto_explain, pg_tviews"]
    );
}

#[test]
fn too_few_worker_slots_are_a_fault() {
    // One for the launcher of logical replication, one for ours, one for a worker.
    let cluster = Cluster::start(options().set("max_worker_processes", "3"));
    let database = Database::new(&cluster, "health_slots");
    let mut client = database.client();
    let told = client.sick(
        "WARNING",
        "workers",
        "1 of 2 refresh workers are running in this database: no slot",
    );
    client.as_told(&told, "ALTER SYSTEM");
    cluster.restart(StopMode::Fast);
    let mut client = database.client();
    client.well();
    // With another database the slots are too few again, and idle workers lend theirs.
    let other = Database::new(&cluster, "health_slots_other");
    let mut client = other.client();
    let told = client.sick("WARNING", "workers", "Idle workers lend their slots");
    client.as_told(&told, "ALTER SYSTEM");
    cluster.restart(StopMode::Fast);
    other.client().well();
    database.client().well();
}

#[test]
fn too_few_places_for_databases_are_a_fault() {
    let cluster = Cluster::start(options().set("pg_tviews.max_databases", "1"));
    let first = Database::new(&cluster, "health_places");
    first.client().well();
    let second = Database::new(&cluster, "health_places_other");
    let mut client = second.client();
    let told = client.sick("ERROR", "settings", "pg_tviews.max_databases is used up");
    first.client().sick("WARNING", "settings", "another database");
    client.as_told(&told, "ALTER SYSTEM");
    cluster.restart(StopMode::Fast);
    first.client().well();
    second.client().well();
}

#[test]
fn too_few_places_for_tviews_are_a_fault() {
    let cluster = Cluster::start(options().set("pg_tviews.max_tviews", "16"));
    let database = Database::new(&cluster, "health_tviews");
    let mut client = database.client();
    client.run("CREATE TABLE tb_a (pk_a int PRIMARY KEY)");
    for n in 0..17 {
        client.run(&format!(
            "SELECT pg_tviews_create('a{n}', 'SELECT pk_a AS id FROM tb_a')"
        ));
    }
    client.run("INSERT INTO tb_a VALUES (1)");
    let told = client.sick("WARNING", "settings", "pg_tviews.max_tviews is used up");
    client.as_told(&told, "ALTER SYSTEM");
    cluster.restart(StopMode::Fast);
    database.client().well();
}

#[test]
fn a_template_gets_no_workers_and_says_so() {
    let database = Database::new(shared(), "health_template");
    let mut client = database.client();
    client.well();
    client.run("ALTER DATABASE health_template IS_TEMPLATE true");
    let told = client.sick("ERROR", "workers", "it is a template");
    client.as_told(&told, "ALTER DATABASE");
    client.well();
}

#[test]
fn faults_of_tviews_come_and_go() {
    let database = Database::new(shared(), "health_faults");
    let mut client = database.client();
    blog::create_slow(&mut client);
    client.run(
        "CREATE TABLE tb_item (pk_item int PRIMARY KEY, pieces int);
         INSERT INTO tb_item SELECT i, i FROM generate_series(1, 50) AS i;
         SELECT pg_tviews_create('item', 'SELECT pk_item, 100 / pieces AS share FROM tb_item')",
    );
    client.well();

    client.run(
        "ALTER EVENT TRIGGER pg_tviews_ddl_happened DISABLE; ALTER TABLE tb_item DISABLE TRIGGER ALL;
         ALTER EVENT TRIGGER pg_tviews_ddl_happened ENABLE ALWAYS; UPDATE tb_item SET pieces = 5",
    );
    let told = client.sick("ERROR", "capture triggers", "public.tb_item");
    client.as_told(&told, "SELECT pg_tviews_create");
    client.well();
    client.assert_follows(&["item"]);

    client.run("UPDATE tb_item SET pieces = 0 WHERE pk_item = 7");
    let told = client.sick("WARNING", "dead letter", "1 key of public.tv_item");
    client.as_told(&told, "SELECT * FROM pg_tview_dead_letter");
    client.run("UPDATE tb_item SET pieces = 3 WHERE pk_item = 7");
    client.well();

    client.run("DROP VIEW v_item; UPDATE tb_item SET pieces = 4");
    client.sick("ERROR", "backing views", "public.v_item");
    client.sick("ERROR", "tviews", "suspended: 42P01");
    client.run("CREATE VIEW v_item AS SELECT pk_item, 200 / pieces AS share FROM tb_item");
    client.well();
    client.assert_follows(&["item"]);

    client.run("SELECT pg_tviews_pause('item')");
    let told = client.sick("WARNING", "tviews", "public.tv_item is paused");
    client.as_told(&told, "SELECT pg_tviews_resume");
    client.well();

    client.run("UPDATE knob SET seconds = 60");
    client.run("UPDATE tb_slow SET n = n + 1");
    let told = client.sick("WARNING", "backlog", "public.tv_slow");
    client.as_told(&told, "SELECT * FROM pg_stat_activity");
    let told = client.sick("ERROR", "backlog", "public.tv_slow");
    client.as_told(&told, "SELECT * FROM pg_stat_activity");
    client.run("UPDATE knob SET seconds = 0");
    client.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = 'health_faults'");
    client.well();
}

#[test]
fn workers_that_die_are_seen() {
    let database = Database::new(shared(), "health_workers");
    let mut client = database.client();
    client.well();
    for pid in client.started_workers() {
        send_signal("TERM", pid);
    }
    client.sick("ERROR", "workers", "no refresh worker is running");
    client.well();
}
