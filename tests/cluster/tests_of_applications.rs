//! What docs/testing-your-application.md offers for tests of an application: the helpers for pgTAP, and the examples
//! for pgTAP, pytest and `cargo test`.

use std::process::Command;

use postgres::Client;

use crate::blog;
use crate::harness::{pgtap, python_with, repository, shared, Ask, Cluster, Database, Load, Random, VERSION};

/// The helpers, as psql loads them.
const HELPERS: &str = "\\i sql/pgtap_tviews.sql\n";

/// The output of a script that must run to its end.
#[track_caller]
fn psql(cluster: &Cluster, database: &str, script: &str) -> String {
    let output = cluster.psql(database, script);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Loads pgTAP and the helpers; false if pgTAP is not here.
#[track_caller]
fn load_helpers(database: &Database) -> bool {
    let Some(pgtap) = pgtap() else { return false };
    let script = format!(
        "SET client_min_messages = warning;\n\\i {}\n{HELPERS}{HELPERS}",
        pgtap.display()
    );
    psql(database.cluster, &database.name, &script);
    true
}

/// What a helper answers, in a transaction of its own after these statements.
#[track_caller]
fn answer(client: &mut Client, before: &str, call: &str) -> String {
    client.run(&format!("BEGIN; SELECT plan(1); {before}"));
    let answer = client.one(&format!("SELECT {call}"));
    client.run("ROLLBACK");
    answer
}

#[test]
fn the_pgtap_example_passes() {
    let database = Database::new(shared(), "pgtap_example");
    let blog = "\\i examples/blog/schema.sql\n\\i examples/blog/tviews.sql\n";
    psql(database.cluster, &database.name, blog);
    if load_helpers(&database) {
        let output = psql(
            database.cluster,
            &database.name,
            "\\i examples/testing/pgtap/post.sql\n",
        );
        let lines: Vec<&str> = output.lines().collect();
        let passed = lines.iter().filter(|line| line.starts_with("ok ")).count();
        assert_eq!((lines[0], passed, lines.len()), ("1..6", 6, 7), "{output}");
    }
}

#[test]
fn pgtap_helpers_fail_where_they_should() {
    let (database, mut client) = blog::open(shared(), "pgtap_fails");
    let missing = database.cluster.psql(&database.name, HELPERS);
    let missing = String::from_utf8_lossy(&missing.stderr).into_owned();
    assert!(missing.contains("CREATE EXTENSION pgtap"), "{missing}");
    if !load_helpers(&database) {
        return;
    }
    client.assert_follows(&blog::ENTITIES);
    let fresh = "tview_is_fresh('post', 'fresh')";
    let equal = "tview_equals_view('public.tv_post', 'equal')";
    let rename = "UPDATE tb_user SET name = 'renamed' WHERE pk_user = 1";
    assert_eq!(answer(&mut client, rename, fresh), "ok 1 - fresh");
    assert_eq!(answer(&mut client, rename, equal), "ok 1 - equal");
    // The transaction does not see its own changes, which are not committed.
    let hidden = format!("SET LOCAL pg_tviews.read_your_writes = off; {rename}");
    assert_eq!(answer(&mut client, &hidden, fresh), "ok 1 - fresh");
    let differs = answer(&mut client, &hidden, equal);
    assert!(differs.starts_with("not ok 1 - equal"), "{differs}");
    assert!(differs.ends_with("# different: {\"pk_post\": 30}"), "{differs}");
    // A row that was changed behind the back of the TVIEW.
    let wrong = "SET LOCAL pg_tviews.allow_table_writes = on; DELETE FROM tv_post WHERE pk_post = 3";
    assert_eq!(answer(&mut client, wrong, fresh), "ok 1 - fresh");
    let differs = answer(&mut client, wrong, equal);
    assert!(differs.ends_with("# missing: {\"pk_post\": 3}"), "{differs}");
    // Changes that are committed, and not applied.
    client.run("SELECT pg_tviews_pause('post')");
    client.run(rename);
    for helper in [fresh, equal] {
        let behind = answer(&mut client, "", helper);
        assert!(behind.starts_with("not ok 1"), "{behind}");
        assert!(behind.contains("# ") && behind.contains("paused"), "{behind}");
    }
    client.run("SELECT pg_tviews_resume('post')");
    assert_eq!(answer(&mut client, "", fresh), "ok 1 - fresh");
    let unknown = answer(&mut client, "", "tview_equals_view('nothing')");
    assert!(
        unknown.starts_with("not ok 1 - TVIEW nothing should equal its view"),
        "{unknown}"
    );
    assert!(
        unknown.contains("# TVIEW public.tv_nothing does not exist"),
        "{unknown}"
    );
}

#[test]
fn pgtap_helpers_name_dead_keys() {
    let database = Database::new(shared(), "pgtap_dead");
    if !load_helpers(&database) {
        return;
    }
    let mut client = database.client();
    client.run(
        "CREATE TABLE tb_item (pk_item int PRIMARY KEY, n int); INSERT INTO tb_item VALUES (1, 1), (2, 1)",
    );
    client.run("SELECT pg_tviews_create('item', 'SELECT pk_item, 1 / n AS n FROM tb_item')");
    client.run("UPDATE tb_item SET n = 0 WHERE pk_item = 1");
    let dead = "SELECT count(*) = 1 FROM pg_tview_dead_letter";
    client.wait_until(dead, std::time::Duration::from_secs(60));
    for helper in ["tview_is_fresh('item')", "tview_equals_view('item')"] {
        let dead = answer(&mut client, "", helper);
        assert!(dead.starts_with("not ok 1"), "{dead}");
        assert!(
            dead.contains("# 1 keys are in pg_tview_dead_letter: division by zero"),
            "{dead}"
        );
    }
}

#[test]
fn pgtap_helpers_pass_while_others_write() {
    let (database, mut client) = blog::open(shared(), "pgtap_load");
    if !load_helpers(&database) {
        return;
    }
    let random = Random::announced("pgtap_helpers_pass_while_others_write");
    Load::during(&blog::writers(shared(), &database.name), 2, &random, |load| {
        for _ in 0..8 {
            load.let_pass(2);
            for helper in ["tview_is_fresh('feed', 'x')", "tview_equals_view('feed', 'x')"] {
                assert_eq!(answer(&mut client, "", helper), "ok 1 - x");
            }
        }
    });
}

/// Runs a program that finds the server in its environment.
#[track_caller]
fn run(cluster: &Cluster, command: &mut Command) -> String {
    command.env("DATABASE_URL", cluster.connection("postgres"));
    let output = command.current_dir(repository()).output().expect("it runs");
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    text
}

#[test]
fn the_pytest_example_passes() {
    let Some(python) = python_with(&["psycopg2", "pytest"], "examples/testing/pytest") else {
        return;
    };
    let mut command = Command::new(python);
    command.args([
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "examples/testing/pytest",
    ]);
    let output = run(shared(), command.env("PYTHONDONTWRITEBYTECODE", "1"));
    assert!(output.contains("4 passed"), "{output}");
}

#[test]
fn the_cargo_example_passes() {
    let mut command = Command::new(repository().join("scripts/cargo.sh"));
    command.args(["test", "--test", "testing_example"]);
    let output = run(shared(), command.env("PG", VERSION.to_string()));
    assert!(output.contains("3 passed"), "{output}");
}
