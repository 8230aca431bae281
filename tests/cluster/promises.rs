//! The tests that docs/reliability.md names exist.

use crate::harness::repository;

#[test]
fn every_test_named_in_the_docs_exists() {
    let read = |path: String| std::fs::read_to_string(repository().join(&path)).unwrap_or_default();
    let text = read("docs/reliability.md".to_owned());
    let names: Vec<&str> = text
        .split('`')
        .filter(|name| name.contains("::") && !name.contains(' '))
        .collect();
    assert!(names.len() > 40, "{} names", names.len());
    for name in names
        .into_iter()
        .filter(|name| *name != "module::test" && *name != "queue::")
    {
        let (module, test) = name.rsplit_once("::").expect("a test has a module");
        let module = module.replace("::", "/");
        let files = ["tests/cluster/{}.rs", "tests/cluster/{}/mod.rs", "src/{}.rs"];
        let declared =
            |file: &str| read(file.replace("{}", &module)).contains(&format!("#[test]\nfn {test}("));
        assert!(files.into_iter().any(declared), "{name} is no test");
    }
}
