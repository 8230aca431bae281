//! The one argument of a capture trigger: `{"keys": ["pk_user", "id"], "watch": ["pk_user", "id", "name"]}`.

use serde_json::Value;

/// Columns a capture trigger deals with, by name: leaves of a partitioned table number theirs differently.
#[derive(Debug, PartialEq, Eq)]
pub struct TriggerArguments {
    /// Columns that make up a change key, in this order. None: every change means all keys.
    pub keys: Option<Vec<String>>,
    /// Columns some TVIEW reads: an update of others is no change. None: every column.
    pub watch: Option<Vec<String>>,
    /// An update that changes no column is one, too.
    pub every_update: bool,
}

impl TriggerArguments {
    /// Reads the argument. One that makes no sense captures more, never less, and never fails the writer.
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
