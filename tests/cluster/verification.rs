//! Workers compare TVIEWs with their views in the background: a row that somebody has damaged is found and recomputed,
//! and nothing else is taken for damage.

use std::time::{Duration, Instant};

use postgres::Client;

use crate::harness::{Ask, Cluster, Database, Load, Options, Plan, Random, StopMode, WAIT};

pub const DRIFT: &str = "SELECT count(*) FROM pg_tview_meta_audit WHERE operation = 'drift'";

/// A cluster that verifies all rows again and again.
pub fn cluster() -> Cluster {
    cluster_with(Options::preloaded())
}

fn cluster_with(options: Options) -> Cluster {
    Cluster::start(
        options
            .set("pg_tviews.verify_cycle", "1")
            .set("pg_tviews.verify_share", "100"),
    )
}

/// A TVIEW of posts with their authors.
fn open<'c>(cluster: &'c Cluster, name: &str, rows: i32) -> (Database<'c>, Client) {
    let database = Database::new(cluster, name);
    let mut client = database.client();
    client.run(&format!(
        "CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text);
         CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int, title text);
         CREATE INDEX ON tb_post (fk_user);
         INSERT INTO tb_user SELECT i, 'user ' || i FROM generate_series(1, 100) i;
         INSERT INTO tb_post SELECT i, i % 100 + 1, 'post ' || i FROM generate_series(1, {rows}) i;
         ANALYZE"
    ));
    client.run(
        "SELECT pg_tviews_create('post', 'SELECT pk_post, jsonb_build_object(''title'', title, ''author'', name) AS data
           FROM tb_post JOIN tb_user ON pk_user = fk_user')",
    );
    client.assert_follows(&["post"]);
    (database, client)
}

/// Writes as only a superuser can.
pub fn behind_the_back(client: &mut Client, sql: &str) {
    client.run(&format!(
        "SET session_replication_role = replica; {sql}; RESET session_replication_role"
    ));
}

/// Waits until two more walks over all rows of a TVIEW are complete.
pub fn verified_again(client: &mut Client, entity: &str) {
    for _ in 0..2 {
        let before: String = client.one("SELECT clock_timestamp()::text");
        client.wait_until(
            &format!("SELECT verified_at > '{before}' FROM pg_tview_status WHERE entity_name = '{entity}'"),
            2 * WAIT,
        );
    }
}

#[test]
fn damaged_missing_and_extra_rows_are_found_and_recomputed() {
    let cluster = cluster();
    let (_database, mut client) = open(&cluster, "verify_damage", 20_000);
    verified_again(&mut client, "post");
    assert_eq!(client.one::<i64>(DRIFT), 0);
    behind_the_back(
        &mut client,
        "UPDATE tv_post SET data = '{\"title\": \"secret\"}' WHERE pk_post = 12345",
    );
    behind_the_back(&mut client, "DELETE FROM tv_post WHERE pk_post = 7");
    client.run(
        "SET pg_tviews.allow_table_writes = on; INSERT INTO tv_post (pk_post, data) VALUES (20001, '{}')",
    );
    client.wait_until(&format!("SELECT ({DRIFT}) = 3"), 2 * WAIT);
    client.assert_follows(&["post"]);
    verified_again(&mut client, "post");
    assert_eq!(
        client.rows(
            "SELECT details ->> 'problem', details -> 'key', details -> 'columns', (details ->> 'old')::json ->> 'data', (details ->> 'new')::json ->> 'data'
               FROM pg_tview_meta_audit WHERE operation = 'drift' ORDER BY details -> 'key'"
        ),
        [
            "missing|{\"pk_post\": 7}|null|~|{\"title\": \"post 7\", \"author\": \"user 8\"}",
            "different|{\"pk_post\": 12345}|[\"data\"]|{\"title\": \"secret\"}|{\"title\": \"post 12345\", \"author\": \"user 46\"}",
            "extra|{\"pk_post\": 20001}|null|{}|~",
        ]
    );
    assert_eq!(
        client.rows("SELECT drifted_keys, verified_rows, unverified_because FROM pg_tview_status"),
        ["3|20000|~"]
    );
    assert_eq!(
        client.rows("SELECT status, message ~ '^3 rows of public.tv_post .*operation = ''drift''' FROM pg_tviews_health_check() WHERE component = 'verification'"),
        ["WARNING|t"]
    );
    let log = cluster.read_log();
    assert!(
        log.contains("of public.tv_post differed from the backing view"),
        "{log}"
    );
    assert!(!log.contains("post 12345"), "values of rows are in the log");
}

#[test]
fn a_table_that_was_emptied_is_filled_again() {
    let cluster = cluster();
    let (_database, mut client) = open(&cluster, "verify_emptied", 20_000);
    behind_the_back(&mut client, "DELETE FROM tv_post");
    client.wait_until("SELECT count(*) = 20000 FROM tv_post", 2 * WAIT);
    client.assert_follows(&["post"]);
    verified_again(&mut client, "post");
    let reported: i64 = client.one(DRIFT);
    assert!((2..=200).contains(&reported), "{reported} audit rows");
    client.assert_follows(&["post"]);
}

#[test]
fn nothing_is_verified_when_it_is_off() {
    let cluster = cluster();
    let (_database, mut client) = open(&cluster, "verify_off", 500);
    client.run("ALTER SYSTEM SET pg_tviews.verify_cycle = 0");
    client.run("SELECT pg_reload_conf()");
    client.wait_until("SELECT current_setting('pg_tviews.verify_cycle') = '0'", WAIT);
    // Workers notice it before they begin another slice.
    client.run("UPDATE tb_post SET title = 'x' WHERE pk_post = 1");
    client.assert_follows(&["post"]);
    std::thread::sleep(Duration::from_millis(500));
    let before = client.rows("SELECT verified_at FROM pg_tview_status");
    behind_the_back(&mut client, "DELETE FROM tv_post WHERE pk_post = 7");
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(client.rows("SELECT verified_at FROM pg_tview_status"), before);
    assert_eq!(
        client.one::<i64>("SELECT count(*) FROM tv_post WHERE pk_post = 7"),
        0
    );
    client.run("ALTER SYSTEM RESET pg_tviews.verify_cycle");
    client.run("SELECT pg_reload_conf()");
    client.wait_until("SELECT count(*) = 1 FROM tv_post WHERE pk_post = 7", 2 * WAIT);
}

#[test]
fn rows_that_depend_on_time_or_chance_are_reported_once() {
    let cluster = cluster();
    let database = Database::new(&cluster, "verify_unseen");
    let mut client = database.client();
    client.run(
        "CREATE TABLE tb_doc (pk_doc int PRIMARY KEY, n int);
         INSERT INTO tb_doc SELECT i, i FROM generate_series(1, 300) i;
         CREATE FUNCTION chance() RETURNS float LANGUAGE sql IMMUTABLE AS 'SELECT random()';
         SELECT pg_tviews_create('aged', 'SELECT pk_doc AS pk_aged, now() AS at FROM tb_doc');
         SELECT pg_tviews_create('diced', 'SELECT pk_doc AS pk_diced, random() AS value FROM tb_doc');
         SELECT pg_tviews_create('hidden', 'SELECT pk_doc AS pk_hidden, chance() AS value FROM tb_doc WHERE pk_doc < 4')",
    );
    client.wait_until(
        "SELECT count(*) = 3 FROM pg_tview_status WHERE unverified_because IS NOT NULL",
        2 * WAIT,
    );
    let refreshes = "SELECT entity_name, count(*) FROM pg_tview_meta_audit WHERE operation = 'refresh' GROUP BY 1 ORDER BY 1";
    let before = client.rows(refreshes);
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(client.rows(refreshes), before, "rows are recomputed for ever");
    assert_eq!(
        client.rows("SELECT entity_name, details -> 'unseen' FROM pg_tview_meta_audit WHERE operation = 'drift' AND status = 'PARTIAL' ORDER BY 1"),
        ["aged|[\"now()\"]", "diced|[\"random()\"]", "hidden|[]"]
    );
    assert_eq!(
        client.rows("SELECT entity_name, count(*) FROM pg_tview_meta_audit WHERE operation = 'drift' AND status = 'ERROR' GROUP BY 1"),
        // What cannot be told from the view is taken for damage once.
        ["hidden|3"]
    );
}

#[test]
fn code_of_a_view_leaves_nothing_in_the_worker_that_verifies() {
    let cluster = cluster();
    let database = Database::new(&cluster, "verify_leftovers");
    let mut client = database.client();
    client.run(
        "CREATE TABLE tb_item (pk_item int PRIMARY KEY, n int);
         INSERT INTO tb_item VALUES (1, 1);
         CREATE FUNCTION public.holds(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
             $$BEGIN PERFORM pg_advisory_lock(4711); RETURN n; END$$;
         SELECT pg_tviews_create('item', 'SELECT pk_item, public.holds(n) AS n FROM tb_item')",
    );
    // That session has run the code, too.
    drop(client);
    let mut client = database.client();
    verified_again(&mut client, "item");
    client.run("ALTER SYSTEM SET pg_tviews.verify_cycle = 0");
    client.run("SELECT pg_reload_conf()");
    client.wait_until(
        "SELECT count(*) = 0 FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711",
        WAIT,
    );
}

#[test]
fn a_walk_goes_on_after_a_restart() {
    let cluster = Cluster::start(
        Options::preloaded()
            .set("pg_tviews.verify_cycle", "3600")
            .set("pg_tviews.verify_share", "10"),
    );
    let (database, mut client) = open(&cluster, "verify_restart", 60_000);
    // First walks are spread over the cycle.
    client.run("UPDATE pg_tview_definition SET created_at = created_at - interval '1 hour'");
    client.wait_until(
        "SELECT verified_to IS NOT NULL FROM pg_tview_verification",
        2 * WAIT,
    );
    behind_the_back(
        &mut client,
        "UPDATE tv_post SET data = '{}' WHERE pk_post = 60000",
    );
    let begun = client.rows("SELECT begun_at FROM pg_tview_verification");
    for mode in [StopMode::Fast, StopMode::Immediate] {
        cluster.restart(mode);
    }
    let mut client = database.client();
    client.wait_until(&format!("SELECT ({DRIFT}) = 1"), 4 * WAIT);
    client.wait_until("SELECT verified_at IS NOT NULL FROM pg_tview_status", 4 * WAIT);
    assert_eq!(client.rows("SELECT begun_at FROM pg_tview_verification"), begun);
    client.assert_follows(&["post"]);
}

#[test]
fn the_share_of_a_cpu_is_kept() {
    let cluster = Cluster::start(
        Options::preloaded()
            .set("pg_tviews.verify_cycle", "1")
            .set("pg_tviews.verify_share", "5"),
    );
    let (_database, mut client) = open(&cluster, "verify_share", 50_000);
    client.wait_until(
        "SELECT verified_to IS NOT NULL FROM pg_tview_verification",
        2 * WAIT,
    );
    let ticks = |client: &mut Client| -> u64 { client.workers().into_iter().map(cpu_ticks).sum() };
    let (before, begin) = (ticks(&mut client), Instant::now());
    std::thread::sleep(Duration::from_secs(12));
    let used = (ticks(&mut client) - before) as f64 / 100.0;
    let share = used / begin.elapsed().as_secs_f64();
    assert!(share < 0.15, "workers took {share:.3} of a CPU");
}

/// CPU time of a process in hundredths of a second.
fn cpu_ticks(pid: i32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let number = |place: usize| {
        fields
            .get(place)
            .and_then(|text| text.parse::<u64>().ok())
            .unwrap_or(0)
    };
    number(11) + number(12)
}

/// Views of many shapes under random writers: nothing is taken for damage.
#[test]
fn no_change_is_taken_for_damage() {
    let cluster = cluster();
    let database = Database::new(&cluster, "verify_load");
    let mut client = database.client();
    client.run(
        "CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text, score numeric);
         CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int, n int);
         CREATE TABLE tb_text (pk_text text PRIMARY KEY, n int);
         CREATE TABLE tb_pair (a int, b int, n int, PRIMARY KEY (a, b));
         CREATE INDEX ON tb_post (fk_user);
         INSERT INTO tb_user SELECT i, 'user ' || i, i FROM generate_series(1, 300) i;
         INSERT INTO tb_post SELECT i, i % 300 + 1, i FROM generate_series(1, 3000) i;
         INSERT INTO tb_text SELECT 'key ' || i, i FROM generate_series(1, 2000) i;
         INSERT INTO tb_pair SELECT i / 50, i % 50, i FROM generate_series(1, 2000) i;
         ANALYZE",
    );
    let views = [
        ("post", "SELECT pk_post, n, name FROM tb_post LEFT JOIN tb_user ON pk_user = fk_user"),
        ("user", "SELECT pk_user, name, (SELECT jsonb_agg(n ORDER BY pk_post) FROM tb_post WHERE fk_user = pk_user) AS posts FROM tb_user"),
        ("total", "SELECT fk_user AS pk_total, count(*) AS posts, sum(n) AS n FROM tb_post GROUP BY fk_user"),
        ("text", "SELECT pk_text, n, n % 500 - 1 AS part FROM tb_text"),
        ("ratio", "SELECT pk_text AS pk_ratio, 100 / (n % 2500) AS part FROM tb_text"),
        ("pair", "SELECT a, b, n, (SELECT name FROM tb_user WHERE pk_user = n % 300) AS name FROM tb_pair"),
        ("rank", "SELECT pk_user AS pk_rank, rank() OVER (ORDER BY score) AS place FROM tb_user"),
        ("upper", "SELECT pk_user AS pk_upper, upper(name) AS name, posts FROM tv_user"),
        ("twice", "SELECT n % 1900 AS pk_twice, min(b) AS b FROM tb_pair GROUP BY n % 1900, n % 7 = 8"),
    ];
    for (name, view) in views {
        let keys = if name == "pair" {
            ", key_columns => '{a,b}'"
        } else {
            ""
        };
        client.run(&format!("SELECT pg_tviews_create('{name}', $q${view}$q${keys})"));
    }
    let random = Random::announced("no_change_is_taken_for_damage");
    let plan = Plan {
        cluster: &cluster,
        database: &database.name,
        statements: &[
            "UPDATE tb_user SET name = 'name {9}' WHERE pk_user = {300}",
            "UPDATE tb_user SET score = {300} WHERE pk_user = {300}",
            "UPDATE tb_post SET n = {500} WHERE fk_user = {300}",
            "UPDATE tb_post SET fk_user = {300} WHERE pk_post = {3000}",
            "INSERT INTO tb_post VALUES ({4000}, {300}, {100}) ON CONFLICT DO NOTHING",
            "DELETE FROM tb_post WHERE pk_post = {3000}",
            "UPDATE tb_text SET n = {3000} WHERE pk_text = 'key {2000}'",
            "UPDATE tb_text SET pk_text = pk_text || 'x' WHERE n = {3000}",
            "UPDATE tb_pair SET n = {3000} WHERE a = {40} AND b = {50}",
            "DELETE FROM tb_pair WHERE a = {40} AND b = {50}",
            "SELECT count(*) FROM tv_user WHERE pk_user < {300}",
            "SELECT pg_tviews_refresh('text', ARRAY['key {2000}'])",
            "SELECT pg_tviews_refresh('total')",
        ],
        crashes: false,
    };
    let seconds = std::env::var("PG_TVIEWS_VERIFY_SECONDS");
    let seconds = seconds.ok().and_then(|text| text.parse().ok()).unwrap_or(15);
    Load::during(&plan, 4, &random, |_| {
        let begin = Instant::now();
        let mut other = database.client();
        while begin.elapsed() < Duration::from_secs(seconds) {
            other.run("CREATE OR REPLACE VIEW v_text AS SELECT pk_text, n, n % 500 - 1 AS part FROM tb_text WHERE true");
            std::thread::sleep(Duration::from_millis(300));
            other.run("SELECT pg_tviews_pause('user')");
            std::thread::sleep(Duration::from_millis(300));
            other.run("SELECT pg_tviews_resume('user')");
            other.run("CREATE OR REPLACE VIEW v_text AS SELECT pk_text, n, n % 500 - 2 AS part FROM tb_text");
            std::thread::sleep(Duration::from_millis(900));
        }
    });
    for entity in ["post", "user", "total", "text", "pair", "rank", "upper"] {
        verified_again(&mut client, entity);
    }
    let false_alarms = client.rows(
        "SELECT entity_name, message, details FROM pg_tview_meta_audit WHERE operation = 'drift' LIMIT 10",
    );
    assert!(false_alarms.is_empty(), "{}", false_alarms.join("\n"));
    let drifted: i64 = client.one("SELECT sum(drifted_keys)::bigint FROM pg_tview_status");
    assert_eq!(drifted, 0);
    // And still it sees.
    behind_the_back(
        &mut client,
        "DELETE FROM tv_post WHERE pk_post = (SELECT min(pk_post) FROM tv_post)",
    );
    client.wait_until(&format!("SELECT ({DRIFT}) = 1"), 2 * WAIT);
}
