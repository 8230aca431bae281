//! The documentation agrees with the tree. `sql` blocks of examples are run, and psql prints what the
//! `text` block after them shows. Files that the architecture page names exist, and links lead somewhere.

use std::collections::BTreeSet;
use std::fs;

use crate::harness::{repository, shared, Database};

/// How psql shows its answers in a terminal.
const ALIGNED: &str =
    "\\pset format aligned\n\\pset tuples_only off\n\\pset footer off\nSET client_min_messages = error;\n";

/// An example: statements, and what they answer if that is shown.
struct Example {
    line: usize,
    sql: String,
    answer: Option<String>,
}

/// The examples below the heading `## Examples` of a document, in order.
fn examples(document: &str) -> Vec<Example> {
    let text = fs::read_to_string(repository().join(document)).expect("the document can be read");
    let mut examples: Vec<Example> = Vec::new();
    let mut block: Option<(&str, usize, String)> = None;
    let mut started = false;
    for (number, line) in text.lines().enumerate() {
        started |= line == "## Examples";
        match (&mut block, line.strip_prefix("```")) {
            (None, Some(kind)) if started => block = Some((kind, number + 1, String::new())),
            (Some((_, _, content)), None) => {
                content.push_str(line.trim_end());
                content.push('\n');
            }
            (Some(_), Some(_)) => match block.take() {
                Some(("sql", line, sql)) => examples.push(Example {
                    line,
                    sql,
                    answer: None,
                }),
                Some(("text", _, answer)) => {
                    if let Some(example) = examples.last_mut() {
                        example.answer = Some(answer);
                    }
                }
                _ => {}
            },
            _ => {}
        }
    }
    examples
}

/// Without empty lines and spaces at line ends, and lines of dashes all of one length.
pub fn tidy(output: &str) -> String {
    let lines = output.lines().map(str::trim_end).filter(|line| !line.is_empty());
    let mut text = lines.collect::<Vec<_>>().join("\n");
    while text.contains("-----") {
        text = text.replace("-----", "----");
    }
    text
}

#[test]
fn examples_of_lineage_answer_as_shown() {
    let database = Database::new(shared(), "documented_lineage");
    let examples = examples("docs/lineage.md");
    let shown = examples.iter().filter(|example| example.answer.is_some()).count();
    assert!(shown >= 8, "only {shown} examples show an answer");
    for example in examples {
        let script = format!("{ALIGNED}{}", example.sql);
        let output = shared().psql(&database.name, &script);
        let (printed, errors) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert!(
            output.status.success(),
            "docs/lineage.md:{}\n{}\n{errors}",
            example.line,
            example.sql
        );
        if let Some(answer) = example.answer {
            assert_eq!(
                tidy(&printed),
                tidy(&answer),
                "docs/lineage.md:{}\n{}",
                example.line,
                example.sql
            );
        }
    }
}

fn page(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Words of a text that look like files: with a folder or without, and an ending that files of the tree have.
fn file_names(text: &str) -> BTreeSet<&str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    let endings = [".rs", ".sql", ".out", ".sh", ".md", ".toml"];
    text.split(|c| !is_name(c))
        .map(|word| word.trim_matches('.'))
        .filter(|word| {
            endings
                .iter()
                .any(|ending| word.ends_with(ending) && word != ending)
        })
        .filter(|word| !word.contains("NAME"))
        .collect()
}

/// Words of a text that look like folders of the source.
fn folder_names(text: &str) -> BTreeSet<&str> {
    text.split('`')
        .filter(|word| word.starts_with("src/") && !word.contains(['.', ' ']))
        .collect()
}

/// Whether a page names the file from the root of the repository, from `src`, or from `docs`.
fn exists(name: &str) -> bool {
    ["", "src", "docs"]
        .iter()
        .any(|folder| repository().join(folder).join(name).exists())
}

#[test]
fn files_named_in_the_architecture_page_exist() {
    let text = page("docs/architecture.md") + &page("docs/pictures/architecture.dot").replace("\\n", " ");
    let (files, folders) = (file_names(&text), folder_names(&text));
    assert!(files.len() > 60, "only {} files", files.len());
    let missing: Vec<&str> = files
        .union(&folders)
        .copied()
        .filter(|name| !exists(name))
        .collect();
    assert!(missing.is_empty(), "docs/architecture.md names {missing:?}");
    for entry in fs::read_dir(repository().join("src")).expect("src can be read") {
        let path = entry.expect("an entry").path();
        let name = format!("src/{}", path.file_name().unwrap_or_default().to_string_lossy());
        assert!(
            !path.is_dir() || folders.contains(name.as_str()),
            "docs/architecture.md does not name {name}"
        );
    }
    assert!(!exists("capture/no_such_file.rs"));
}

/// Text without what stands in blocks of code.
fn prose(text: &str) -> String {
    text.split("```").step_by(2).collect()
}

/// The anchors that headings have on the web page: lower case, spaces as dashes, without punctuation.
fn anchors(text: &str) -> BTreeSet<String> {
    let heading = |line: &str| {
        line.starts_with('#')
            .then(|| line.trim_start_matches('#').trim().to_lowercase())
    };
    let anchor = |heading: String| {
        let kept = heading
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    prose(text).lines().filter_map(heading).map(anchor).collect()
}

/// The targets of links, those to the web left out.
fn links(text: &str) -> Vec<String> {
    let text = prose(text);
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets
        .filter(|target| !target.contains("://"))
        .map(str::to_string)
        .collect()
}

#[test]
fn links_in_the_documentation_lead_somewhere() {
    let entries = fs::read_dir(repository().join("docs")).expect("docs can be read");
    let names = entries.map(|entry| {
        entry
            .expect("an entry")
            .file_name()
            .to_string_lossy()
            .into_owned()
    });
    let pages = names
        .filter(|name| name.ends_with(".md"))
        .map(|name| format!("docs/{name}"));
    let mut seen = 0;
    for path in pages.chain(["README.md".to_string(), "CHANGELOG.md".to_string()]) {
        let folder = if path.starts_with("docs/") { "docs" } else { "" };
        for link in links(&page(&path)) {
            seen += 1;
            let (target, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = match target {
                "" => path.clone(),
                target => format!("{folder}/{target}").trim_start_matches('/').to_string(),
            };
            assert!(repository().join(&target).exists(), "{path}: {link}");
            let known = anchor.is_empty() || anchors(&page(&target)).contains(anchor);
            assert!(known, "{path}: {link} has no such heading");
        }
    }
    assert!(seen > 40, "only {seen} links");
}
