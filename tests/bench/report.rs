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
        let row = Row {
            scenario: scenario.to_owned(),
            measure: measure.to_owned(),
            value,
            reach,
            seen: seen.into(),
        };
        eprintln!(
            "[{:4.0} s] {}: {} {:.3} {} ({})",
            self.begin.elapsed().as_secs_f64(),
            row.scenario,
            row.measure,
            row.value,
            row.ok(),
            row.seen
        );
        self.rows.push(row);
    }

    /// A ratio of measured things.
    pub fn ratio(&mut self, scenario: &str, measure: &str, of: &Measured, to: &Measured, reach: Reach) {
        self.add(scenario, measure, of.ratio_to(to), reach, format!("{of} / {to}"));
    }

    /// Prints the table and writes the JSON.
    pub fn finish(self) {
        let head = ["scenario", "measure", "ours", "reach", "ok?", "seen"].map(str::to_owned);
        let mut lines = vec![head];
        lines.extend(self.rows.iter().map(|row| {
            [
                row.scenario.clone(),
                row.measure.clone(),
                format!("{:.3}", row.value),
                row.reach.text(),
                row.ok().to_owned(),
                row.seen.clone(),
            ]
        }));
        let widths: Vec<usize> = (0..6)
            .map(|column| {
                let width = |line: &[String; 6]| line[column].chars().count();
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
