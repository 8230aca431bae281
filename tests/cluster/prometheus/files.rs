//! The files of `monitoring`, as far as the tests need to understand them.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::harness::repository;

pub fn read(name: &str) -> String {
    fs::read_to_string(repository().join("monitoring").join(name)).expect("the file can be read")
}

/// A metric of the collector for sql_exporter.
#[derive(Default)]
pub struct Metric {
    pub name: String,
    pub labels: Vec<String>,
    pub value: String,
    pub query: String,
}

/// A list in brackets.
fn list(text: &str) -> Vec<String> {
    let items = text.trim_matches(['[', ']']).split(',');
    items.map(|item| item.trim().to_owned()).collect()
}

/// The metrics of the collector, and its queries by name.
pub fn collector() -> (Vec<Metric>, Vec<(String, String)>) {
    let (mut metrics, mut queries): (Vec<Metric>, Vec<(String, String)>) = (Vec::new(), Vec::new());
    for line in read("sql_exporter.collector.yml").lines() {
        let (key, value) = line.split_once(": ").unwrap_or((line, ""));
        match (key.trim_start().trim_start_matches("- "), metrics.last_mut()) {
            ("metric_name", _) => metrics.push(Metric {
                name: value.to_owned(),
                ..Metric::default()
            }),
            ("key_labels", Some(metric)) => metric.labels = list(value),
            ("values", Some(metric)) => metric.value = list(value).concat(),
            ("query_ref", Some(metric)) => metric.query = value.to_owned(),
            ("query_name", _) => queries.push((value.to_owned(), String::new())),
            _ => {
                if let Some((_, query)) = queries.last_mut().filter(|_| line.starts_with("      ")) {
                    query.push_str(line);
                    query.push('\n');
                }
            }
        }
    }
    (metrics, queries)
}

/// The expressions of the board, with its variables replaced.
pub fn board() -> Vec<String> {
    let board: Value = serde_json::from_str(&read("grafana.json")).expect("the board is JSON");
    let panels = board["panels"].as_array().expect("the board has panels");
    let targets = panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().expect("a panel has targets"));
    let expressions = targets.map(|target| target["expr"].as_str().expect("a target has an expression"));
    let mut expressions: Vec<String> = expressions
        .map(|text| {
            ["$instance", "$database", "$schema", "$entity"]
                .iter()
                .fold(text.replace("$__rate_interval", "1m"), |text, variable| {
                    text.replace(variable, ".*")
                })
        })
        .collect();
    let variables = board["templating"]["list"]
        .as_array()
        .expect("the board has variables");
    let queries = variables
        .iter()
        .filter_map(|variable| variable["definition"].as_str());
    expressions.extend(queries.map(|query| {
        let inside = query
            .trim_start_matches("label_values(")
            .rsplit_once(',')
            .expect("a label")
            .0;
        ["$instance", "$database", "$schema"]
            .iter()
            .fold(inside.to_owned(), |text, variable| text.replace(variable, ".*"))
    }));
    expressions
}

/// The names of metrics of pg_tviews in a text.
pub fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words
        .filter(|word| word.starts_with("pg_tview_"))
        .map(str::to_owned)
        .collect()
}

/// The paragraphs that the alerts name.
pub fn paragraphs() -> Vec<String> {
    let text = read("alerts.yml");
    let lines = text
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("documentation: "));
    lines.map(str::to_owned).collect()
}
