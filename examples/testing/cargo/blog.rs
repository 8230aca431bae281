//! Tests of the documents of `examples/blog` with `cargo test`: a file below `tests/` of an application that has
//! `postgres` as a dev-dependency. See docs/testing-your-application.md.
//!
//! `DATABASE_URL` names a server where the tests may create databases, such as `host=localhost user=app`.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::OnceLock;

use postgres::{Client, Config, GenericClient, NoTls};

/// Stands for the migrations of the application.
const MIGRATIONS: [&str; 3] = [
    "CREATE EXTENSION pg_tviews",
    include_str!("../../blog/schema.sql"),
    include_str!("../../blog/tviews.sql"),
];

const AUTHORS: &str = "SELECT DISTINCT data #>> '{author,name}' FROM tv_post ORDER BY 1";

fn connect(database: &str) -> Client {
    let server = std::env::var("DATABASE_URL").expect("DATABASE_URL names a server");
    let mut config: Config = server.parse().expect("DATABASE_URL is a connection string");
    config.dbname(database).connect(NoTls).expect("connected")
}

/// Creates a database. One of an earlier run is replaced: `cargo test` has no place to remove it in at the end.
fn create(name: &str, template: &str) {
    let mut server = connect("postgres");
    for statement in [
        format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
        format!("CREATE DATABASE {name} TEMPLATE {template}"),
    ] {
        server.execute(&statement, &[]).expect("created");
    }
}

/// The database that others are copied from. No test connects to it, because then it could not be copied.
fn schema() -> &'static str {
    static SCHEMA_IS_THERE: OnceLock<()> = OnceLock::new();
    let name = "test_schema";
    SCHEMA_IS_THERE.get_or_init(|| {
        create(name, "template1");
        let mut client = connect(name);
        for migration in MIGRATIONS {
            client.batch_execute(migration).expect("migrated");
        }
    });
    name
}

/// A connection for a test that commits nothing: it begins with `client.transaction()`, which rolls back at its end.
fn shared_database() -> Client {
    static IS_THERE: OnceLock<()> = OnceLock::new();
    let name = "test_shared";
    IS_THERE.get_or_init(|| create(name, schema()));
    connect(name)
}

/// A database for a test that commits, dropped at its end.
struct OwnDatabase {
    name: String,
}

impl OwnDatabase {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_own_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        create(&name, schema());
        Self { name }
    }
}

impl Drop for OwnDatabase {
    fn drop(&mut self) {
        let statement = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        connect("postgres").execute(&statement, &[]).expect("dropped");
    }
}

fn texts(client: &mut impl GenericClient, query: &str) -> Vec<String> {
    let rows = client.query(query, &[]).expect("rows");
    rows.iter().map(|row| row.get(0)).collect()
}

/// Fails if the table of a TVIEW is not what its view shows.
#[track_caller]
fn assert_equals_view(client: &mut impl GenericClient, tview: &str) {
    // The table as a query of this transaction sees it.
    let read = format!("SELECT FROM tv_{tview} LIMIT 0");
    client.execute(&read, &[]).expect("read");
    let check = format!("SELECT problem || ' ' || key FROM pg_tviews_check('{tview}')");
    assert_eq!(texts(client, &check), Vec::<String>::new());
}

#[test]
fn a_post_shows_the_new_name_of_its_author() {
    let mut client = shared_database();
    let mut transaction = client.transaction().expect("begun");
    transaction
        .execute(
            "UPDATE tb_user SET name = 'Ada Lovelace' WHERE email = 'ada@example.com'",
            &[],
        )
        .expect("updated");
    assert_eq!(texts(&mut transaction, AUTHORS), ["Ada Lovelace", "Grace"]);
    assert_equals_view(&mut transaction, "post");
}

#[test]
fn a_user_without_posts_has_an_empty_list() {
    let mut client = shared_database();
    let mut transaction = client.transaction().expect("begun");
    transaction
        .execute(
            "INSERT INTO tb_user (email, name) VALUES ('alan@example.com', 'Alan')",
            &[],
        )
        .expect("inserted");
    let posts = "SELECT data ->> 'posts' FROM tv_user WHERE data ->> 'name' = 'Alan'";
    assert_eq!(texts(&mut transaction, posts), ["[]"]);
    assert_equals_view(&mut transaction, "user");
}

#[test]
fn other_sessions_see_what_is_committed() {
    let database = OwnDatabase::new();
    let (mut writer, mut reader) = (connect(&database.name), connect(&database.name));
    writer
        .execute(
            "UPDATE tb_user SET name = 'Grace Hopper' WHERE name = 'Grace'",
            &[],
        )
        .expect("updated");
    assert_eq!(texts(&mut reader, "SELECT pg_tviews_wait()::text"), ["true"]);
    assert_eq!(texts(&mut reader, AUTHORS), ["Ada", "Grace Hopper"]);
    assert_equals_view(&mut reader, "post");
}
