//! The text of an export: statements in order, and the settings under which they run.

use std::collections::BTreeMap;

use crate::postgres::{quote, row_settings};

/// Statements that are being collected.
pub struct Script {
    /// The schema of the extension, quoted.
    functions: String,
    text: String,
    /// The settings as the statements so far have set them.
    settings: BTreeMap<&'static str, String>,
    /// Statements that run when all TVIEWs exist.
    last: Vec<String>,
}

impl Script {
    /// `functions`: the schema of the extension, quoted. All names in the script have their schema. Operators have none:
    /// without a search_path of its own, operators of other roles could run where a superuser runs the script.
    pub fn new(functions: String) -> Script {
        let path = "pg_catalog, pg_temp";
        Script {
            functions,
            text: format!(
                "-- TVIEWs, made by pg_tviews_export. Their sources have to exist.\nSET search_path = {path};\n"
            ),
            settings: BTreeMap::from([("search_path", path.to_string())]),
            last: Vec::new(),
        }
    }

    /// The qualified name of an object of the extension.
    pub fn own(&self, name: &str) -> String {
        format!("{}.{name}", self.functions)
    }

    pub fn heading(&mut self, heading: &str) {
        // A name may contain a line break.
        let heading = heading.replace(['\n', '\r'], " ");
        self.text.push_str(&format!("\n-- {heading}\n"));
    }

    pub fn add(&mut self, statement: &str) {
        self.text.push_str(statement);
        self.text.push_str(";\n");
    }

    pub fn add_last(&mut self, statement: String) {
        self.last.push(statement);
    }

    /// Sets what differs from the settings of the statements before. A setting of a library that may not be loaded in the
    /// session is not set to its default: roles that are no superusers cannot set some of them.
    pub fn set(&mut self, kept: &[(String, String)]) {
        for (name, value) in row_settings::effective(kept) {
            let before = self.settings.get(name).map(String::as_str);
            let unset = name.contains('.') && row_settings::is_default(name, value) && before.is_none();
            if before != Some(value) && !unset {
                self.add(&format!("SET {} = {}", setting(name), quote::literal(value)));
                self.settings.insert(name, value.to_string());
            }
        }
    }

    pub fn finish(mut self) -> String {
        if !self.last.is_empty() {
            self.heading("When all tables exist");
        }
        for statement in std::mem::take(&mut self.last) {
            self.add(&statement);
        }
        if !self.settings.is_empty() {
            self.heading("The settings of the session");
        }
        for name in std::mem::take(&mut self.settings).into_keys() {
            self.add(&format!("RESET {}", setting(name)));
        }
        self.text
    }
}

/// The name of a setting, whose case does not matter.
fn setting(name: &str) -> String {
    let parts: Vec<String> = name.to_lowercase().split('.').map(quote::identifier).collect();
    parts.join(".")
}

/// A text between dollar signs, with a tag that the text does not have.
pub fn dollar_quoted(text: &str) -> String {
    let tag = (0..)
        .map(|n: u32| {
            if n == 0 {
                "$query$".to_string()
            } else {
                format!("$query{n}$")
            }
        })
        .find(|tag| !text.contains(tag.as_str()))
        .unwrap_or_default();
    format!("{tag}{text}{tag}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_is_not_in_the_text() {
        assert_eq!(dollar_quoted("SELECT 1"), "$query$SELECT 1$query$");
        assert_eq!(
            dollar_quoted("SELECT '$query$'"),
            "$query1$SELECT '$query$'$query1$"
        );
    }
}
