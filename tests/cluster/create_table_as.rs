//! `CREATE TABLE tv_post AS SELECT` as clients send it, and where it must stay what it is. What one session shows is in
//! `tests/pg_regress/sql/create_table_as.sql`.

use std::thread;

use postgres::error::SqlState;
use postgres::{Client, SimpleQueryMessage};

use crate::harness::{shared, Ask, Cluster, Database, Options, WAIT};

const TABLES: &str = "CREATE TABLE tb_post (pk_post int PRIMARY KEY, title text);
                      INSERT INTO tb_post SELECT n, 'title ' || n FROM generate_series(1, 3) n";

fn open<'a>(cluster: &'a Cluster, name: &str) -> (Database<'a>, Client) {
    let database = Database::new(cluster, name);
    let mut client = database.client();
    client.run(TABLES);
    (database, client)
}

fn tviews(client: &mut Client) -> Vec<String> {
    client.rows("SELECT tview_oid::text FROM pg_tview_meta ORDER BY 1")
}

/// What each statement of a string reports.
fn reported(client: &mut Client, sql: &str) -> Vec<u64> {
    let messages = client.simple_query(sql).expect("the statements");
    let count = |message| match message {
        SimpleQueryMessage::CommandComplete(rows) => Some(rows),
        _ => None,
    };
    messages.into_iter().filter_map(count).collect()
}

#[test]
fn prepared_statements_of_clients_make_tviews() {
    let (_database, mut client) = open(shared(), "create_table_as_prepared");
    let create = client
        .prepare("CREATE TABLE IF NOT EXISTS tv_post AS SELECT pk_post, title FROM tb_post")
        .expect("a statement that can be prepared");
    assert_eq!(client.execute(&create, &[]).expect("created"), 3);
    assert_eq!(client.execute(&create, &[]).expect("nothing"), 0);
    assert_eq!(tviews(&mut client), ["tv_post"]);
    client.run("SELECT pg_tviews_drop('post')");
    // The tree of the prepared statement is as it was.
    client.run("INSERT INTO tb_post VALUES (4, 'title 4')");
    assert_eq!(client.execute(&create, &[]).expect("created again"), 4);
    client.run("UPDATE tb_post SET title = 'changed' WHERE pk_post = 4");
    client.assert_follows(&["post"]);

    let with_parameter = "CREATE TABLE tv_one AS SELECT pk_post AS pk_one FROM tb_post WHERE pk_post = $1";
    let error = client
        .execute(with_parameter, &[&1_i32])
        .expect_err("a parameter");
    let error = error.as_db_error().expect("an error of the server");
    assert_eq!(error.code(), &SqlState::FEATURE_NOT_SUPPORTED, "{error}");
    assert!(error.hint().is_some(), "{error}");
    client.run("SET pg_tviews.create_table_as = off");
    assert_eq!(client.execute(with_parameter, &[&1_i32]).expect("a table"), 1);
    assert_eq!(tviews(&mut client), ["tv_post"]);
}

#[test]
fn each_statement_of_a_string_counts_for_itself() {
    let (_database, mut client) = open(shared(), "create_table_as_string");
    let rows = reported(
        &mut client,
        "CREATE TABLE plain AS SELECT ';CREATE TABLE tv_no AS SELECT 1' AS tv_no FROM tb_post;
         CREATE TABLE tv_a AS SELECT pk_post AS pk_a FROM tb_post WHERE pk_post < 3;
         CREATE TABLE tv_b AS SELECT pk_a AS pk_b FROM tv_a; INSERT INTO tb_post VALUES (0, 'more'); SELECT pk_b FROM tv_b",
    );
    assert_eq!(rows, [3, 2, 2, 1, 3]);
    assert_eq!(tviews(&mut client), ["tv_a", "tv_b"]);
    client.run("DELETE FROM tb_post WHERE pk_post = 1");
    client.assert_follows(&["a", "b"]);
}

#[test]
fn a_large_view_is_filled_after_the_commit() {
    let (_database, mut client) = open(shared(), "create_table_as_large");
    client.run("INSERT INTO tb_post SELECT n, 'title' FROM generate_series(4, 30000) n");
    let rows = reported(
        &mut client,
        "CREATE TABLE tv_post AS SELECT pk_post, title FROM tb_post",
    );
    assert_eq!(rows, [0]);
    assert!(client.one::<bool>("SELECT pg_tviews_wait('post', '2 minutes')"));
    assert_eq!(client.rows("SELECT count(*) FROM tv_post"), ["30000"]);
    client.assert_follows(&["post"]);
}

#[test]
fn a_database_without_the_extension_notices_nothing() {
    let database = Database::without_extension(shared(), "create_table_as_absent");
    let mut client = database.client();
    client.run(TABLES);
    let rows = reported(
        &mut client,
        "CREATE TABLE tv_post AS SELECT title FROM tb_post; SELECT title INTO tv_into FROM tb_post;
         CREATE TEMP TABLE tv_temp AS SELECT title FROM tb_post; CREATE TABLE tv_empty (a) AS SELECT title FROM tb_post WITH NO DATA;
         EXPLAIN ANALYZE CREATE TABLE tv_explained AS SELECT title FROM tb_post",
    );
    assert_eq!(rows[..3], [3, 3, 3]);
    let made = "SELECT count(*) FROM pg_class WHERE relname LIKE 'tv\\_%' AND relkind = 'r'";
    assert_eq!(client.rows(made), ["5"]);
    assert_eq!(
        client.rows("SELECT count(*) FROM pg_class WHERE relname LIKE 'v\\_%'"),
        ["0"]
    );
}

#[test]
fn ordinary_roles_need_the_right_to_call_the_function() {
    let database = Database::without_extension(shared(), "create_table_as_roles");
    let mut client = database.client();
    client.run(TABLES);
    client.run(
        "CREATE SCHEMA hidden; CREATE EXTENSION pg_tviews SCHEMA hidden; CREATE ROLE create_table_as_maker LOGIN;
         CREATE SCHEMA app AUTHORIZATION create_table_as_maker; GRANT SELECT, TRIGGER ON tb_post TO create_table_as_maker",
    );
    let mut maker = database.client_as("create_table_as_maker");
    let create = "CREATE TABLE app.tv_post AS SELECT pk_post, title FROM tb_post";
    let error = maker.fails(create);
    assert_eq!(error.code(), &SqlState::INSUFFICIENT_PRIVILEGE, "{error}");
    let hint = error.hint().unwrap_or_default();
    assert!(
        hint.contains("GRANT USAGE ON SCHEMA hidden TO create_table_as_maker;"),
        "{hint}"
    );
    client.run("GRANT USAGE ON SCHEMA hidden TO create_table_as_maker");
    // Neither schema is in the search_path.
    // On a busy machine a worker fills the table, and none are reported.
    assert!(matches!(reported(&mut maker, create)[..], [0 | 3]));
    client.run("UPDATE tb_post SET title = 'changed'");
    client.wait_until("SELECT bool_and(title = 'changed') FROM app.tv_post", WAIT);
    client.run("DROP OWNED BY create_table_as_maker; DROP ROLE create_table_as_maker");
}

#[test]
fn of_two_sessions_one_creates_the_table() {
    let (database, mut client) = open(shared(), "create_table_as_twice");
    const CREATE: &str = "CREATE TABLE tv_post AS SELECT pk_post, title FROM tb_post";
    client.run("BEGIN");
    client.run(CREATE);
    let mut second = database.client();
    let pid: i32 = second.one("SELECT pg_backend_pid()");
    let failure = thread::spawn(move || second.fails(CREATE));
    let mut third = database.client();
    third.wait_until(
        &format!("SELECT state = 'active' FROM pg_stat_activity WHERE pid = {pid}"),
        WAIT,
    );
    client.run("COMMIT");
    let error = failure.join().expect("the second session");
    let known = [SqlState::DUPLICATE_TABLE, SqlState::UNIQUE_VIOLATION];
    assert!(known.contains(error.code()), "{error}");
    client.run("UPDATE tb_post SET title = 'changed'");
    client.assert_follows(&["post"]);
}

/// Hooks of other libraries, outside and inside: each sees the statement once, with its rows.
fn seen_by(libraries: &str) {
    let cluster = Cluster::start(
        Options::preloaded()
            .set("shared_preload_libraries", libraries)
            .set("pg_stat_statements.track", "all"),
    );
    let (_database, mut client) = open(&cluster, "create_table_as_seen");
    client.run("CREATE EXTENSION pg_stat_statements");
    let rows = reported(
        &mut client,
        "SELECT 1; CREATE TABLE tv_post AS SELECT pk_post, title FROM tb_post; SELECT 2",
    );
    assert_eq!(rows, [1, 3, 1], "{libraries}");
    let seen = "SELECT query, calls FROM pg_stat_statements WHERE query LIKE 'CREATE TABLE tv_post AS%'";
    let text = "CREATE TABLE tv_post AS SELECT pk_post, title FROM tb_post";
    assert_eq!(client.rows(seen), [format!("{text}|1")], "{libraries}");
    client.run("UPDATE tb_post SET title = 'changed'");
    client.assert_follows(&["post"]);
}

#[test]
fn other_libraries_see_the_statement() {
    seen_by("pg_stat_statements,pg_tviews");
    seen_by("pg_tviews,pg_stat_statements");
}
