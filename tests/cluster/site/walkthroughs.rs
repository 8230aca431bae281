//! Pages that are typed from top to bottom: each `sql` block goes to psql, and the `text` block after it is all that
//! psql prints, with NOTICEs and errors.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use crate::documented::tidy;
use crate::harness::{repository, Cluster, Database, Options};

/// A block of a page, with the number of its first line, and the heading above it.
pub struct Block {
    pub kind: String,
    pub section: String,
    pub line: usize,
    pub text: String,
}

/// The blocks of code of a page.
pub fn blocks(page: &str) -> Vec<Block> {
    let text = fs::read_to_string(repository().join(page)).expect("the page can be read");
    let (mut blocks, mut open, mut section): (Vec<Block>, Option<Block>, String) = Default::default();
    for (number, line) in text.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(kind)) => {
                open = Some(Block {
                    kind: kind.to_owned(),
                    section: section.clone(),
                    line: number + 1,
                    text: String::new(),
                })
            }
            (Some(block), None) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, None) => {
                if let Some(heading) = line.strip_prefix("## ") {
                    section = heading.to_owned();
                }
            }
        }
    }
    blocks
}

/// What a terminal shows.
fn typed(database: &Database, sql: &str) -> String {
    let mut client = database.cluster.program("sh", repository());
    client.args(["-c", "exec psql -X -d \"$1\" 2>&1", "sh", &database.name]);
    let mut client = client
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("psql starts");
    client
        .stdin
        .take()
        .expect("piped")
        .write_all(sql.as_bytes())
        .expect("psql reads");
    let output = client.wait_with_output().expect("psql ends");
    let output = String::from_utf8_lossy(&output.stdout);
    // A worker may hold a lock for a moment.
    let waits = [
        "NOTICE:  waiting for a lock on",
        "DETAIL:  No lock is held meanwhile",
    ];
    let shown = output
        .lines()
        .filter(|line| !waits.iter().any(|start| line.starts_with(start)));
    shown.collect::<Vec<_>>().join("\n")
}

/// A server that fills small tables at creation however slow the machine is, as the pages show it.
pub fn patient() -> Options {
    let options = Options::preloaded().set("pg_tviews.verify_cycle", "0");
    options.set("pg_tviews.fill_limit", "10s")
}

/// Types a page, and compares every answer.
pub fn follow(page: &str, database: &Database) {
    let mut blocks = blocks(page);
    blocks.retain(|block| block.kind == "sql" || block.kind == "text");
    for pair in blocks.chunks(2) {
        let [sql, answer] = pair else {
            panic!("{page}: an sql block without an answer")
        };
        assert_eq!(
            (sql.kind.as_str(), answer.kind.as_str()),
            ("sql", "text"),
            "{page}:{}",
            sql.line
        );
        let printed = typed(database, &sql.text);
        assert_eq!(
            tidy(&printed),
            tidy(&answer.text),
            "{page}:{}\n{}",
            sql.line,
            sql.text
        );
    }
}

#[test]
fn quick_start_and_tutorial_answer_as_shown() {
    let cluster = Cluster::start(patient());
    for (page, name) in [("docs/quick-start.md", "mydb"), ("docs/tutorial.md", "tutorial")] {
        follow(page, &Database::without_extension(&cluster, name));
    }
}
