//! The argument of a capture trigger: `{"keys": ["pk_user", "id"], "watch": ["pk_user", "id", "name"]}`.
//! `define` writes the argument, `capture` reads it.

use serde_json::{json, Value};

/// Columns that a capture trigger captures and watches. They are names: partitions number their columns
/// differently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TriggerArgument {
    /// Columns that make up a change key, in this order. None: every change means all keys.
    pub keys: Option<Vec<String>>,
    /// Columns that some TVIEW reads: an update of other columns is no change. None: all columns.
    pub watch: Option<Vec<String>>,
    /// Columns of the images that net changes are made of. None: no net change is told.
    pub net: Option<Vec<String>>,
    /// Whether an update that changes no column is a change, too.
    pub every_update: bool,
}

impl TriggerArgument {
    /// Reads the argument. An invalid one captures more, never less, and never fails the writer.
    pub fn parse(argument: &[u8]) -> Self {
        let value: Value = serde_json::from_slice(argument).unwrap_or(Value::Null);
        TriggerArgument {
            keys: names(&value["keys"]),
            watch: names(&value["watch"]),
            net: names(&value["net"]),
            every_update: value["every_update"] == true,
        }
    }

    /// The argument as text.
    pub fn text(&self) -> String {
        let mut argument = json!({ "keys": self.keys, "watch": self.watch });
        if let Some(net) = &self.net {
            argument["net"] = json!(net);
        }
        if self.every_update {
            argument["every_update"] = true.into();
        }
        argument.to_string()
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
        let parsed = TriggerArgument::parse(br#"{"keys":["b","a","b"],"watch":["a","b","c"]}"#);
        assert_eq!(parsed.keys, strings(&["b", "a"]));
        assert_eq!(parsed.watch, strings(&["a", "b", "c"]));
    }

    #[test]
    fn no_captured_columns_differs_from_unknown_ones() {
        assert_eq!(
            TriggerArgument::parse(br#"{"keys":[],"watch":null}"#).keys,
            strings(&[])
        );
    }

    #[test]
    fn what_is_written_is_read() {
        for (watch, every_update) in [
            (None, false),
            (strings(&[]), true),
            (strings(&["b", "a\"\u{e4}"]), false),
        ] {
            let argument = TriggerArgument {
                keys: strings(&["b"]),
                net: watch.clone(),
                watch,
                every_update,
            };
            let text = argument.text();
            assert_eq!(TriggerArgument::parse(text.as_bytes()), argument, "{text}");
        }
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
            let parsed = TriggerArgument::parse(argument.as_bytes());
            assert_eq!(
                parsed,
                TriggerArgument {
                    keys: None,
                    watch: None,
                    net: None,
                    every_update: false,
                },
                "{argument}"
            );
        }
    }
}
