//! A graph as a flowchart of Mermaid, which Markdown of many sites shows as a picture.

use std::fmt::Write;

use super::label::visible;
use super::{Graph, Source};

/// States that are shown, with their style. A TVIEW that is active looks as usual.
const STYLES: [(&str, &str); 3] = [
    ("populating", "stroke-dasharray: 4 4"),
    ("paused", "fill:#eee,stroke:#888"),
    ("suspended", "fill:#fdd,stroke:#c00"),
];

pub fn draw(graph: &Graph) -> String {
    let mut text = String::from("flowchart LR\n");
    for (place, table) in graph.tables.iter().enumerate() {
        let _ = writeln!(text, "    s{}[(\"{}\")]", place + 1, label(table));
    }
    for place in graph.alone() {
        let _ = writeln!(text, "    {}", box_of(graph, place));
    }
    for (number, group) in graph.groups.iter().enumerate() {
        let name = label(&group.name);
        let _ = writeln!(text, "    subgraph g{}[\"group {name}\"]", number + 1);
        for place in &group.members {
            let _ = writeln!(text, "        {}", box_of(graph, *place));
        }
        text += "    end\n";
    }
    for read in &graph.reads {
        let arrow = if read.followed.is_full() { "==>" } else { "-->" };
        let source = node(read.source);
        let words = label(&read.followed.words());
        let _ = writeln!(text, "    {source} {arrow}|\"{words}\"| t{}", read.tview + 1);
    }
    for (state, style) in STYLES {
        if graph.tviews.iter().any(|tview| tview.state == state) {
            let _ = writeln!(text, "    classDef {state} {style}");
        }
    }
    text
}

fn box_of(graph: &Graph, place: usize) -> String {
    let tview = &graph.tviews[place];
    let (number, name) = (place + 1, label(&tview.name));
    if tview.state == "active" {
        return format!("t{number}[\"{name}\"]");
    }
    let state = label(&tview.state);
    format!("t{number}[\"{name}<br>{state}\"]:::{state}")
}

/// The same names as in [`super::dot`].
pub fn node(source: Source) -> String {
    match source {
        Source::Table(place) => format!("s{}", place + 1),
        Source::Tview(place) => format!("t{}", place + 1),
    }
}

/// A label inside double quotes. All but letters, digits and a few other characters are written as their number:
/// Mermaid reads HTML, Markdown, comments and directives in labels.
fn label(name: &str) -> String {
    let mut label = String::new();
    for c in visible(name).chars() {
        if c.is_alphanumeric() || " ._,".contains(c) {
            label.push(c);
        } else {
            let _ = write!(label, "#{};", c as u32);
        }
    }
    label
}

#[cfg(test)]
mod tests {
    use super::label;

    #[test]
    fn labels_have_no_syntax() {
        assert_eq!(label("public.tv_post"), "public.tv_post");
        assert_eq!(label("a\"b"), "a#34;b");
        assert_eq!(label("<script>"), "#60;script#62;");
        assert_eq!(label("#quot;"), "#35;quot#59;");
        assert_eq!(
            label("`x` %%{init}%%"),
            "#96;x#96; #37;#37;#123;init#125;#37;#37;"
        );
        assert_eq!(label("žluť 🐎\n"), "žluť #128014;#9226;");
    }
}
