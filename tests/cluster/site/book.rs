//! The book that scripts/docs.sh makes: every page is in its contents, and every link in it leads somewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::harness::repository;

/// What a script prints that finds a program; None, with a message on the terminal, if the program is not here.
pub fn program(script: &str, without: &str) -> Option<PathBuf> {
    let script = repository().join("scripts").join(script);
    let found = Command::new("bash").arg(script).arg("--find").output();
    let found = found.map(|found| String::from_utf8_lossy(&found.stdout).trim().to_owned());
    let path = found.unwrap_or_default();
    if path.is_empty() {
        // Not by a macro, whose output is shown only if the test fails.
        let _ = std::io::stderr()
            .write_all(format!("\n*** {without} (make cluster fetches it) ***\n").as_bytes());
    }
    (!path.is_empty()).then(|| PathBuf::from(path))
}

/// The folder of the book, made once; None if mdbook is not here.
pub fn book() -> Option<&'static Path> {
    static BOOK: OnceLock<Option<PathBuf>> = OnceLock::new();
    let book = BOOK.get_or_init(|| {
        program(
            "mdbook.sh",
            "the book is NOT tested without mdbook, which is not here",
        )?;
        let folder = repository().join("target/book");
        let made = Command::new("bash")
            .arg(repository().join("scripts/docs.sh"))
            .arg(&folder)
            .output();
        let made = made.expect("bash runs");
        let said = String::from_utf8_lossy(&made.stderr).into_owned();
        assert!(made.status.success(), "{said}");
        assert!(!said.contains("WARN") && !said.contains("ERROR"), "{said}");
        Some(folder)
    });
    book.as_deref()
}

/// The files below a folder with this ending, as paths from the folder.
fn files(folder: &Path, below: &str, ending: &str, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder.join(below)).expect("the folder can be read") {
        let entry = entry.expect("an entry");
        let name = Path::new(below)
            .join(entry.file_name())
            .to_string_lossy()
            .into_owned();
        if entry.file_name() == "node_modules" {
            continue; // of an example that was tried, and no page of ours
        }
        if entry.path().is_dir() {
            files(folder, &name, ending, found);
        } else if name.ends_with(ending) {
            found.insert(name);
        }
    }
}

/// Pages from the root of the repository.
fn pages() -> BTreeSet<String> {
    let mut pages = BTreeSet::new();
    for folder in ["docs", "examples", "monitoring"] {
        files(repository(), folder, ".md", &mut pages);
    }
    for entry in fs::read_dir(repository()).expect("the repository can be read") {
        let name = entry
            .expect("an entry")
            .file_name()
            .to_string_lossy()
            .into_owned();
        if name.ends_with(".md") {
            pages.insert(name);
        }
    }
    pages.remove("docs/SUMMARY.md");
    pages
}

/// Pages in the contents, from the root of the repository.
fn contents() -> Vec<String> {
    let text = fs::read_to_string(repository().join("docs/SUMMARY.md")).expect("the contents can be read");
    let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let from_root = |link: &str| match link.strip_prefix("../") {
        Some(link) => link.to_owned(),
        None => format!("docs/{link}"),
    };
    links.map(from_root).collect()
}

#[test]
fn every_page_is_in_the_contents_once() {
    let contents = contents();
    let listed: BTreeSet<String> = contents.iter().cloned().collect();
    assert_eq!(
        listed.len(),
        contents.len(),
        "a page is listed twice: {contents:?}"
    );
    let pages = pages();
    let missing: Vec<&String> = pages.difference(&listed).collect();
    assert!(missing.is_empty(), "docs/SUMMARY.md does not list {missing:?}");
    let unknown: Vec<&String> = listed.difference(&pages).collect();
    assert!(
        unknown.is_empty(),
        "docs/SUMMARY.md lists {unknown:?}, which do not exist"
    );
}

/// The values of an attribute in a page.
fn values<'a>(html: &'a str, attribute: &str) -> impl Iterator<Item = String> + 'a {
    let opened = format!(" {attribute}=\"");
    let parts: Vec<&str> = html.split(opened.as_str()).skip(1).collect();
    parts
        .into_iter()
        .filter_map(|rest| Some(rest.split('"').next()?.replace("&amp;", "&")))
}

/// A link from a page of the book: the file, and the anchor or nothing.
fn target(page: &str, link: &str) -> (String, String) {
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let path = path.split('?').next().unwrap_or("");
    let mut parts: Vec<&str> = page.split('/').collect();
    if !path.is_empty() {
        parts.pop();
    }
    for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
        if part == ".." {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    (parts.join("/"), anchor.to_owned())
}

#[test]
fn every_page_is_made_and_every_link_of_the_book_leads_somewhere() {
    let Some(book) = book() else { return };
    let mut found = BTreeSet::new();
    files(book, "", ".html", &mut found);
    for page in contents() {
        assert!(
            found.contains(&page.replace(".md", ".html")),
            "{page} is not in the book"
        );
    }
    // Pages that mdbook adds: everything on one page, whose links are written for that, and one for the web server.
    found.retain(|page| page != "print.html" && page != "404.html");
    let read = |page: &String| fs::read_to_string(book.join(page)).expect("a page can be read");
    let html: BTreeMap<String, String> = found.iter().map(|page| (page.clone(), read(page))).collect();
    let anchors: BTreeMap<&str, BTreeSet<String>> = html
        .iter()
        .map(|(page, html)| (page.as_str(), values(html, "id").collect()))
        .collect();
    let (mut wrong, mut seen) = (BTreeSet::new(), 0);
    for (page, html) in &html {
        for link in values(html, "href").chain(values(html, "src")) {
            if link.contains("://") || link.starts_with("mailto:") || link.starts_with("data:") {
                continue;
            }
            seen += 1;
            let (path, anchor) = target(page, &link);
            let exists = book.join(&path).is_file();
            let known = anchor.is_empty()
                || anchors
                    .get(path.as_str())
                    .is_some_and(|known| known.contains(&anchor));
            if !exists || !known {
                wrong.insert(format!("{page}: {link}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(seen > 400, "only {seen} links");
}
