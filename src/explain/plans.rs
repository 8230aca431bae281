//! Reads plans, as EXPLAIN (VERBOSE, FORMAT JSON) shows them: which tables are read in full, which indexes
//! are searched.

use serde_json::Value;

/// A scan of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    pub schema: String,
    pub table: String,
    pub alias: String,
}

/// A search of an index.
#[derive(Debug)]
pub struct Search {
    pub scan: Scan,
    pub index: String,
    /// Rows that one search is expected to find.
    pub rows: f64,
    condition: String,
}

impl Search {
    /// Whether the condition is about a column, given as EXPLAIN writes it: `alias.column`.
    pub fn is_on(&self, column: &str) -> bool {
        let of_name = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '$' | '"' | '.');
        self.condition.match_indices(column).any(|(at, _)| {
            let before = self.condition[..at].chars().next_back();
            let after = self.condition[at + column.len()..].chars().next();
            !before.is_some_and(of_name) && !after.is_some_and(of_name)
        })
    }
}

/// What a scan reads of its table, or a search of its index: the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reads {
    Few,
    /// So many rows that an index is no use.
    Many,
    All,
}

/// The scans of a plan.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Scans {
    /// Of whole tables, including scans of a whole index.
    pub full: Vec<Scan>,
    /// By searches that find many rows.
    pub many: Vec<Scan>,
    /// Names of the indexes whose searches find few rows.
    pub searched: Vec<String>,
}

/// Reads the whole output of EXPLAIN. `reads`: what a search reads of its index.
pub fn scans(explained: &str, reads: &dyn Fn(&Search) -> Reads) -> Scans {
    let mut scans = Scans::default();
    let json: Value = serde_json::from_str(explained).unwrap_or_default();
    walk(&json[0]["Plan"], reads, &mut scans);
    scans
}

fn walk(node: &Value, reads: &dyn Fn(&Search) -> Reads, scans: &mut Scans) {
    let scan = Scan {
        schema: text(node, "Schema"),
        table: text(node, "Relation Name"),
        alias: text(node, "Alias"),
    };
    let found = match text(node, "Node Type").as_str() {
        "Seq Scan" | "Sample Scan" => Reads::All,
        "Index Scan" | "Index Only Scan" => searches(node, &scan, reads, &mut scans.searched),
        "Bitmap Heap Scan" => children(node)
            .map(|child| searches(child, &scan, reads, &mut scans.searched))
            .min()
            .unwrap_or(Reads::All),
        _ => Reads::Few,
    };
    match found {
        Reads::All => scans.full.push(scan),
        Reads::Many => scans.many.push(scan),
        Reads::Few => {}
    }
    children(node).for_each(|child| walk(child, reads, scans));
}

/// What a node below `scan` reads by its searches. With BitmapAnd the best search counts, with BitmapOr the worst.
fn searches(
    node: &Value,
    scan: &Scan,
    reads: &dyn Fn(&Search) -> Reads,
    searched: &mut Vec<String>,
) -> Reads {
    let below = |child| searches(child, scan, reads, searched);
    match text(node, "Node Type").as_str() {
        "BitmapAnd" => children(node).map(below).min().unwrap_or(Reads::All),
        "BitmapOr" => children(node).map(below).max().unwrap_or(Reads::All),
        _ => {
            let Some(condition) = node["Index Cond"].as_str() else {
                return Reads::All;
            };
            let search = Search {
                scan: scan.clone(),
                index: text(node, "Index Name"),
                rows: node["Plan Rows"].as_f64().unwrap_or_default(),
                condition: condition.to_string(),
            };
            let found = reads(&search);
            searched.extend((found == Reads::Few).then_some(search.index));
            found
        }
    }
}

fn children(node: &Value) -> impl Iterator<Item = &Value> {
    node["Plans"].as_array().into_iter().flatten()
}

fn text(node: &Value, name: &str) -> String {
    node[name].as_str().unwrap_or_default().to_string()
}

/// The alias of a partitioned table, from that of one of its partitions (`r1_2`).
pub fn without_number(alias: &str) -> &str {
    match alias.rsplit_once('_') {
        Some((name, number)) if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => alias,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(alias: &str) -> Scan {
        Scan {
            schema: "app".to_string(),
            table: "tb_post".to_string(),
            alias: alias.to_string(),
        }
    }

    fn node(kind: &str, more: &str) -> String {
        format!(
            r#"{{"Node Type": "{kind}", "Schema": "app", "Relation Name": "tb_post", "Alias": "r1"{more}}}"#
        )
    }

    fn read(node: &str) -> Scans {
        let plan = format!(
            r#"[{{"Plan": {{"Node Type": "Nested Loop", "Plans": [{{"Node Type": "Result"}}, {node}]}}}}]"#
        );
        scans(&plan, &|search| match search.index.as_str() {
            "wide" => Reads::All,
            "common" => Reads::Many,
            _ => Reads::Few,
        })
    }

    #[test]
    fn a_table_read_from_end_to_end_is_found_below_a_join() {
        for kind in ["Seq Scan", "Index Scan", "Index Only Scan"] {
            assert_eq!(read(&node(kind, "")).full, [scan("r1")], "{kind}");
        }
    }

    #[test]
    fn a_searched_index_is_not_a_full_scan() {
        let index =
            |name: &str| format!(r#", "Index Name": "{name}", "Index Cond": "(r1.fk_user = changed.id)""#);
        let found = read(&node("Index Scan", &index("narrow")));
        assert!(found.full.is_empty());
        assert_eq!(found.searched, ["narrow"]);
        let found = read(&node("Index Scan", &index("wide")));
        assert_eq!(found.full, [scan("r1")]);
        assert!(found.searched.is_empty());
        let found = read(&node("Index Scan", &index("common")));
        assert_eq!((found.full, found.many), (Vec::new(), vec![scan("r1")]));
        assert!(found.searched.is_empty());
    }

    #[test]
    fn a_condition_is_on_whole_names() {
        let search = Search {
            scan: scan("r1"),
            index: String::new(),
            rows: 1.0,
            condition: "(r1.fk_user = changed.id)".to_string(),
        };
        assert!(search.is_on("r1.fk_user"));
        assert!(!search.is_on("r1.fk_use"), "a part of the name");
        assert!(!search.is_on("r1.id"), "the other side");
    }

    #[test]
    fn a_bitmap_scan_is_judged_by_its_indexes() {
        let index = |name: &str| {
            format!(
                r#"{{"Node Type": "Bitmap Index Scan", "Index Name": "{name}", "Index Cond": "(a = b)"}}"#
            )
        };
        let heap = |below: &str| node("Bitmap Heap Scan", &format!(r#", "Plans": [{below}]"#));
        let combined = |kind: &str, first: &str| {
            let below = format!("{}, {}", index(first), index("narrow"));
            read(&heap(&format!(
                r#"{{"Node Type": "{kind}", "Plans": [{below}]}}"#
            )))
        };
        assert_eq!(
            read(&heap(r#"{"Node Type": "Bitmap Index Scan"}"#)).full,
            [scan("r1")]
        );
        assert!(read(&heap(&index("narrow"))).full.is_empty());
        assert!(combined("BitmapAnd", "wide").full.is_empty());
        assert!(combined("BitmapAnd", "common").many.is_empty());
        assert_eq!(combined("BitmapOr", "wide").full, [scan("r1")]);
        assert_eq!(combined("BitmapOr", "common").many, [scan("r1")]);
        assert_eq!(combined("BitmapOr", "narrow").searched, ["narrow", "narrow"]);
        assert!(combined("BitmapOr", "narrow").full.is_empty());
    }

    #[test]
    fn what_is_not_a_plan_has_no_scans() {
        assert_eq!(scans("nonsense", &|_| Reads::Few), Scans::default());
    }

    #[test]
    fn partitions_have_numbered_aliases() {
        assert_eq!(without_number("r1_2"), "r1");
        assert_eq!(without_number("tb_post"), "tb_post");
    }
}
