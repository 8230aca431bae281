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
    for (place, tview) in graph.tviews.iter().enumerate() {
        let name = label(&tview.name);
        let state = match tview.state.as_str() {
            "active" => String::new(),
            state => format!("\\n{}", label(state)),
        };
        let style = style(&tview.state);
        let _ = writeln!(
            text,
            "    t{} [shape=box, label=\"{name}{state}\"{style}];",
            place + 1
        );
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
