//! The floor plan of `src`, as `src/lib.rs` shows it: each folder imports only folders above it in the list, and no files
//! import each other in a circle.

mod imports;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use imports::{imports, Files, Import};
use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;

/// Below all folders.
const GROUND: [&str; 2] = ["error", "settings"];

fn read(folder: &Path, root: &Path, files: &mut Files) {
    for entry in fs::read_dir(folder).expect("a folder of src") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            read(&path, root, files);
        } else {
            let name = path
                .strip_prefix(root)
                .expect("below src")
                .to_string_lossy()
                .into_owned();
            files.insert(name, fs::read_to_string(&path).expect("a source file"));
        }
    }
}

fn of_this_crate() -> Files {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Files::new();
    read(&root, &root, &mut files);
    files
}

/// The folders in the order of the list in `lib.rs`, the lowest first.
fn plan(files: &Files) -> Vec<String> {
    let list = files["lib.rs"]
        .split("```text\n")
        .nth(1)
        .and_then(|rest| rest.split("//! ```").next());
    let lines = list.expect("lib.rs has the list of folders").lines();
    let folders = lines.filter_map(|line| line.strip_prefix("//! ")?.split_whitespace().next());
    GROUND.into_iter().chain(folders).map(str::to_string).collect()
}

/// `a/b.rs` is of folder `a`; `a.rs` stands for itself.
fn folder(file: &str) -> &str {
    file.split('/').next().unwrap_or(file).trim_end_matches(".rs")
}

/// Imports against the order; folders that the list does not have.
fn against_the_order(files: &Files) -> Vec<String> {
    let plan = plan(files);
    let floor = |file: &str| plan.iter().position(|known| known == folder(file));
    let mut wrong: BTreeSet<String> = files
        .keys()
        .filter(|file| *file != "lib.rs" && floor(file).is_none())
        .map(|file| format!("{file} is in no folder of the list"))
        .collect();
    for Import { from, to } in imports(files) {
        if from != "lib.rs" && floor(&from) < floor(&to) {
            wrong.insert(format!("{from} imports {to}"));
        }
    }
    wrong.into_iter().collect()
}

/// Files that import each other. Tests in a file of their own belong to the file they test.
fn circles(files: &Files) -> Vec<Vec<String>> {
    let imports = imports(files);
    let is_code = |file: &str| !file.ends_with("/tests.rs");
    let edges = imports.iter().filter(|import| is_code(&import.from));
    let graph: DiGraphMap<&str, ()> = edges
        .map(|import| (import.from.as_str(), import.to.as_str()))
        .collect();
    let groups = tarjan_scc(&graph).into_iter().filter(|group| group.len() > 1);
    groups
        .map(|group| {
            let mut group: Vec<String> = group.into_iter().map(str::to_string).collect();
            group.sort();
            group
        })
        .collect()
}

#[test]
fn folders_import_only_folders_above_them_in_the_list() {
    assert_eq!(against_the_order(&of_this_crate()), Vec::<String>::new());
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    assert_eq!(circles(&of_this_crate()), Vec::<Vec<String>>::new());
}

/// A small crate, with a line added to one of its files.
fn with(file: &str, line: &str) -> Files {
    let files = [
        (
            "lib.rs",
            "//! ```text\n//! queue  below\n//! worker above\n//! ```\nmod queue;\nmod worker;",
        ),
        (
            "queue/mod.rs",
            "pub mod position;\npub mod trim;\npub use trim::trim;\npub struct Look;",
        ),
        ("queue/position.rs", "pub struct Position;"),
        (
            "queue/trim.rs",
            "use super::position::Position;\npub fn trim(_: Position) {}",
        ),
        (
            "worker/mod.rs",
            "pub mod schedule;\npub use schedule::Need as Wanted;",
        ),
        ("worker/schedule.rs", "use crate::queue::trim;\npub struct Need;"),
    ];
    let mut files: Files = files
        .iter()
        .map(|(name, text)| (name.to_string(), format!("{text}\n")))
        .collect();
    files.get_mut(file).expect("the file").push_str(line);
    files
}

#[test]
fn imports_against_the_order_are_found_however_they_are_written() {
    assert!(against_the_order(&with("queue/trim.rs", "")).is_empty());
    for line in [
        "use crate::worker::schedule;",
        "use crate::{queue, worker::schedule::Need};",
        "use super::super::worker::schedule as sooner;",
        "use crate::worker::Wanted;",
        "pub use crate::worker::schedule::Need;",
        "fn planted() { crate::worker::schedule::next() }",
        "fn planted() -> super::super::worker::schedule::Need { loop {} }",
        "fn planted() { println!(\"{}\", crate::worker::schedule::LONG) }",
        "mod inside { use super::super::super::worker::schedule; }",
        "fn planted() { use crate::worker::schedule::*; }",
    ] {
        let wrong = against_the_order(&with("queue/trim.rs", line));
        assert_eq!(wrong, ["queue/trim.rs imports worker/schedule.rs"], "{line}");
    }
    let aliased = with(
        "queue/mod.rs",
        "use super::worker;\nfn planted() { worker::schedule::next() }",
    );
    assert_eq!(
        against_the_order(&aliased),
        ["queue/mod.rs imports worker/mod.rs"]
    );
}

#[test]
fn folders_that_the_list_does_not_have_are_found() {
    let mut files = with("lib.rs", "mod attic;");
    files.insert("attic.rs".to_string(), String::new());
    assert_eq!(
        against_the_order(&files),
        ["attic.rs is in no folder of the list"]
    );
}

#[test]
fn circles_of_files_are_found() {
    assert!(circles(&with("queue/trim.rs", "")).is_empty());
    let planted = with("queue/position.rs", "use super::trim;");
    assert_eq!(circles(&planted), [["queue/position.rs", "queue/trim.rs"]]);
    let through_the_folder = with(
        "queue/mod.rs",
        "use position::Position;\nuse super::queue::trim::trim as more;",
    );
    assert!(
        circles(&through_the_folder).is_empty(),
        "a folder may use its files"
    );
    let back = with("queue/mod.rs", "use super::worker::schedule::Need;");
    let back =
        [("worker/schedule.rs", "use crate::queue::Look;")]
            .iter()
            .fold(back, |mut files, (file, line)| {
                files.get_mut(*file).expect("the file").push_str(line);
                files
            });
    assert_eq!(circles(&back), [["queue/mod.rs", "worker/schedule.rs"]]);
}
