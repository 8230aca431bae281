//! `pg_tviews_graph`: which tables and TVIEWs feed which, as text that other programs draw.
//!
//! ```text
//! pg_tview_definition -> Graph (in a stable order) -> mermaid, dot or json
//! ```
//!
//! Nothing is analysed: registration has stored how changes of each source are followed.

mod dot;
mod json;
mod label;
mod mermaid;
mod read;
mod select;

use std::collections::HashSet;

use pgrx::PgSqlErrorCode;

use crate::error::{shown, Problem};

/// Tables and TVIEWs, and which TVIEW reads which of them.
#[derive(Debug, Default)]
struct Graph {
    /// Names as SQL, with the schema. Sorted.
    tables: Vec<String>,
    /// Sorted by name.
    tviews: Vec<Tview>,
    /// Sorted by name.
    groups: Vec<Group>,
    /// Sorted by the TVIEW that reads, then by what it reads.
    reads: Vec<Read>,
}

#[derive(Debug)]
struct Tview {
    /// The table as SQL, with its schema.
    name: String,
    entity: String,
    /// The backing view as SQL, with its schema.
    view: String,
    state: String,
    key: Vec<String>,
}

/// TVIEWs that are refreshed in one transaction.
#[derive(Debug)]
struct Group {
    name: String,
    /// Indexes of its TVIEWs.
    members: Vec<usize>,
}

/// A TVIEW reads a source.
#[derive(Debug)]
struct Read {
    source: Source,
    /// Index of the TVIEW.
    tview: usize,
    followed: Followed,
}

/// Index of a table or TVIEW.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    Table(usize),
    Tview(usize),
}

/// How changes of a source are followed.
#[derive(Debug, Default)]
struct Followed {
    /// `keyed` or `full`; None while that is not known.
    strategy: Option<String>,
    /// Some rows are found by what `fk_columns` declares.
    is_declared: bool,
    /// Aggregates over the source run along.
    is_running: bool,
}

impl Graph {
    /// Indexes of the TVIEWs of no group.
    fn alone(&self) -> impl Iterator<Item = usize> + '_ {
        let grouped: HashSet<usize> = self
            .groups
            .iter()
            .flat_map(|group| &group.members)
            .copied()
            .collect();
        (0..self.tviews.len()).filter(move |place| !grouped.contains(place))
    }
}

impl Followed {
    /// Reads what registration has stored, see `refresh/plan/strategies.rs`.
    fn read(stored: Option<&String>) -> Followed {
        let mut words = stored.map_or("", String::as_str).split(' ');
        let strategy = words.next().filter(|word| !word.is_empty());
        let rest: Vec<&str> = words.collect();
        Followed {
            strategy: strategy.map(str::to_string),
            is_declared: rest.contains(&"declared"),
            is_running: rest.contains(&"running"),
        }
    }

    fn is_full(&self) -> bool {
        self.strategy.as_deref() == Some("full")
    }

    /// The words at an arrow.
    fn words(&self) -> String {
        let strategy = self.strategy.as_deref().unwrap_or("not known yet");
        let declared = if self.is_declared { ", declared" } else { "" };
        let running = if self.is_running { ", running" } else { "" };
        format!("{strategy}{declared}{running}")
    }
}

/// The graph of one TVIEW with all below and above it, or of all TVIEWs, in a format.
pub fn graph(name: Option<&str>, format: &str) -> Result<String, Problem> {
    let draw = match format {
        "mermaid" => mermaid::draw,
        "dot" => dot::draw,
        "json" => json::draw,
        other => return Err(no_such_format(other)),
    };
    Ok(draw(&read::read(name)?))
}

fn no_such_format(format: &str) -> Problem {
    Problem::new(
        PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
        format!("\"{}\" is not a format of graphs", shown(format)),
    )
    .detail("The formats are mermaid, dot and json.")
    .hint("Run SELECT pg_tviews_graph(format => 'dot');")
}
