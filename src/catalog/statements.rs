//! The named statements of `sql/statements`, with the extension's schema put in.

use crate::postgres::{extension, relation};

/// The text of a statement with `@extschema@` replaced by the quoted schema of the extension.
pub fn text(statement: &str) -> String {
    statement.replace("@extschema@", &schema())
}

/// The extension's schema, quoted.
pub fn schema() -> String {
    let name = extension::schema()
        .and_then(relation::schema_name)
        .unwrap_or_else(|| "public".to_string());
    relation::quote(&name)
}

/// `statement!("name")`: the text of `sql/statements/name.sql`.
#[macro_export]
macro_rules! statement {
    ($name:literal) => {
        $crate::catalog::statements::text(include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/sql/statements/",
            $name,
            ".sql"
        )))
    };
}
