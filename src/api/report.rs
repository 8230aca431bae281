//! Functions for operators, which report what the extension has recorded; they change nothing.

use pgrx::prelude::*;

use crate::define::arguments::tview_name;
use crate::error::OrRaise;
use crate::report::graph;

#[pg_extern(stable, parallel_unsafe)]
fn pg_tviews_graph(
    name: default!(Option<&str>, "NULL"),
    format: default!(Option<&str>, "'mermaid'"),
) -> String {
    let name = name.map(|name| tview_name(Some(name)).or_raise());
    graph::graph(name, format.unwrap_or("mermaid")).or_raise()
}
