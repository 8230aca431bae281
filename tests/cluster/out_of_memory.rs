//! Sessions with little memory, and something large for each way into the extension: an ERROR, and the session goes on.

use postgres::Client;

use crate::harness::{server_program, Ask, Cluster, Database, Options};

/// kB beyond what a session has when it is fresh.
const STEPS: [u64; 5] = [40_000, 110_000, 230_000, 470_000, 950_000];

/// What is large, and what is done with it. Each is tried with more and more memory until it succeeds or is refused.
const LARGE: [(&str, &str); 22] = [
    ("a name", "SELECT pg_tviews_pause(repeat('n', 90000000))"),
    ("a name to be made", "SELECT pg_tviews_create(repeat('n', 90000000))"),
    ("a name to be drained", "CALL pg_tviews_drain(repeat('n', 90000000))"),
    ("a query", "SELECT pg_tviews_create('x', 'SELECT 1 AS id, ''' || repeat('q', 90000000) || ''' AS t')"),
    ("a query to explain", "SELECT * FROM pg_tviews_explain('SELECT 1 AS id, ''' || repeat('q', 90000000) || ''' AS t')"),
    ("key columns", "SELECT pg_tviews_create('doc', key_columns => array_agg(repeat('c', 60))) FROM generate_series(1, 1000000)"),
    ("declared columns", "UPDATE pg_tview_meta SET fk_columns = (SELECT array_agg(repeat('c', 60)) FROM generate_series(1, 1000000))"),
    ("a key to refresh", "SELECT pg_tviews_refresh('doc', ARRAY[repeat('k', 90000000)])"),
    ("a key to wait for", "SELECT pg_tviews_wait('doc', key => repeat('k', 90000000))"),
    ("a key or a time", "SELECT pg_tviews_wait('doc', repeat('k', 90000000))"),
    ("a key that may be pending", "SELECT * FROM pg_tviews_pending('doc', ARRAY[repeat('k', 90000000)])"),
    ("keys to refresh", "SELECT pg_tviews_refresh('doc', array_agg(i::text)) FROM generate_series(1, 200000) AS i"),
    ("keys that may be pending", "SELECT count(*) FROM pg_tviews_pending('doc', (SELECT array_agg(i::text) FROM generate_series(1, 60000) AS i))"),
    ("rows of a source", "SELECT pg_tviews_affected('doc', 'tb_doc', jsonb_agg(repeat('r', 9000))) FROM generate_series(1, 10000)"),
    ("a deep document", "SELECT pg_tviews_affected('doc', 'tb_doc', (repeat('[', 5000) || repeat(']', 5000))::jsonb)"),
    ("a value that is captured", "UPDATE tb_doc SET kind = repeat('v', 90000000) WHERE pk_doc = 1"),
    ("values that are captured", "UPDATE tb_doc SET kind = kind || md5(pk_doc::text) || md5((-pk_doc)::text)"),
    ("a value of the document", "UPDATE tb_doc SET body = repeat('b', 90000000) WHERE pk_doc = 1"),
    ("a message", "DO $$ BEGIN RAISE EXCEPTION '%', repeat('m', 60000000) USING ERRCODE = 'XT001'; END $$"),
    ("a comment", "DO $$ BEGIN EXECUTE 'COMMENT ON TABLE tb_doc IS ''' || repeat('c', 60000000) || ''''; END $$"),
    ("differences", "SELECT count(*) FROM pg_tviews_check('doc')"),
    ("all keys", "SELECT count(*) FROM pg_tviews_affected('full', 'tb_doc', '{\"pk_doc\": 1}')"),
];

fn open<'c>(cluster: &'c Cluster, name: &str) -> (Database<'c>, Client) {
    let database = Database::new(cluster, name);
    let mut client = database.client();
    client.run(
        "SET statement_timeout = '2min';
         CREATE TABLE tb_kind (kind text PRIMARY KEY, name text);
         CREATE TABLE tb_doc (pk_doc int PRIMARY KEY, kind text NOT NULL, body text);
         INSERT INTO tb_kind VALUES ('a', 'A');
         INSERT INTO tb_doc SELECT i, 'a', 'b' FROM generate_series(1, 60000) AS i;
         ANALYZE tb_kind, tb_doc",
    );
    for (name, body) in [("doc", "d.body"), ("full", "count(*) OVER () || d.body")] {
        client.run(&format!(
            "SELECT pg_tviews_create('{name}', 'SELECT d.pk_doc AS pk_{name}, k.name, {body} AS body
                                                  FROM tb_doc d LEFT JOIN tb_kind k USING (kind)')"
        ));
    }
    client.run("CALL pg_tviews_drain()");
    (database, client)
}

/// The size of a process in kB.
fn size(pid: i32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
    let number = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
    number.expect("a number of kB")
}

fn limit(pid: i32, soft: &str) {
    let mut limited = server_program("/usr/bin/prlimit");
    limited.args([format!("--pid={pid}"), format!("--as={soft}:unlimited")]);
    assert!(limited.status().expect("prlimit runs").success());
}

/// Runs a statement, and reads what it changed, with so many kB more than the session has. None: it succeeded.
fn outcome(database: &Database, statement: &str, more: u64) -> Option<String> {
    let mut client = database.client();
    client.run("SET statement_timeout = '2min'; SET pg_tviews.preview_limit = 100000");
    // What is loaded and planned at first is there.
    client.run("SELECT count(*) FROM tv_doc, pg_tview_status; SELECT pg_tviews_refresh('doc', '{1}')");
    let pid: i32 = client.one("SELECT pg_backend_pid()");
    limit(pid, &((size(pid) + more) * 1024).to_string());
    client.run("BEGIN");
    let both = client
        .batch_execute(statement)
        .and_then(|()| client.batch_execute("SELECT count(*) FROM tv_doc"));
    let sqlstate = |error: postgres::Error| {
        let code = error.code().map(|code| code.code().to_string());
        code.unwrap_or_else(|| format!("the session ended: {error}"))
    };
    let failed = both.err().map(sqlstate);
    // The end of the transaction writes what was captured.
    let committed = client.batch_execute("COMMIT");
    let failed = failed.or(committed.err().map(sqlstate));
    let alive = client.query_one("SELECT pg_backend_pid()", &[]).ok();
    let alive: Option<i32> = alive.map(|row| row.get(0));
    assert_eq!(alive, Some(pid), "{statement} with {more} kB: {failed:?}");
    failed
}

#[test]
fn what_is_large_is_an_error_where_memory_is_little() {
    let cluster = Cluster::start(Options::preloaded().set("pg_tviews.workers", "0"));
    let (database, mut client) = open(&cluster, "large_things");
    let started: String = client.one("SELECT pg_postmaster_start_time()::text");
    client.run("SET pg_tviews.allow_table_writes = on; UPDATE tv_doc SET body = 'c'");
    for (what, statement) in LARGE {
        let mut seen = Vec::new();
        for more in STEPS {
            let failed = outcome(&database, statement, more);
            let over = failed.as_deref() != Some("53200");
            seen.push(failed);
            if over {
                break;
            }
        }
        println!("{what}: {seen:?}");
        let allowed = ["53200", "54000", "54011", "42622", "22P02", "22023", "XT001"];
        let fine = |failed: &Option<String>| failed.as_deref().is_none_or(|code| allowed.contains(&code));
        assert!(seen.iter().all(fine), "{what}: {seen:?}");
        assert_ne!(seen.last(), Some(&Some("53200".to_string())), "{what}: {seen:?}");
    }
    assert_eq!(
        client.one::<String>("SELECT pg_postmaster_start_time()::text"),
        started
    );
    let log = cluster.read_log();
    assert!(!log.contains("terminated by signal") && !log.contains("FATAL:  out of memory"));
}
