//! Key queries for people to read and run.

use pgrx::pg_sys::Oid;

use crate::postgres::{quote, relation};

/// In place of change keys: these columns of all rows of the source.
pub fn all_rows(source: Oid, columns: &[String]) -> Option<String> {
    let table = relation::qualified_name(source)?;
    if columns.is_empty() {
        return Some(format!("SELECT true AS any_row FROM {table} LIMIT 1"));
    }
    let columns: Vec<String> = columns.iter().map(|name| quote::identifier(name)).collect();
    Some(format!("SELECT {} FROM {table}", columns.join(", ")))
}

/// A deparsed SELECT on one line, each row once.
pub fn distinct(select: &str) -> String {
    let line = one_line(select);
    match line.strip_prefix("SELECT ") {
        Some(rest) => format!("SELECT DISTINCT {rest}"),
        None => line,
    }
}

/// Line breaks and indentation become single spaces, but for those inside quotes.
fn one_line(sql: &str) -> String {
    let mut line = String::with_capacity(sql.len());
    let mut quote = None;
    for letter in sql.trim().chars() {
        match quote {
            Some(open) => {
                if letter == open {
                    quote = None;
                }
                line.push(letter);
            }
            None if letter.is_ascii_whitespace() => {
                if !line.ends_with([' ', '(']) {
                    line.push(' ');
                }
            }
            None => {
                if matches!(letter, '\'' | '"') {
                    quote = Some(letter);
                }
                line.push(letter);
            }
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_joined() {
        let sql = " SELECT r1.pk\n   FROM ( SELECT t.a\n           FROM t) changed,\n    r r1\n  WHERE r1.a = changed.a";
        assert_eq!(
            distinct(sql),
            "SELECT DISTINCT r1.pk FROM (SELECT t.a FROM t) changed, r r1 WHERE r1.a = changed.a"
        );
    }

    #[test]
    fn what_is_quoted_stays_as_it_is() {
        let sql = "SELECT 'a\n  b''\n  c' AS \"x\n  y\",\n  2";
        assert_eq!(one_line(sql), "SELECT 'a\n  b''\n  c' AS \"x\n  y\", 2");
    }
}
