//! Settings that the value of a row can depend on: those whose values a TVIEW keeps, as they belong to the
//! data, and those that are the same for all TVIEWs.

use std::collections::BTreeMap;

/// A TVIEW keeps the values that these have when it is created. A setting without a kept value has the value
/// given here; without that too, the value of the session.
pub const PINNED: [(&str, Option<&str>); 16] = [
    ("TimeZone", None),
    ("timezone_abbreviations", Some("Default")),
    ("DateStyle", None),
    ("IntervalStyle", Some("postgres")),
    ("extra_float_digits", Some("1")),
    ("bytea_output", Some("hex")),
    ("lc_monetary", None),
    ("lc_numeric", None),
    ("lc_time", None),
    ("xmlbinary", Some("base64")),
    ("xmloption", Some("content")),
    ("default_text_search_config", None),
    ("plpgsql.variable_conflict", Some("error")),
    ("pg_trgm.similarity_threshold", Some("0.3")),
    ("pg_trgm.word_similarity_threshold", Some("0.6")),
    ("pg_trgm.strict_word_similarity_threshold", Some("0.5")),
];

/// The values that rows are computed with, by name, of what a TVIEW keeps. A setting of a library that was not loaded when
/// the TVIEW was created is not kept.
pub fn effective(kept: &[(String, String)]) -> BTreeMap<&'static str, &str> {
    let value = |name: &str, otherwise: Option<&'static str>| {
        let kept = kept.iter().find(|(kept, _)| kept == name);
        kept.map(|(_, value)| value.as_str()).or(otherwise)
    };
    PINNED
        .iter()
        .filter_map(|(name, otherwise)| Some((*name, value(name, *otherwise)?)))
        .collect()
}

/// Whether a setting has a value whatever the session says, and this is that value.
pub fn is_default(name: &str, value: &str) -> bool {
    PINNED.contains(&(name, Some(value)))
}

/// Settings of all statements of the extension, besides those that [`super::run_as::pinned`] sets: how SQL
/// text is read and written, and which relations may be read.
pub(super) const ALWAYS: [(&str, &str); 5] = [
    ("backslash_quote", "safe_encoding"),
    ("array_nulls", "on"),
    ("quote_all_identifiers", "off"),
    ("restrict_nonsystem_relation_kind", ""),
    // Compiling takes seconds; what the planner thinks of the cost is often far off.
    ("jit", "off"),
];

/// Settings of all statements that compute rows, whatever role runs them, and whatever ALTER DATABASE, ALTER
/// ROLE and configuration files set.
pub(super) const FORCED: [(&str, &str); 6] = [
    // Off it would be an ERROR where policies hide rows.
    ("row_security", "on"),
    ("session_replication_role", "origin"),
    // Anything else leaves rows out at random.
    ("gin_fuzzy_search_limit", "0"),
    ("plpgsql.check_asserts", "on"),
    ("plpgsql.extra_errors", "none"),
    // Planning evaluates no check constraints of the tables that are read: what runs is what the view calls.
    ("constraint_exclusion", "off"),
];
