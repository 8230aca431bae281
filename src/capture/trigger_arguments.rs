//! The one argument of a capture trigger: `{"keys": ["pk_user", "id"], "watch": ["pk_user", "id", "name"]}`.

use serde_json::Value;

/// Columns that a capture trigger reads, by name: partitions may number their columns differently.
#[derive(Debug, PartialEq, Eq)]
pub struct TriggerArguments {
    /// The columns of a change key, in order. None: every change means all keys.
    pub keys: Option<Vec<String>>,
    /// Columns that some TVIEW reads. An update of other columns is no change. None: all columns.
    pub watch: Option<Vec<String>>,
    /// An update that changes no column counts as a change, too.
    pub every_update: bool,
}

impl TriggerArguments {
    /// Reads the argument. If it cannot be understood, every change means all keys; the writer never fails.
    pub fn parse(argument: &[u8]) -> Self {
        let value: Value = serde_json::from_slice(argument).unwrap_or(Value::Null);
        TriggerArguments {
            keys: names(&value["keys"]),
            watch: names(&value["watch"]),
            every_update: value["every_update"] == true,
        }
    }
}

fn names(list: &Value) -> Option<Vec<String>> {
    let mut names: Vec<String> = Vec::new();
    for name in list.as_array()? {
        let name = name.as_str()?;
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    Some(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(names: &[&str]) -> Option<Vec<String>> {
        Some(names.iter().map(|name| name.to_string()).collect())
    }

    #[test]
    fn names_keep_their_order_and_are_distinct() {
        let parsed = TriggerArguments::parse(br#"{"keys":["b","a","b"],"watch":["a","b","c"]}"#);
        assert_eq!(parsed.keys, strings(&["b", "a"]));
        assert_eq!(parsed.watch, strings(&["a", "b", "c"]));
    }

    #[test]
    fn no_captured_columns_differs_from_unknown_ones() {
        assert_eq!(
            TriggerArguments::parse(br#"{"keys":[],"watch":null}"#).keys,
            strings(&[])
        );
    }

    #[test]
    fn nonsense_captures_everything() {
        for argument in [
            "",
            "{",
            "[]",
            "null",
            r#"{"keys":"a","watch":1}"#,
            r#"{"keys":[1],"watch":[null]}"#,
        ] {
            let parsed = TriggerArguments::parse(argument.as_bytes());
            assert_eq!(
                parsed,
                TriggerArguments {
                    keys: None,
                    watch: None,
                    every_update: false,
                },
                "{argument}"
            );
        }
    }
}
