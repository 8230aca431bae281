//! docs/settings.md and docs/sql-reference.md have every setting, relation and column that the server has.

use std::collections::BTreeMap;
use std::fs;

use crate::harness::{repository, shared, Ask, Database};

fn page(path: &str) -> String {
    fs::read_to_string(repository().join(path)).expect("the page can be read")
}

/// A number with a unit, such as `7d`, in the unit of the setting.
fn in_unit(value: &str, unit: &str) -> Option<f64> {
    let size = |name: &str| match name {
        "ms" | "kB" => Some(1.0),
        "s" => Some(1000.0),
        "d" => Some(86_400_000.0),
        "MB" => Some(1024.0),
        "GB" => Some(1024.0 * 1024.0),
        _ => None,
    };
    let digits = value.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: f64 = digits.parse().ok()?;
    match &value[digits.len()..] {
        "" => Some(number),
        suffix => Some(number * size(suffix)? / size(unit)?),
    }
}

#[test]
fn every_setting_is_documented_with_its_default_and_range() {
    let database = Database::new(shared(), "documented_settings");
    let mut rows: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in page("docs/settings.md")
        .lines()
        .filter_map(|line| line.strip_prefix("| `pg_tviews."))
    {
        let cells = line
            .split('|')
            .map(|cell| cell.trim().trim_matches('`').to_owned());
        let cells: Vec<String> = cells.collect();
        rows.insert(format!("pg_tviews.{}", cells[0]), cells);
    }
    let sql = "SELECT name, coalesce(unit, ''), coalesce(min_val, ''), coalesce(max_val, ''), coalesce(boot_val, '')
                 FROM pg_settings WHERE name LIKE 'pg\\_tviews.%' ORDER BY name";
    let settings = database.client().query(sql, &[]).expect("the settings are read");
    assert_eq!(settings.len(), rows.len(), "{:?}", rows.keys());
    for setting in settings {
        let [name, unit, least, most, default]: [String; 5] = std::array::from_fn(|n| setting.get(n));
        let row = rows
            .get(&name)
            .unwrap_or_else(|| panic!("docs/settings.md has no row {name}"));
        let (range, written) = (row[2].as_str(), row[3].as_str());
        let is_default = written == default
            || (written == "empty" && default.is_empty())
            || in_unit(written, &unit).is_some_and(|value| Some(value) == default.parse().ok());
        assert!(
            is_default,
            "{name}: the default is {default} {unit}, not {written}"
        );
        let number = |text: &str| text.parse::<f64>().ok();
        if let (Some(least), Some(from)) = (number(&least), range.split(' ').next().and_then(number)) {
            assert_eq!(from, least, "{name}: {range}");
            let to = range.split(" to ").nth(1).and_then(number);
            assert!(
                to.is_none() || to == number(&most),
                "{name}: {range}, not {least} to {most}"
            );
        }
    }
}

/// Relations that only the extension uses, or with the columns of another one: the page says what they are for.
const WITHOUT_COLUMNS: [&str; 6] = [
    "pg_tview_acknowledgement",
    "pg_tview_definition",
    "pg_tview_lost_consumer",
    "pg_tview_running",
    "pg_tview_running_position",
    "pg_tview_subscription",
];

#[test]
fn every_relation_and_column_is_documented() {
    let database = Database::new(shared(), "documented_relations");
    let columns = database.client().rows(
        "SELECT relname, attname FROM pg_class c
           JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
           JOIN pg_attribute a ON a.attrelid = c.oid AND attnum > 0 AND NOT attisdropped
          WHERE d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'pg_tviews') AND relkind IN ('r', 'v')
          ORDER BY relname, attnum",
    );
    assert!(columns.len() > 150, "only {} columns", columns.len());
    let page = page("docs/sql-reference.md");
    let mut missing = Vec::new();
    for column in &columns {
        let (relation, name) = column.split_once('|').expect("two columns");
        let section = page
            .split_once(&format!("**`{relation}`**"))
            .map(|(_, rest)| rest);
        let has =
            |section: &str| WITHOUT_COLUMNS.contains(&relation) || section.contains(&format!("`{name}`"));
        if !section.is_some_and(has) {
            missing.push(column);
        }
    }
    assert!(
        missing.is_empty(),
        "docs/sql-reference.md does not have {missing:?}"
    );
}
