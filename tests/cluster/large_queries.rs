//! Queries that PostgreSQL takes, but that are too large or too deep to be followed: bounded time and memory, an answer,
//! and the session goes on.

use std::time::{Duration, Instant};

use postgres::Client;

use crate::harness::{shared, Ask, Database};

const A: &str = "CREATE TABLE tb_a (id int PRIMARY KEY, a int, b int);
                 INSERT INTO tb_a SELECT i, i, i FROM generate_series(1, 3) AS i";

/// A CTE that reads `tb_a`, then others that each read the one before.
fn chain(links: usize, from_before: impl Fn(usize) -> String) -> String {
    let more = (1..links).map(|n| format!(", c{n} AS ({})", from_before(n - 1)));
    format!(
        "WITH c0 AS (SELECT id, a FROM tb_a){} SELECT id, a FROM c{}",
        more.collect::<String>(),
        links - 1
    )
}

fn once(before: usize) -> String {
    format!("SELECT id, a FROM c{before}")
}

fn twice(before: usize) -> String {
    format!("SELECT x.id, y.a FROM c{before} x JOIN c{before} y ON x.id = y.id")
}

fn nested(levels: usize) -> String {
    (0..levels).fold("SELECT id, a FROM tb_a".to_string(), |inner, n| {
        format!("SELECT id, a FROM ({inner}) AS s{n}")
    })
}

/// Strategy and reason, once each.
fn explained(client: &mut Client, query: &str) -> Vec<String> {
    let pid: i32 = client.one("SELECT pg_backend_pid()");
    let begin = Instant::now();
    let rows = client.rows(&format!(
        "SELECT DISTINCT strategy, reason FROM pg_tviews_explain($query${query}$query$)"
    ));
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
    assert_eq!(client.one::<i32>("SELECT pg_backend_pid()"), pid);
    rows
}

const DEEP: &str = "full|the view has sub-selects or views within each other over too many levels";
const MANY: &str = "full|the view reads too many tables, each counted as often as it is read";

#[test]
fn anybody_may_explain_what_is_too_deep() {
    let database = Database::new(shared(), "too_deep");
    database.client().run(&format!(
        "{A}; GRANT SELECT ON tb_a TO PUBLIC;
         DO $$BEGIN IF to_regrole('nobody_special') IS NULL THEN CREATE ROLE nobody_special LOGIN; END IF; END$$"
    ));
    let mut client = database.client_as("nobody_special");
    assert_eq!(explained(&mut client, &chain(3_000, once)), [DEEP]);
    assert_eq!(explained(&mut client, &nested(300)), [DEEP]);
    assert_eq!(explained(&mut client, &chain(50, once)), ["keyed|~"]);
    assert_eq!(explained(&mut client, &nested(50)), ["keyed|~"]);
}

#[test]
fn what_is_read_twice_at_every_level_is_not_read_a_billion_times() {
    let database = Database::new(shared(), "doubling");
    let mut client = database.client();
    client.run(A);
    assert_eq!(explained(&mut client, &chain(30, twice)), [MANY]);
    client.run("CREATE VIEW w0 AS SELECT id, a FROM tb_a");
    for n in 1..30 {
        client.run(&format!(
            "CREATE VIEW w{n} AS {}",
            twice(n - 1).replace(&format!("c{}", n - 1), &format!("w{}", n - 1))
        ));
    }
    assert_eq!(explained(&mut client, "SELECT id, a FROM w29"), [MANY]);
    assert_eq!(explained(&mut client, &chain(6, twice)), ["keyed|~"]);
}

#[test]
fn values_that_double_at_every_level_are_not_followed() {
    let database = Database::new(shared(), "doubled_values");
    let mut client = database.client();
    client.run(A);
    let doubled = (0..14).fold("SELECT id, a FROM tb_a".to_string(), |inner, n| {
        format!("SELECT id, a + a AS a FROM ({inner}) AS s{n}")
    });
    let query = format!("SELECT o.id FROM tb_a o JOIN ({doubled}) AS z ON z.a = o.a WHERE o.b > 0");
    assert!(explained(&mut client, &query)
        .contains(&"full|no join or correlation condition leads from it to the key".to_string()));
}

#[test]
fn a_large_view_is_followed_in_full() {
    let database = Database::new(shared(), "large_view");
    let mut client = database.client();
    client.run(A);
    for (name, query) in [("twice", chain(12, twice)), ("deep", nested(120))] {
        client.run(&format!(
            "SELECT pg_tviews_create('{name}', $query${query}$query$, key_columns => '{{id}}')"
        ));
    }
    client.run("INSERT INTO tb_a VALUES (4, 4, 4); UPDATE tb_a SET a = 7 WHERE id = 2; DELETE FROM tb_a WHERE id = 1");
    client.assert_follows(&["twice", "deep"]);
}

#[test]
fn an_analysis_can_be_cancelled() {
    let database = Database::new(shared(), "cancelled_analysis");
    let mut client = database.client();
    client.run("CREATE TABLE tb_j (id int PRIMARY KEY, p int)");
    let joins = (1..250).map(|n| format!(" JOIN tb_j j{n} ON j{n}.id = j{}.p", n - 1));
    let query = format!("SELECT j0.id FROM tb_j j0{}", joins.collect::<String>());
    client.run("SET statement_timeout = '150ms'");
    let error = client.fails(&format!("SELECT * FROM pg_tviews_explain('{query}')"));
    assert_eq!(error.code().code(), "57014", "{error:?}");
    client.run("RESET statement_timeout");
    let found = explained(&mut client, &query);
    assert_eq!(
        found,
        ["full|following changes through the view takes too many steps"]
    );
}

#[test]
fn an_expression_that_needs_too_much_stack_is_an_error() {
    let database = Database::new(shared(), "deep_expression");
    let mut client = database.client();
    client.run(A);
    let condition = format!("{}a = 1{}", "(a = 1 AND (b = 2 OR ".repeat(700), "))".repeat(700));
    let pid: i32 = client.one("SELECT pg_backend_pid()");
    client.run("SET max_stack_depth = '100kB'");
    let error = client.fails(&format!(
        "SELECT * FROM pg_tviews_explain('SELECT id FROM tb_a WHERE {condition}')"
    ));
    assert_eq!(error.code().code(), "54001", "{error:?}");
    assert_eq!(client.one::<i32>("SELECT pg_backend_pid()"), pid);
}
