//! Settings that the value of a row can depend on: those whose values belong to the data, which a TVIEW
//! keeps, and those that are the same for all.

/// A TVIEW keeps the values that these have when it is created. Where it has none, the second counts; where
/// that is missing too, the session's.
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

/// What all statements run under that are not a session's own, besides what [`super::run_as::pinned`] sets:
/// how text is read as SQL and written from it, which relations may be read.
pub(super) const ALWAYS: [(&str, &str); 5] = [
    ("backslash_quote", "safe_encoding"),
    ("array_nulls", "on"),
    ("quote_all_identifiers", "off"),
    ("restrict_nonsystem_relation_kind", ""),
    // Compiling takes seconds; what the planner thinks of the cost is often far off.
    ("jit", "off"),
];

/// Whoever computes a row, and whatever ALTER DATABASE, ALTER ROLE and configuration files say.
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
