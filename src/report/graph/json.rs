//! A graph as JSON, for programs.

use serde_json::{json, Value};

use super::{Graph, Source};

pub fn draw(graph: &Graph) -> String {
    let tviews: Vec<Value> = graph
        .tviews
        .iter()
        .map(|tview| {
            json!({
                "name": tview.name,
                "entity": tview.entity,
                "view": tview.view,
                "state": tview.state,
                "key_columns": tview.key,
            })
        })
        .collect();
    let reads: Vec<Value> = graph
        .reads
        .iter()
        .map(|read| {
            let source = match read.source {
                Source::Table(place) => &graph.tables[place],
                Source::Tview(place) => &graph.tviews[place].name,
            };
            json!({
                "source": source,
                "tview": graph.tviews[read.tview].name,
                "strategy": read.followed.strategy,
                "declared": read.followed.is_declared,
                "running": read.followed.is_running,
            })
        })
        .collect();
    let groups: Vec<Value> = graph
        .groups
        .iter()
        .map(|group| {
            let members = group.members.iter().map(|place| &graph.tviews[*place].name);
            json!({ "name": group.name, "tviews": members.collect::<Vec<_>>() })
        })
        .collect();
    json!({ "tables": graph.tables, "tviews": tviews, "groups": groups, "reads": reads }).to_string()
}
