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
#[derive(Debug, PartialEq, Eq)]
pub struct Search {
    pub scan: Scan,
    pub index: String,
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

/// The scans of a plan.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Scans {
    /// Of whole tables, including scans of a whole index.
    pub full: Vec<Scan>,
    /// Names of the indexes that are searched.
    pub searched: Vec<String>,
}

/// Reads the whole output of EXPLAIN. `is_narrow`: whether a search reads only a part of the index.
pub fn scans(explained: &str, is_narrow: &dyn Fn(&Search) -> bool) -> Scans {
    let mut scans = Scans::default();
    let json: Value = serde_json::from_str(explained).unwrap_or_default();
    walk(&json[0]["Plan"], is_narrow, &mut scans);
    scans
}

fn walk(node: &Value, is_narrow: &dyn Fn(&Search) -> bool, scans: &mut Scans) {
    let scan = Scan {
        schema: text(node, "Schema"),
        table: text(node, "Relation Name"),
        alias: text(node, "Alias"),
    };
    let narrow = match text(node, "Node Type").as_str() {
        "Seq Scan" | "Sample Scan" => false,
        "Index Scan" | "Index Only Scan" => searches(node, &scan, is_narrow, &mut scans.searched),
        "Bitmap Heap Scan" => {
            children(node).any(|child| searches(child, &scan, is_narrow, &mut scans.searched))
        }
        _ => true,
    };
    if !narrow {
        scans.full.push(scan);
    }
    children(node).for_each(|child| walk(child, is_narrow, scans));
}

/// Whether a node below `scan` finds its rows by narrow searches. With BitmapAnd one narrow search is enough,
/// with BitmapOr all must be narrow.
fn searches(
    node: &Value,
    scan: &Scan,
    is_narrow: &dyn Fn(&Search) -> bool,
    searched: &mut Vec<String>,
) -> bool {
    let mut below = |child| searches(child, scan, is_narrow, searched);
    match text(node, "Node Type").as_str() {
        "BitmapAnd" => children(node).map(below).filter(|narrow| *narrow).count() > 0,
        "BitmapOr" => !children(node)
            .map(&mut below)
            .collect::<Vec<_>>()
            .contains(&false),
        _ => {
            let search = node["Index Cond"].as_str().map(|condition| Search {
                scan: scan.clone(),
                index: text(node, "Index Name"),
                condition: condition.to_string(),
            });
            let narrow = search.filter(|search| is_narrow(search));
            searched.extend(narrow.iter().map(|search| search.index.clone()));
            narrow.is_some()
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
        scans(&plan, &|search| search.index != "wide")
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
    }

    #[test]
    fn a_condition_is_on_whole_names() {
        let search = Search {
            scan: scan("r1"),
            index: String::new(),
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
        assert_eq!(combined("BitmapOr", "wide").full, [scan("r1")]);
        assert_eq!(combined("BitmapOr", "narrow").searched, ["narrow", "narrow"]);
        assert!(combined("BitmapOr", "narrow").full.is_empty());
    }

    #[test]
    fn what_is_not_a_plan_has_no_scans() {
        assert_eq!(scans("nonsense", &|_| true), Scans::default());
    }

    #[test]
    fn partitions_have_numbered_aliases() {
        assert_eq!(without_number("r1_2"), "r1");
        assert_eq!(without_number("tb_post"), "tb_post");
    }
}
