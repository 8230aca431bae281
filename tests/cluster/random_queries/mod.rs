//! Queries of all kinds, nested at random, given to `pg_tviews_explain` and `pg_tviews_create`: the server stays up, an error
//! is one that PostgreSQL would have, and what is accepted is followed. `make fuzz` tries many; `PG_TVIEWS_FUZZ_SEED` plays a
//! seed again.

mod grammar;

use std::collections::BTreeMap;

use postgres::Client;

use crate::harness::{Ask, Cluster, Database, Options, Random};
use grammar::{Grammar, TABLES};

const SETUP: &str = "
    CREATE DOMAIN q_domain AS int CHECK (VALUE IS NULL OR VALUE > -1000000);
    CREATE TYPE q_pair AS (one int, two int);
    CREATE TABLE q0 (id int PRIMARY KEY, a int, t text, doc jsonb, arr int[]);
    CREATE TABLE q1 (id int PRIMARY KEY, a q_domain, t text COLLATE \"C\", doc jsonb, arr int[]);
    CREATE TABLE q2 (id int, a int, t text, doc jsonb, arr int[]);
    CREATE TABLE q2_child () INHERITS (q2);
    CREATE TABLE q_parts (id int, a int, t text, doc jsonb, arr int[]) PARTITION BY LIST (a);
    CREATE TABLE q_parts_one PARTITION OF q_parts FOR VALUES IN (1);
    CREATE TABLE q_parts_rest PARTITION OF q_parts DEFAULT;
    CREATE VIEW q_view AS SELECT q0.id, q1.a, q0.t, q1.doc, q0.arr FROM q0 JOIN q1 USING (id)";

#[test]
fn random_queries_are_followed_or_refused() {
    let cluster = Cluster::start(Options::without_preload().set("jit", "off"));
    let database = Database::new(&cluster, "queries");
    // A round of `make fuzz` is a schema of random_views: these are quicker.
    let seeds = Random::seeds("random_queries", 8);
    let queries = 20 * (seeds.end - seeds.start);
    let mut client = database.client();
    client.run(SETUP);
    for table in TABLES.iter().filter(|table| **table != "q_view") {
        client.run(&format!(
            "INSERT INTO {table} SELECT i, i % 4, chr(96 + i), to_jsonb(i), ARRAY[i, 1] FROM generate_series(1, 6) AS i"
        ));
    }
    let server: String = client.one("SELECT pg_postmaster_start_time()::text || pg_backend_pid()");
    let mut outcomes: BTreeMap<String, usize> = BTreeMap::new();
    let mut failures = Vec::new();
    for seed in seeds.start..seeds.start + queries {
        let mut random = Random::from_seed(seed);
        let size = *random.pick(&[2, 4, 8, 16, 40]);
        let query = Grammar::new(&mut random, size).query();
        let outcome = try_query(&mut client, &mut random, &query);
        let alive = client.try_one("SELECT pg_postmaster_start_time()::text || pg_backend_pid()");
        let outcome = match alive {
            Some(now) if now == server => outcome,
            _ => Err("the server or the session has ended".to_string()),
        };
        match outcome {
            Ok(outcome) => *outcomes.entry(outcome).or_default() += 1,
            Err(text) => {
                failures.push(format!("PG_TVIEWS_FUZZ_SEED={seed}\n{query}\n-- {text}"));
                println!("{}", failures.last().map_or("", String::as_str));
                if client.try_one("SELECT ''").is_none() {
                    break;
                }
            }
        }
    }
    println!("{outcomes:?}");
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    let followed = outcomes.get("followed").copied().unwrap_or(0);
    assert!(
        10 * followed as u64 > queries,
        "too few queries are followed: {outcomes:?}"
    );
}

trait Try {
    fn try_one(&mut self, sql: &str) -> Option<String>;
    fn attempt(&mut self, sql: &str) -> Result<(), (String, String)>;
}

impl Try for Client {
    fn try_one(&mut self, sql: &str) -> Option<String> {
        self.query_one(sql, &[]).ok().map(|row| row.get(0))
    }

    /// The code and message of an error.
    fn attempt(&mut self, sql: &str) -> Result<(), (String, String)> {
        self.batch_execute(sql)
            .map_err(|error| match error.as_db_error() {
                Some(error) => (error.code().code().to_string(), error.message().to_string()),
                None => (String::new(), error.to_string()),
            })
    }
}

/// What becomes of a query; Err: what must not.
fn try_query(client: &mut Client, random: &mut Random, query: &str) -> Result<String, String> {
    client.run("SET statement_timeout = '2s'");
    let valid = client.attempt(&format!("CREATE TEMP TABLE once AS {query}; DROP TABLE once"));
    client.run("SET statement_timeout = '30s'");
    let explained = client.attempt(&format!("SELECT * FROM pg_tviews_explain($query${query}$query$)"));
    judge(query, "explain", &valid, explained.as_ref().err())?;
    if valid.is_err() {
        return Ok("not valid".to_string());
    }
    let created = client.attempt(&format!(
        "SELECT pg_tviews_create('q', $query${query}$query$, key_columns => '{{id}}')"
    ));
    judge(query, "create", &valid, created.as_ref().err())?;
    if let Err((code, _)) = created {
        return Ok(format!("refused {code}"));
    }
    let outcome = follow(client, random, query);
    client.run("SELECT pg_tviews_drop('q')");
    outcome
}

/// An error must be one that PostgreSQL has for such a query, not one of a program that is wrong.
fn judge(
    query: &str,
    what: &str,
    valid: &Result<(), (String, String)>,
    error: Option<&(String, String)>,
) -> Result<(), String> {
    let Some((code, message)) = error else {
        return Ok(());
    };
    // What PostgreSQL itself says of the query is right.
    if valid
        .as_ref()
        .err()
        .is_some_and(|(of_postgres, _)| of_postgres == code)
    {
        return Ok(());
    }
    let of_rust = ["panicked", "unwrap", "src/", "index out of bounds", "overflow"];
    let internal =
        code.is_empty() || code.starts_with("XX") || of_rust.iter().any(|text| message.contains(text));
    let endless = code == "57014" && valid.is_ok();
    match internal || endless {
        true => Err(format!(
            "{what} fails: {message} ({code}) of {} bytes",
            query.len()
        )),
        false => Ok(()),
    }
}

/// Changes rows at random and compares.
fn follow(client: &mut Client, random: &mut Random, query: &str) -> Result<String, String> {
    for _ in 0..4 {
        let table = *random.pick(&["q0", "q1", "q2", "q2_child", "q_parts"]);
        let change = *random.pick(&[
            "INSERT INTO {t} VALUES ({20}, {4}, 'n', '[{9}]', '{}') ON CONFLICT DO NOTHING",
            "UPDATE {t} SET a = {4} WHERE id % 3 = {3} - 1",
            "UPDATE {t} SET t = 'u{9}', doc = '{\"k\": {9}}' WHERE id = {9}",
            "DELETE FROM {t} WHERE id = {20}",
        ]);
        let change = random.fill(&change.replace("{t}", table));
        if client.attempt(&change).is_err() {
            continue;
        }
        let drained = client.attempt("CALL pg_tviews_drain()");
        if let Err((code, message)) = &drained {
            // The view itself may fail on the new rows.
            return match client.attempt(&format!("CREATE TEMP TABLE once AS {query}; DROP TABLE once")) {
                Err((of_view, _)) if of_view == *code => Ok("fails as the view does".to_string()),
                _ => Err(format!("drain fails after {change}: {message} ({code})")),
            };
        }
    }
    let keys = "SELECT (count(*) = count(DISTINCT id))::text FROM v_q";
    if client.try_one(keys).as_deref() != Some("true") {
        return Ok("keys are not unique".to_string());
    }
    // Rows that no plan is sure of (a sample, LIMIT among equals, the order of a window) may differ.
    let differences = "SELECT count(*)::text FROM ((SELECT id, a, t, doc FROM v_q EXCEPT ALL SELECT id, a, t, doc FROM tv_q)
                        UNION ALL (SELECT id, a, t, doc FROM tv_q EXCEPT ALL SELECT id, a, t, doc FROM v_q)) d";
    match client.try_one(differences).as_deref() {
        Some("0") => Ok("followed".to_string()),
        _ if unsure(query) => Ok("unsure".to_string()),
        found => Err(format!("the table is not the view: {found:?}")),
    }
}

/// Whether the rows of a query depend on the plan, or on what is not followed.
fn unsure(query: &str) -> bool {
    let order = [
        "DISTINCT ON",
        "LIMIT",
        "FETCH",
        "OFFSET",
        "OVER",
        "mode()",
        "tableoid",
        "current_schema",
    ];
    order.iter().any(|word| query.contains(word))
}
