//! `examples/feed/cache.py` as a process, with a server that crashes: its documents are the rows of the tables.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use postgres::Client;

use crate::blog;
use crate::harness::{
    python_with, repository, send_signal, Ask, Cluster, Database, Load, Options, Random, StopMode,
};

/// It has to wait for its next poll, perhaps.
const FRESH: Duration = Duration::from_secs(60);

/// A Python that can run the example.
fn python() -> Option<String> {
    python_with(&["psycopg2"], "examples/feed")
}

/// Ends the connection of the program.
const DISCONNECT: &str =
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'cache'";

/// The running program.
struct Program {
    child: Child,
    /// Where it listens: `127.0.0.1:8042`.
    address: String,
}

impl Program {
    fn start(python: &str, database: &Database) -> Program {
        let connection = database.cluster.connection(&database.name) + " application_name=cache";
        let mut child = Command::new(python)
            .arg(repository().join("examples/feed/cache.py"))
            .args(["--dsn", &connection, "--port", "0", "user", "post"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("python runs");
        let mut line = String::new();
        let output = child.stdout.take().expect("piped");
        BufReader::new(output).read_line(&mut line).expect("a line");
        let address = line.trim().trim_start_matches("http://").trim_end_matches('/');
        Program {
            child,
            address: address.to_owned(),
        }
    }

    /// The answer to a request, with its headers; None while it cannot answer.
    fn get(&self, path: &str, header: &str) -> Option<String> {
        let mut connection = TcpStream::connect(&self.address).ok()?;
        write!(connection, "GET {path} HTTP/1.0\r\n{header}\r\n").ok()?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer).ok()?;
        Some(answer)
    }

    /// Waits until it has exactly the rows of the tables.
    #[track_caller]
    fn assert_fresh(&self, client: &mut Client) {
        let deadline = Instant::now() + FRESH;
        for entity in ["user", "post"] {
            let sql = format!(
                "SELECT (SELECT jsonb_agg(e ORDER BY e) FROM jsonb_array_elements($1::text::jsonb) e)
                        IS NOT DISTINCT FROM (SELECT jsonb_agg(to_jsonb(t) ORDER BY to_jsonb(t)) FROM tv_{entity} t)"
            );
            loop {
                let answer = self.get(&format!("/{entity}"), "").unwrap_or_default();
                let body = answer.split_once("\r\n\r\n").map(|(_, body)| body);
                if body
                    .filter(|body| !body.is_empty())
                    .is_some_and(|body| client.query_one(&sql, &[&body]).expect("JSON").get(0))
                {
                    break;
                }
                assert!(Instant::now() < deadline, "{entity}: {answer}");
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server with the feed of two TVIEWs.
fn open(cluster: &Cluster) -> (Database<'_>, Client) {
    let (database, mut client) = blog::open(cluster, "feed_example");
    client.run("ALTER TABLE tv_post ADD COLUMN revision bigint NOT NULL DEFAULT 1");
    client.run("UPDATE pg_tview_meta SET feed = true WHERE entity_name IN ('user', 'post')");
    (database, client)
}

#[test]
fn the_example_follows_through_crashes() {
    let Some(python) = python() else { return };
    let cluster = Cluster::start(Options::preloaded().set("pg_tviews.feed_notify", "on"));
    let (database, mut client) = open(&cluster);
    let mut program = Program::start(&python, &database);
    program.assert_fresh(&mut client);
    let plan = blog::writers_through_crashes(&cluster, &database.name);
    let random = Random::announced("the_example_follows_through_crashes");
    Load::during(&plan, 2, &random, |load| {
        load.let_pass(60);
        cluster.stop(StopMode::Immediate);
        cluster.start_server();
        client = cluster.client_after_recovery(&database.name);
        load.let_pass(60);
        program = Program::start(&python, &database);
        load.let_pass(60);
        client.run(DISCONNECT);
        load.let_pass(60);
    });
    client.assert_follows(&blog::ENTITIES);
    program.assert_fresh(&mut client);
    client.run("INSERT INTO tb_user (pk_user, name) VALUES (1, 'one') ON CONFLICT (pk_user) DO UPDATE SET name = 'one';
                INSERT INTO tb_post (pk_post, fk_user, title) VALUES (1000001, 1, 'new')");
    client.assert_follows(&blog::ENTITIES);
    program.assert_fresh(&mut client);
    let revision: i64 = client.one("SELECT revision FROM tv_post WHERE pk_post = 1000001");
    let found = program.get("/post/1000001", "").expect("an answer");
    assert!(found.contains(&format!("ETag: \"{revision}\"")), "{found}");
    let same = program.get("/post/1000001", &format!("If-None-Match: \"{revision}\"\r\n"));
    assert!(same.is_some_and(|answer| answer.contains(" 304 ")));
    client.run("DELETE FROM tb_post WHERE pk_post = 1000001");
    client.assert_follows(&blog::ENTITIES);
    program.assert_fresh(&mut client);
    let gone = program.get("/post/1000001", "");
    assert!(gone.is_some_and(|answer| answer.contains(" 404 ")));
}

#[test]
fn the_example_starts_anew_where_it_must() {
    let Some(python) = python() else { return };
    let cluster = Cluster::start(Options::preloaded());
    let (database, mut client) = open(&cluster);
    let program = Program::start(&python, &database);
    program.assert_fresh(&mut client);
    // Any row may have changed.
    client.run("TRUNCATE tb_post; UPDATE pg_tview_meta SET feed = false WHERE entity_name = 'user'");
    client.run("UPDATE tb_user SET name = 'unseen' WHERE pk_user = 1");
    client.assert_follows(&blog::ENTITIES);
    client.run("UPDATE pg_tview_meta SET feed = true WHERE entity_name = 'user'");
    program.assert_fresh(&mut client);
    // Someone has removed the consumer.
    client
        .run("SELECT pg_tviews_unsubscribe('cache'); UPDATE tb_user SET name = 'removed' WHERE pk_user = 2");
    client.assert_follows(&blog::ENTITIES);
    program.assert_fresh(&mut client);
    // It is absent for too long.
    send_signal("STOP", program.child.id() as i32);
    client.run("UPDATE tb_user SET name = 'missed' WHERE pk_user = 3");
    client.assert_follows(&blog::ENTITIES);
    client.run("ALTER SYSTEM SET pg_tviews.feed_retention = '1s'");
    client.run("SELECT pg_reload_conf()");
    client.wait_until("SELECT state = 'resnapshot' FROM pg_tview_consumer", FRESH);
    client.run("ALTER SYSTEM RESET pg_tviews.feed_retention");
    client.run("SELECT pg_reload_conf()");
    send_signal("CONT", program.child.id() as i32);
    program.assert_fresh(&mut client);
    assert_eq!(client.rows("SELECT state FROM pg_tview_consumer"), ["active"]);
    // For a while it may not write, and so not acknowledge.
    let name = &database.name;
    client.run(&format!(
        "ALTER DATABASE {name} SET default_transaction_read_only = on"
    ));
    client.run(DISCONNECT);
    client.run("UPDATE tb_user SET name = 'read only' WHERE pk_user = 4");
    client.assert_follows(&blog::ENTITIES);
    let cached = "SELECT data->>'name' FROM tv_user WHERE pk_user = 4";
    assert_eq!(client.rows(cached), ["read only"]);
    let refused = "cannot execute pg_tviews_ack() in a read-only transaction";
    let deadline = Instant::now() + FRESH;
    while !cluster.read_log().contains(refused) {
        assert!(Instant::now() < deadline, "it has acknowledged nothing");
        std::thread::sleep(Duration::from_millis(50));
    }
    client.run(&format!(
        "ALTER DATABASE {name} RESET default_transaction_read_only"
    ));
    program.assert_fresh(&mut client);
}
