//! A graph in the language of Graphviz: `dot -Tsvg`.

use std::fmt::Write;

use super::label::visible;
use super::mermaid::node;
use super::Graph;

pub fn draw(graph: &Graph) -> String {
    let mut text = String::from("digraph pg_tviews {\n    rankdir=LR;\n");
    for (place, table) in graph.tables.iter().enumerate() {
        let _ = writeln!(
            text,
            "    s{} [shape=cylinder, label=\"{}\"];",
            place + 1,
            label(table)
        );
    }
    for place in graph.alone() {
        let _ = writeln!(text, "    {}", box_of(graph, place));
    }
    for (number, group) in graph.groups.iter().enumerate() {
        let name = label(&group.name);
        let _ = writeln!(
            text,
            "    subgraph cluster_g{} {{\n        label=\"group {name}\";",
            number + 1
        );
        for place in &group.members {
            let _ = writeln!(text, "        {}", box_of(graph, *place));
        }
        text += "    }\n";
    }
    for read in &graph.reads {
        let bold = if read.followed.is_full() {
            ", style=bold"
        } else {
            ""
        };
        let source = node(read.source);
        let words = label(&read.followed.words());
        let _ = writeln!(
            text,
            "    {source} -> t{} [label=\"{words}\"{bold}];",
            read.tview + 1
        );
    }
    text + "}\n"
}

fn box_of(graph: &Graph, place: usize) -> String {
    let tview = &graph.tviews[place];
    let (number, name) = (place + 1, label(&tview.name));
    let state = match tview.state.as_str() {
        "active" => String::new(),
        state => format!("\\n{}", label(state)),
    };
    let style = style(&tview.state);
    format!("t{number} [shape=box, label=\"{name}{state}\"{style}];")
}

fn style(state: &str) -> &'static str {
    match state {
        "populating" => ", style=dashed",
        "paused" => ", color=gray",
        "suspended" => ", color=red",
        _ => "",
    }
}

/// A label inside double quotes. Graphviz reads escapes and HTML entities in it.
fn label(name: &str) -> String {
    let mut label = String::new();
    for c in visible(name).chars() {
        match c {
            '"' | '\\' => label.extend(['\\', c]),
            '&' => label.push_str("&amp;"),
            other => label.push(other),
        }
    }
    label
}

#[cfg(test)]
mod tests {
    use super::label;

    #[test]
    fn labels_have_no_syntax() {
        assert_eq!(label("public.\"Tv\""), "public.\\\"Tv\\\"");
        assert_eq!(label("a\\N\\"), "a\\\\N\\\\");
        assert_eq!(label("&lt;b>"), "&amp;lt;b>");
        assert_eq!(label("ž\n"), "ž\u{240a}");
    }
}
