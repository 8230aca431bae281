//! The tests that docs/reliability.md and docs/security.md name exist: single ones, and modules of tests.

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
        let (module, test) = name.rsplit_once("::").expect("a test has a module");
        assert!(
            is_module(name) || source(module).contains(&format!("#[test]\nfn {test}(")),
            "{name} is no test"
        );
    }
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
