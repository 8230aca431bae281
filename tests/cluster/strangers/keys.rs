//! Keys that are given as texts: reading them runs the conditions of domains, which are code of whoever owns the type.

use postgres::Client;

use super::EVIL;
use crate::harness::{shared, Ask, Database};

/// Types with a domain in them: what of them is a key, as a text.
const KEYS: [(&str, &str); 5] = [
    ("lair.pair", "(1,2)"),
    ("lair.small[]", "{1,2}"),
    ("lair.pair[]", "{\"(1,2)\"}"),
    ("lair.span", "[1,2]"),
    ("lair.spans", "{[1,2]}"),
];

/// A TVIEW of a role for each of these types, and one with a key of two columns.
fn open(name: &str) -> (Database<'static>, Client, Client) {
    let database = Database::new(shared(), name);
    let mut admin = database.client();
    let role = format!("{name}_mallory");
    admin.run(&format!(
        "DO $$BEGIN IF to_regrole('{role}') IS NULL THEN CREATE ROLE {role} LOGIN; END IF; END$$;
         ALTER ROLE {role} NOSUPERUSER;
         CREATE SCHEMA lair AUTHORIZATION {role}"
    ));
    let mut mallory = database.client_as(&role);
    let evil = EVIL.replace("quote_ident(session_user)", &format!("'{role}'"));
    mallory.run(&format!(
        "CREATE FUNCTION lair.run() {evil};
         CREATE DOMAIN lair.small AS int CHECK (lair.run());
         CREATE TYPE lair.pair AS (x lair.small, y int);
         CREATE TYPE lair.span AS RANGE (subtype = lair.small, multirange_type_name = lair.spans)"
    ));
    for (place, (of_type, key)) in KEYS.iter().enumerate() {
        mallory.run(&format!(
            "CREATE TABLE lair.tb_t{place} (k {of_type}, j int, n int, PRIMARY KEY (k, j));
             INSERT INTO lair.tb_t{place} VALUES ('{key}', 1, 1);
             SELECT pg_tviews_create('lair.t{place}', 'SELECT k, n FROM lair.tb_t{place}', key_columns => '{{k}}');
             SELECT pg_tviews_create('lair.two{place}', 'SELECT k, j, n FROM lair.tb_t{place}', key_columns => '{{k,j}}')"
        ));
    }
    (database, admin, mallory)
}

/// Everything that takes a key, for one TVIEW.
fn asks(tview: &str, key: &str) -> [String; 5] {
    [
        format!("SELECT pg_tviews_wait('{tview}', key => '{key}', timeout => '1 ms')"),
        format!("SELECT pg_tviews_wait('{tview}', '{key}')"),
        format!("SELECT pg_tviews_refresh('{tview}', ARRAY['{key}'])"),
        format!("SELECT count(*) FROM pg_tviews_pending('{tview}', ARRAY['{key}'])"),
        format!("SELECT count(*) FROM pg_tviews_pending('{tview}')"),
    ]
}

#[test]
fn a_superuser_who_names_a_key_gives_nothing_away() {
    let name = "stranger_keys";
    let (_database, mut admin, _mallory) = open(name);
    for (place, (_, key)) in KEYS.iter().enumerate() {
        let json = format!("{{\"j\": 1, \"k\": {}}}", serde_json::Value::from(*key));
        let asked = asks(&format!("lair.t{place}"), key);
        let of_rows = ["t", "two"].map(|entity| {
            format!("SELECT count(*) FROM pg_tviews_affected('lair.{entity}{place}', 'lair.tb_t{place}', '[{json}]')")
        });
        let of_two = asks(&format!("lair.two{place}"), &json);
        for sql in asked.iter().chain(&of_two).chain(&of_rows) {
            // The answer does not matter here; a key it cannot read would prove nothing.
            let error = admin
                .query(sql.as_str(), &[])
                .err()
                .map(|error| error.to_string());
            assert_eq!(error, None, "{sql}");
            let is_superuser = admin.rows(&format!(
                "SELECT rolsuper FROM pg_roles WHERE rolname = '{name}_mallory'"
            ));
            assert_eq!(is_superuser, ["f"], "by {sql}");
        }
    }
}
