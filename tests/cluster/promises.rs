//! The tests that docs/reliability.md, docs/security.md and docs/versions.md name exist: single ones, modules of tests,
//! and files of regression tests.

use crate::harness::repository;

#[test]
fn every_test_named_in_the_docs_exists() {
    let read = |path: &str| std::fs::read_to_string(repository().join(path)).unwrap_or_default();
    let text = read("docs/reliability.md") + &read("docs/security.md");
    let names: Vec<&str> = text
        .split('`')
        .filter(|name| name.contains("::") && !name.contains(' '))
        .filter(|name| *name != "module::test" && !name.ends_with("::"))
        .collect();
    assert!(names.len() > 60, "{} names", names.len());
    for name in names {
        assert!(is_test(name), "{name} is no test");
    }
}

#[test]
fn each_difference_between_versions_names_its_test() {
    let text = std::fs::read_to_string(repository().join("docs/versions.md")).unwrap_or_default();
    let rows = text.lines().filter(|line| line.starts_with("| 1"));
    let names: Vec<&str> = rows.filter_map(|row| row.rsplit('`').nth(1)).collect();
    assert!(names.len() > 12, "{} names", names.len());
    for name in &names {
        assert!(is_regression_test(name) || is_test(name), "{name} is no test");
    }
    for name in regression_tests().filter(|name| name.starts_with("since_")) {
        assert!(
            names.contains(&name.as_str()),
            "docs/versions.md does not name {name}"
        );
    }
}

fn regression_tests() -> impl Iterator<Item = String> {
    let entries =
        std::fs::read_dir(repository().join("tests/pg_regress/sql")).expect("the tests can be listed");
    let files = entries.map(|entry| {
        entry
            .expect("an entry")
            .file_name()
            .to_string_lossy()
            .into_owned()
    });
    files.filter_map(|file| file.strip_suffix(".sql").map(str::to_owned))
}

fn is_regression_test(name: &str) -> bool {
    regression_tests().any(|test| test == name)
}

/// Whether `module::test` is a test, or `module` has some.
fn is_test(name: &str) -> bool {
    let of_module = |(module, test)| source(module).contains(&format!("#[test]\nfn {test}("));
    is_module(name) || name.rsplit_once("::").is_some_and(of_module)
}

fn is_module(name: &str) -> bool {
    source(name).contains("#[test]")
}

/// The text of a module, empty if there is none.
fn source(module: &str) -> String {
    let module = module.replace("::", "/");
    ["tests/cluster/{}.rs", "tests/cluster/{}/mod.rs", "src/{}.rs"]
        .into_iter()
        .filter_map(|file| std::fs::read_to_string(repository().join(file.replace("{}", &module))).ok())
        .collect()
}
