//! The named statements of `sql/statements`: the schema of the extension and shared parts are inserted into
//! them.

use super::older_objects;
use crate::postgres::{extension, quote, schema};

/// Shared parts of statements, each with its placeholder.
const PARTS: [(&str, &str); 7] = [
    ("@dropped@", include_str!("../../sql/statements/part/dropped.sql")),
    (
        "@feed_consumers@",
        include_str!("../../sql/statements/part/feed_consumers.sql"),
    ),
    (
        "@feed_horizon@",
        include_str!("../../sql/statements/part/feed_horizon.sql"),
    ),
    (
        "@newest_outcome@",
        include_str!("../../sql/statements/part/newest_outcome.sql"),
    ),
    (
        "@standing_still@",
        include_str!("../../sql/statements/part/standing_still.sql"),
    ),
    ("@touched@", include_str!("../../sql/statements/part/touched.sql")),
    // Last, as another part has it.
    (
        "@unfilled@",
        include_str!("../../sql/statements/part/unfilled.sql"),
    ),
];

/// The text of a statement with its parts, and with `@extschema@` replaced by the quoted schema of the
/// extension. A literal that begins with `@extschema@` is quoted again as a whole. Otherwise a role that
/// renames the schema could end the literal.
pub fn text(statement: &str) -> String {
    let text = PARTS.iter().fold(statement.to_string(), |text, (name, part)| {
        text.replace(name, part.trim_end())
    });
    if extension::is_before_0_3() {
        return with_schema(&older_objects::statement(&text));
    }
    with_schema(&text)
}

fn with_schema(statement: &str) -> String {
    let schema = schema();
    let mut parts = statement.split("'@extschema@");
    let mut text = parts.next().unwrap_or_default().replace("@extschema@", &schema);
    for part in parts {
        let (rest, after) = part.split_once('\'').unwrap_or((part, ""));
        text += &quote::literal(&format!("{schema}{rest}"));
        text += &after.replace("@extschema@", &schema);
    }
    text
}

/// The extension's schema, quoted.
pub fn schema() -> String {
    let name = extension::schema()
        .and_then(schema::name)
        .unwrap_or_else(|| "public".to_string());
    quote::identifier(&name)
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
