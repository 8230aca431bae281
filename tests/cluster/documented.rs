//! Examples in the documentation: what stands in an `sql` block is run, and what stands in the `text` block after it is
//! what psql answers.

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
fn tidy(output: &str) -> String {
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
        let (said, errors) = (
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
                tidy(&said),
                tidy(&answer),
                "docs/lineage.md:{}\n{}",
                example.line,
                example.sql
            );
        }
    }
}
