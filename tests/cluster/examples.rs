//! The folders of `examples`: their scripts run, and the TVIEWs follow their load.

use std::path::{Path, PathBuf};
use std::process::Output;

use postgres::Client;

use crate::harness::{repository, shared, Ask, Database};

/// Each example, with the sources whose changes are compared in full: its README says so.
const EXAMPLES: [(&str, &[&str]); 4] = [
    ("blog", &[]),
    ("shop", &[]),
    ("comments", &["board|tb_board"]),
    ("dashboard", &[]),
];

#[test]
fn blog() {
    follows_its_load("blog");
}

#[test]
fn shop() {
    follows_its_load("shop");
}

#[test]
fn comments() {
    follows_its_load("comments");
}

#[test]
fn dashboard() {
    follows_its_load("dashboard");
}

#[test]
fn every_folder_is_tested() {
    let folders = std::fs::read_dir(repository().join("examples")).expect("readable");
    let mut found: Vec<String> = folders
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.join("tviews.sql").exists())
        .map(|path| path.file_name().expect("a name").to_string_lossy().into_owned())
        .collect();
    found.sort();
    let mut tested = EXAMPLES.map(|(name, _)| name);
    tested.sort();
    assert_eq!(found, tested);
}

fn folder(example: &str) -> PathBuf {
    repository().join("examples").join(example)
}

/// Creates the example, shows it, and lets four clients write.
fn follows_its_load(example: &str) {
    let (_, in_full) = EXAMPLES
        .iter()
        .find(|(name, _)| *name == example)
        .expect("listed");
    let database = Database::new(shared(), &format!("example_{example}"));
    let folder = folder(example);
    psql(&database, &folder, &["-f", "schema.sql", "-f", "tviews.sql"]);
    let mut client = database.client();
    assert!(client.one::<bool>("SELECT pg_tviews_wait()"));
    assert_followed_by_key(&mut client, in_full, &folder);
    let shown = psql(&database, &folder, &["-f", "show.sql"]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert_shows_changes(&shown);
    let entities = client.rows("SELECT entity_name FROM pg_tview_meta ORDER BY 1");
    let entities: Vec<&str> = entities.iter().map(String::as_str).collect();
    client.assert_follows(&entities);
    let before: i64 = client.one("SELECT sum(rows_written)::bigint FROM pg_tview_status");
    load(&database, &folder);
    client.assert_follows(&entities);
    let after: i64 = client.one("SELECT sum(rows_written)::bigint FROM pg_tview_status");
    assert!(after > before, "the load has changed no row");
    assert_eq!(client.one::<i64>("SELECT count(*) FROM pg_tview_dead_letter"), 0);
    psql(&database, &folder, &["-f", "../status.sql", "-f", "../check.sql"]);
}

/// Every source is followed by key, but those whose full comparison the README explains.
fn assert_followed_by_key(client: &mut Client, in_full: &[&str], folder: &Path) {
    let found = client.rows(
        "SELECT DISTINCT m.entity_name, e.source FROM pg_tview_meta m, pg_tviews_explain(m.entity_name) e
          WHERE e.strategy = 'full' ORDER BY 1, 2",
    );
    assert_eq!(found, in_full);
    let readme = std::fs::read_to_string(folder.join("README.md")).expect("a README");
    let says = if in_full.is_empty() {
        "Every source is followed by key"
    } else {
        "compared in full"
    };
    assert!(readme.contains(says), "{} does not say: {says}", folder.display());
}

/// What is shown after the changes differs from what is shown before.
fn assert_shows_changes(shown: &str) {
    let part = |from: &str, to: &str| -> String {
        let (_, part) = shown.split_once(from).expect(from);
        let (_, part) = part.split_once('\n').expect("lines");
        part.split_once(to).expect(to).0.trim().to_owned()
    };
    let (before, after) = (part("--- Before", "--- "), part("--- After", "--- "));
    assert!(before.contains('│') && after.contains('│'), "{shown}");
    assert_ne!(before, after);
}

fn load(database: &Database, folder: &Path) {
    let run = database
        .cluster
        .program("pgbench", folder)
        .args(["-n", "-c", "4", "-t", "150", "--max-tries=10", "--random-seed=1"])
        .args(["-f", "load.sql", &database.name])
        .output()
        .expect("pgbench runs");
    succeeded(&run);
}

fn psql(database: &Database, folder: &Path, arguments: &[&str]) -> Output {
    let run = database
        .cluster
        .program("psql", folder)
        .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", &database.name])
        .args(arguments)
        .output()
        .expect("psql runs");
    succeeded(&run);
    run
}

#[track_caller]
fn succeeded(run: &Output) {
    let errors = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{errors}");
    assert!(
        !errors.contains("not visible") && !errors.contains("aborted"),
        "{errors}"
    );
}
