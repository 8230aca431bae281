//! `monitoring/` on a real server: the files agree with each other, and every fault fires exactly its alert.

mod files;
mod stack;

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use postgres::Client;

use self::stack::{programs, Stack};
use crate::harness::{repository, shared, Ask, Cluster, Database, Options, StopMode, WAIT};

/// A TVIEW that fails for a divisor of 0, with a bound that a busy machine keeps, and a role for monitoring.
fn create(client: &mut Client, role: &str) {
    client.run(&format!(
        "CREATE TABLE tb_item (pk_item int PRIMARY KEY, name text, divisor int NOT NULL DEFAULT 1);
         INSERT INTO tb_item SELECT i, 'item ' || i, 1 FROM generate_series(1, 3000) i;
         SELECT pg_tviews_create('item', 'SELECT pk_item, jsonb_build_object(''name'', name, ''share'', 100 / divisor) AS data
                                            FROM tb_item', max_latency => '5 s');
         CREATE ROLE {role} LOGIN IN ROLE pg_monitor"
    ));
    client.assert_follows(&["item"]);
    client.wait_until("SELECT counted_since IS NOT NULL FROM pg_tview_metrics", WAIT);
}

#[test]
fn both_exporters_export_the_names_that_board_and_alerts_use() {
    let Some(programs) = programs() else { return };
    let database = Database::new(shared(), "prometheus_names");
    let mut client = database.client();
    create(&mut client, "monitor_names");
    let connection = shared()
        .connection(&database.name)
        .replace("user=postgres", "user=monitor_names");
    let stack = Stack::start(&programs, &connection);
    let exported: BTreeSet<String> = stack.exported().into_iter().collect();
    let (metrics, _) = files::collector();
    let collected: BTreeSet<String> = metrics.into_iter().map(|metric| metric.name).collect();
    assert_eq!(exported, collected);
    for file in ["alerts.yml", "alerts.test.yml"] {
        let unknown: Vec<String> = files::names(&files::read(file))
            .difference(&exported)
            .cloned()
            .collect();
        assert!(unknown.is_empty(), "{file} uses {unknown:?}");
    }
    let mut used = BTreeSet::new();
    for expression in files::board() {
        used.extend(files::names(&expression));
        if let Err(error) = stack.query(&expression) {
            panic!("{expression}: {error}");
        }
    }
    let unknown: Vec<&String> = used.difference(&exported).collect();
    assert!(
        !used.is_empty() && unknown.is_empty(),
        "the board uses {unknown:?}"
    );
    drop(stack);
    client.run("DROP ROLE monitor_names");
}

#[test]
fn every_metric_is_on_the_board_or_in_an_alert() {
    let (metrics, _) = files::collector();
    let mut used = files::names(&files::read("alerts.yml"));
    files::board()
        .iter()
        .for_each(|expression| used.extend(files::names(expression)));
    let unused: Vec<String> = metrics
        .into_iter()
        .map(|metric| metric.name)
        .filter(|name| !used.contains(name) && !used.contains(&format!("{name}_bucket")))
        .collect();
    assert!(
        unused.is_empty(),
        "neither board nor alerts use {unused:?}: add them to monitoring/grafana.json"
    );
}

#[test]
fn the_queries_of_the_collector_return_its_columns() {
    let database = Database::new(shared(), "collector");
    let mut client = database.client();
    create(&mut client, "monitor_collector");
    client.run("UPDATE tb_item SET name = 'x' WHERE pk_item = 1");
    client.assert_follows(&["item"]);
    let mut monitor = database.client_as("monitor_collector");
    let (metrics, queries) = files::collector();
    for (name, query) in &queries {
        let rows = monitor
            .query(query.as_str(), &[])
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let columns: Vec<&str> = rows[0].columns().iter().map(|column| column.name()).collect();
        let of_query = metrics.iter().filter(|metric| metric.query == *name);
        let needed = of_query.flat_map(|metric| metric.labels.iter().chain([&metric.value]));
        for column in needed {
            assert!(columns.contains(&column.as_str()), "{name} returns no {column}");
        }
    }
    assert!(metrics
        .iter()
        .all(|metric| queries.iter().any(|(name, _)| *name == metric.query)));
    let (_, histogram) = queries
        .iter()
        .find(|(name, _)| name == "pg_tview_latency")
        .expect("a histogram");
    let buckets = format!("SELECT count(*), count(*) FILTER (WHERE le = '+Inf') FROM ({histogram}) b");
    assert_eq!(monitor.rows(&buckets), ["15|1"]);
    drop(monitor);
    client.run("DROP ROLE monitor_collector");
}

#[test]
fn promtool_accepts_the_rules_and_their_times() {
    let Some(programs) = programs() else { return };
    for arguments in [
        ["check", "rules", "alerts.yml"],
        ["test", "rules", "alerts.test.yml"],
    ] {
        let output = Command::new(programs.join("promtool"))
            .current_dir(repository().join("monitoring"))
            .args(arguments)
            .output()
            .expect("promtool runs");
        let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {text}");
    }
}

#[test]
fn each_alert_names_a_paragraph_that_exists_and_has_a_test_of_its_times() {
    let anchor = |heading: &str| {
        let kept = heading
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.collect::<String>().trim().to_lowercase().replace(' ', "-")
    };
    let paragraphs = files::paragraphs();
    let alerts = files::read("alerts.yml");
    let alerts: Vec<&str> = alerts
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("- alert: "))
        .collect();
    assert_eq!(paragraphs.len(), alerts.len());
    for paragraph in paragraphs {
        let (file, wanted) = paragraph.split_once('#').expect("a paragraph");
        let text = fs::read_to_string(repository().join(file)).expect("the document can be read");
        let mut headings = text.lines().filter_map(|line| line.strip_prefix("##"));
        assert!(
            headings.any(|heading| anchor(heading.trim_start_matches('#')) == wanted),
            "{paragraph}"
        );
    }
    let tests = files::read("alerts.test.yml");
    for alert in alerts {
        assert!(tests.contains(&format!("alertname: {alert}\n")), "{alert}");
    }
}

#[test]
fn each_fault_fires_its_alert_and_no_other() {
    let Some(programs) = programs() else { return };
    let cluster = Cluster::start(Options::preloaded().set("max_worker_processes", "10"));
    let database = Database::new(&cluster, "alerts");
    let mut client = database.client();
    create(&mut client, "monitor");
    let connection = cluster
        .connection(&database.name)
        .replace("user=postgres", "user=monitor");
    let stack = Stack::start(&programs, &connection);
    stack.exported();
    stack.await_alerts(&[], &[], || ());

    faults_of_a_tview(&stack, &mut client);
    faults_of_the_server(&stack, &database, &mut client);
    drop(client);

    // No slot of max_worker_processes: both launchers have them. The server is away in between.
    let unreachable = ["PgTviewsDatabaseUnreachable"];
    cluster
        .client("postgres")
        .run("ALTER SYSTEM SET max_worker_processes = 2");
    cluster.stop(StopMode::Fast);
    stack.await_alerts(&unreachable, &[], || ());
    cluster.start_server();
    database
        .client()
        .run("UPDATE tb_item SET name = 'nobody sees' WHERE pk_item = 1");
    // Until the launcher has found out that there is no slot, no worker knows the TVIEW.
    let passing = [
        "PgTviewsDatabaseUnreachable",
        "PgTviewsNoWorkerSlot",
        "PgTviewsNotTracked",
    ];
    stack.await_alerts(&["PgTviewsNoWorkerSlot"], &passing, || ());
    let mut client = cluster.client("postgres");
    client.run("ALTER SYSTEM RESET max_worker_processes");
    client.run("ALTER SYSTEM SET pg_tviews.enabled = off");
    drop(client);
    cluster.restart(StopMode::Fast);
    // Nothing measures how late it is.
    stack.await_alerts(&["PgTviewsNotTracked"], &passing, || ());
    let mut client = cluster.client("postgres");
    client.run("ALTER SYSTEM RESET pg_tviews.enabled");
    client.run("SELECT pg_reload_conf()");
    stack.await_alerts(&[], &["PgTviewsNotTracked", "PgTviewsLate"], || ());
    database.client().assert_follows(&["item"]);
}

/// Late, suspended, dead key, damaged row.
fn faults_of_a_tview(stack: &Stack, client: &mut Client) {
    client.run("ALTER SYSTEM SET pg_tviews.enabled = off");
    client.run("SELECT pg_reload_conf()");
    client.wait_until("SELECT NOT refreshing FROM pg_tview_server_metrics", WAIT);
    client.run("UPDATE tb_item SET name = 'late' WHERE pk_item = 1");
    stack.await_alerts(&["PgTviewsLate"], &[], || ());
    client.run("ALTER SYSTEM RESET pg_tviews.enabled");
    client.run("SELECT pg_reload_conf()");
    stack.await_alerts(&[], &["PgTviewsLate"], || ());

    let view: String = client.one("SELECT pg_get_viewdef('v_item')");
    client.run("DROP VIEW v_item; UPDATE tb_item SET name = 'waits' WHERE pk_item = 1");
    stack.await_alerts(&["PgTviewsSuspended"], &[], || ());
    client.run(&format!("CREATE VIEW v_item AS {view}"));
    stack.await_alerts(&[], &["PgTviewsSuspended"], || ());

    client.run("UPDATE tb_item SET divisor = 0 WHERE pk_item = 3");
    stack.await_alerts(&["PgTviewsDeadKeys"], &[], || ());
    client.run("UPDATE tb_item SET divisor = 1 WHERE pk_item = 3");
    stack.await_alerts(&[], &["PgTviewsDeadKeys"], || ());

    for setting in ["pg_tviews.verify_cycle = 1", "pg_tviews.verify_share = 100"] {
        client.run(&format!("ALTER SYSTEM SET {setting}"));
    }
    client.run("SELECT pg_reload_conf()");
    // Before that, the row is verified as it should be.
    client.wait_until(
        "SELECT verified_at IS NOT NULL AND drifted_keys = 0 FROM pg_tview_metrics",
        2 * WAIT,
    );
    client.run("SET session_replication_role = replica; UPDATE tv_item SET data = '{}' WHERE pk_item = 5; RESET session_replication_role");
    stack.await_alerts(&["PgTviewsDrift"], &[], || ());
    client.assert_follows(&["item"]);
    client.run("ALTER SYSTEM RESET pg_tviews.verify_cycle");
    client.run("ALTER SYSTEM RESET pg_tviews.verify_share");
    client.run("SELECT pg_reload_conf()");
    stack.await_alerts(&[], &["PgTviewsDrift"], || ());
}

/// Launcher gone, old snapshot, growing queue.
fn faults_of_the_server(stack: &Stack, database: &Database, client: &mut Client) {
    client.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'pg_tviews launcher'",
    );
    stack.await_alerts(&["PgTviewsLauncherGone"], &[], || ());
    // The postmaster starts it again after five seconds.
    stack.await_alerts(&[], &["PgTviewsLauncherGone"], || ());

    let mut old = database.client();
    old.run("BEGIN ISOLATION LEVEL REPEATABLE READ");
    old.run("SELECT 1 FROM tb_item");
    stack.await_alerts(&["PgTviewsOldSnapshot"], &[], || ());
    old.run("COMMIT");
    stack.await_alerts(&[], &["PgTviewsOldSnapshot"], || ());

    client.run("SELECT pg_tviews_pause('item')");
    let mut write = || client.run("UPDATE tb_item SET name = name || '+' WHERE pk_item <= 500");
    stack.await_alerts(&["PgTviewsQueueGrows"], &[], &mut write);
    client.run("SELECT pg_tviews_resume('item')");
    stack.await_alerts(&[], &["PgTviewsQueueGrows"], || ());
}
