//! The table that is printed, and the same as JSON.

use std::path::PathBuf;
use std::time::Instant;

use serde_json::json;

use crate::compare::Measured;
use crate::harness::repository;
use crate::scale::Scale;

/// What a figure is to reach.
#[derive(Clone, Copy)]
pub enum Reach {
    AtLeast(f64),
    AtMost(f64),
    /// Shown to compare with.
    Nothing,
}

impl Reach {
    fn holds(self, value: f64) -> Option<bool> {
        match self {
            Reach::AtLeast(least) => Some(value >= least),
            Reach::AtMost(most) => Some(value <= most),
            Reach::Nothing => None,
        }
    }

    fn text(self) -> String {
        match self {
            Reach::AtLeast(least) => format!(">= {least}"),
            Reach::AtMost(most) => format!("<= {most}"),
            Reach::Nothing => String::new(),
        }
    }
}

struct Row {
    scenario: String,
    measure: String,
    value: f64,
    reach: Reach,
    /// Commits per second without TVIEWs: whether the ratio is one of CPU or of a disk.
    bare_rate: Option<f64>,
    /// Absolute figures.
    seen: String,
}

impl Row {
    fn ok(&self) -> &'static str {
        match self.reach.holds(self.value) {
            Some(true) => "yes",
            Some(false) => "NO",
            None => "",
        }
    }
}

/// Collects rows, in the order they were measured.
pub struct Report {
    scale: &'static str,
    begin: Instant,
    rows: Vec<Row>,
}

impl Report {
    /// An empty one.
    pub fn new(scale: &Scale) -> Self {
        Self {
            scale: scale.name,
            begin: Instant::now(),
            rows: Vec::new(),
        }
    }

    /// A figure; told at once, too, since the whole takes long.
    pub fn add(&mut self, scenario: &str, measure: &str, value: f64, reach: Reach, seen: impl Into<String>) {
        self.push(Row {
            scenario: scenario.to_owned(),
            measure: measure.to_owned(),
            value,
            reach,
            bare_rate: None,
            seen: seen.into(),
        });
    }

    /// A ratio of measured things.
    pub fn ratio(&mut self, scenario: &str, measure: &str, of: &Measured, to: &Measured, reach: Reach) {
        self.add(scenario, measure, of.ratio_to(to), reach, format!("{of} / {to}"));
    }

    /// A ratio of things measured where a writer without TVIEWs commits so often.
    pub fn ratio_at(
        &mut self,
        bare_rate: f64,
        (scenario, measure): (&str, &str),
        (of, to): (&Measured, &Measured),
        reach: Reach,
    ) {
        self.push(Row {
            scenario: scenario.to_owned(),
            measure: measure.to_owned(),
            value: of.ratio_to(to),
            reach,
            bare_rate: Some(bare_rate),
            seen: format!("{of} / {to}"),
        });
    }

    fn push(&mut self, row: Row) {
        eprintln!(
            "[{:4.0} s] {}: {} {} {} ({}){}",
            self.begin.elapsed().as_secs_f64(),
            row.scenario,
            row.measure,
            figure(row.value),
            row.ok(),
            row.seen,
            row.bare_rate
                .map_or(String::new(), |rate| format!(" at {rate:.0} tps without"))
        );
        self.rows.push(row);
    }

    /// Prints the table and writes the JSON.
    pub fn finish(self) {
        let head = [
            "scenario",
            "measure",
            "ours",
            "reach",
            "ok?",
            "tps without TVIEWs",
            "seen",
        ];
        let head = head.map(str::to_owned);
        let mut lines = vec![head];
        lines.extend(self.rows.iter().map(|row| {
            [
                row.scenario.clone(),
                row.measure.clone(),
                figure(row.value),
                row.reach.text(),
                row.ok().to_owned(),
                row.bare_rate.map_or(String::new(), |rate| format!("{rate:.0}")),
                row.seen.clone(),
            ]
        }));
        let widths: Vec<usize> = (0..7)
            .map(|column| {
                let width = |line: &[String; 7]| line[column].chars().count();
                lines.iter().map(width).max().unwrap_or(0)
            })
            .collect();
        for (number, line) in lines.iter().enumerate() {
            let cells = line.iter().zip(&widths);
            let cells: Vec<String> = cells.map(|(cell, width)| format!("{cell:width$}")).collect();
            println!("| {} |", cells.join(" | "));
            if number == 0 {
                let rules: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
                println!("| {} |", rules.join(" | "));
            }
        }
        let path = self.write_json();
        println!(
            "{} scale, {:.0} s; as JSON in {}",
            self.scale,
            self.begin.elapsed().as_secs_f64(),
            path.display()
        );
    }

    fn write_json(&self) -> PathBuf {
        let rows: Vec<serde_json::Value> = self
            .rows
            .iter()
            .map(|row| {
                json!({
                    "scenario": row.scenario,
                    "measure": row.measure,
                    "ours": row.value,
                    "reach": row.reach.text(),
                    "ok": row.reach.holds(row.value),
                    "tps_without": row.bare_rate,
                    "seen": row.seen,
                })
            })
            .collect();
        let folder = repository().join("target").join("bench");
        std::fs::create_dir_all(&folder).expect("a folder below target/");
        let path = folder.join(format!("{}.json", self.scale));
        let document =
            json!({ "scale": self.scale, "seconds": self.begin.elapsed().as_secs(), "rows": rows });
        std::fs::write(&path, format!("{document:#}\n")).expect("the JSON is written");
        path
    }
}

/// Three digits that say something, as docs/benchmarks.md shows them.
fn figure(value: f64) -> String {
    let digits = match value.abs() {
        large if large >= 99.95 => 0,
        large if large >= 9.995 => 1,
        large if large >= 0.9995 => 2,
        _ => 3,
    };
    format!("{value:.digits$}")
}
