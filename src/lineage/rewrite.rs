//! What to write instead of what keeps a source from being followed by key.

/// A beginning or part of a reason, and the sentence that helps.
const REWRITES: [(&str, &str); 8] = [
    (
        "a window without PARTITION BY",
        "Give the window a PARTITION BY of the key or of a column that leads to the key, or compute the window in the query that reads the TVIEW.",
    ),
    (
        "LIMIT or OFFSET",
        "Leave LIMIT and OFFSET to the query that reads the TVIEW, or put them into a sub-select that is correlated with the key.",
    ),
    (
        "GROUPING SETS, CUBE or ROLLUP",
        "Write one TVIEW for each grouping.",
    ),
    (
        "an aggregate without GROUP BY",
        "Correlate the sub-select that aggregates with the key, or make the total a TVIEW of its own.",
    ),
    (
        "WITH RECURSIVE",
        "Store the path or the ancestors of each row in a table, and join that table.",
    ),
    (
        "it and another source can only be followed to the key through each other",
        "Join one of the two sources to the table of the key by a column.",
    ),
    (
        "no join or correlation condition leads from it to the key",
        "Join the source by a column that leads to the table of the key, or correlate its sub-select with the key.",
    ),
    (
        "the key's value hides the row it comes from",
        "Let the view output the key column itself, not an expression of it.",
    ),
];

/// The rewrite that would help; None if none is known.
pub fn instead_of(reason: &str) -> Option<&'static str> {
    let found = REWRITES.iter().find(|(part, _)| reason.contains(part));
    found.map(|(_, rewrite)| *rewrite)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_with_a_label_are_found() {
        let reason = "LIMIT or OFFSET around it (sub-select.tb_user)";
        assert!(instead_of(reason).is_some_and(|rewrite| rewrite.contains("LIMIT")));
        assert_eq!(instead_of("row security of tb_post reads it"), None);
    }
}
