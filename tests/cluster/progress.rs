//! pg_tview_progress: another session follows what is being done with a TVIEW, from the first moment to the last.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use postgres::Client;

use crate::harness::{shared, Ask, Cluster, Database, Options, WAIT};
use crate::slow_documents::{self, cluster};

const ROWS: i32 = 3_000;

/// A view whose rows can only be computed together, and take a while.
const WHOLE: &str = "CREATE TABLE tb_rank (pk_rank int PRIMARY KEY, n int NOT NULL);
     INSERT INTO tb_rank SELECT i, i FROM generate_series(1, 3000) i;
     ANALYZE tb_rank;
     CREATE FUNCTION slowly(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE COST 100000 AS
     $$BEGIN IF n % 10 = 0 THEN PERFORM pg_sleep(0.01); END IF; RETURN 100 / (n - 5000); END$$";
const CREATE_WHOLE: &str =
    "SELECT pg_tviews_create('rank', 'SELECT pk_rank, slowly(n) AS slow, rank() OVER (ORDER BY n) AS place FROM tb_rank')";

/// Takes four seconds, in batches of 400 keys.
fn open<'a>(cluster: &'a Cluster, name: &str) -> (Database<'a>, Client) {
    slow_documents::create(cluster, name, (ROWS, 14, 100_000))
}

/// What one look shows.
#[derive(Debug, Clone, PartialEq)]
struct Look {
    pid: Option<i32>,
    operation: String,
    phase: String,
    keys_total: Option<i64>,
    keys_done: Option<i64>,
    rows_read: Option<i64>,
    rows_written: i64,
    is_estimate: Option<bool>,
    has_rest: bool,
}

fn look(client: &mut Client, entity: &str) -> Vec<Look> {
    let sql =
        "SELECT pid, operation, phase, keys_total, keys_done, rows_read, rows_written, total_is_estimate,
                      estimated_remaining IS NOT NULL
                 FROM pg_tview_progress
                WHERE entity_name = $1 AND datname = current_database() AND started_at <= clock_timestamp()";
    let rows = client.query(sql, &[&entity]).unwrap();
    let look = |row: &postgres::Row| Look {
        pid: row.get(0),
        operation: row.get(1),
        phase: row.get(2),
        keys_total: row.get(3),
        keys_done: row.get(4),
        rows_read: row.get(5),
        rows_written: row.get(6),
        is_estimate: row.get(7),
        has_rest: row.get(8),
    };
    rows.iter().map(look).collect()
}

/// Looks again and again while `work` runs. Each look is in the result with the next one if it shows something else.
fn follow<R>(database: &Database, entity: &str, work: impl FnOnce() -> R) -> (Vec<Look>, R) {
    struct End<'e>(&'e AtomicBool);
    impl Drop for End<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let ended = AtomicBool::new(false);
    let mut follower = database.client();
    thread::scope(|scope| {
        let looks = scope.spawn(|| {
            let mut looks: Vec<Look> = Vec::new();
            while !ended.load(Ordering::SeqCst) {
                for look in look(&mut follower, entity) {
                    if looks.last() != Some(&look) {
                        looks.push(look);
                    }
                }
                thread::sleep(Duration::from_millis(3));
            }
            looks
        });
        let end = End(&ended);
        let result = work();
        drop(end);
        (looks.join().unwrap(), result)
    })
}

/// No value of this operation goes back.
fn never_goes_back(looks: &[Look], operation: &str) {
    let (mut keys, mut written) = (0, 0);
    for look in looks.iter().filter(|look| look.operation == operation) {
        let done = look.keys_done.unwrap_or(keys);
        assert!(
            done >= keys && look.rows_written >= written,
            "{look:?} after {keys} keys: {looks:#?}"
        );
        (keys, written) = (done, look.rows_written);
        assert!(look.keys_total.is_none_or(|total| total >= done), "{look:?}");
        // After five percent of what the process began with, at the earliest.
        assert!(
            !look.has_rest || look.keys_done > Some(0) || look.rows_read > Some(0),
            "{look:?}"
        );
    }
}

fn done(looks: &[Look], operation: &str) -> i64 {
    let of = looks.iter().filter(|look| look.operation == operation);
    of.filter_map(|look| look.keys_done).max().unwrap_or(0)
}

#[track_caller]
fn nothing_is_shown(client: &mut Client) {
    client.wait_until("SELECT count(*) = 0 FROM pg_tview_progress", WAIT);
}

#[test]
fn a_population_by_key_ranges_is_followed_from_its_first_moment_to_its_end() {
    let cluster = cluster();
    let (database, mut client) = open(&cluster, "progress_ranges");
    client.run("SELECT pg_tviews_drop('doc')");
    let (looks, workers) = follow(&database, "doc", || {
        client
            .run("SELECT pg_tviews_create('doc', 'SELECT pk_doc, n, slowly(pk_doc, n) AS slow FROM tb_doc')");
        let workers = client.workers();
        client.assert_follows(&["doc"]);
        workers
    });
    never_goes_back(&looks, "populate");
    assert_eq!(looks[0].operation, "populate", "{looks:#?}");
    let total = |look: &Look| look.keys_total.is_some() && look.is_estimate == Some(true);
    let by_range: Vec<&Look> = looks.iter().filter(|look| look.keys_done > Some(0)).collect();
    assert!(
        by_range.len() > 3 && by_range.iter().all(|look| total(look)),
        "{looks:#?}"
    );
    assert!(by_range.iter().all(|look| look.rows_read.is_none()), "{looks:#?}");
    assert!(by_range.iter().any(|look| look.has_rest), "{looks:#?}");
    assert!(
        looks.iter().any(|look| look.phase == "comparing rows"),
        "{looks:#?}"
    );
    assert!(
        looks
            .iter()
            .filter_map(|look| look.pid)
            .all(|pid| workers.contains(&pid)),
        "{workers:?} {looks:#?}"
    );
    assert!(done(&looks, "populate") > i64::from(ROWS / 2), "{looks:#?}");
    nothing_is_shown(&mut client);
}

#[test]
fn rows_are_counted_where_a_view_is_computed_as_a_whole() {
    let cluster = cluster();
    let database = Database::new(&cluster, "progress_whole");
    let mut client = database.client();
    client.run(WHOLE);
    for operation in ["populate", "reconcile"] {
        let (looks, ()) = follow(&database, "rank", || {
            client.run(match operation {
                "populate" => CREATE_WHOLE,
                _ => "UPDATE tb_rank SET n = n + 1 WHERE pk_rank = 3000",
            });
            client.assert_follows(&["rank"]);
        });
        never_goes_back(&looks, operation);
        let counted = |look: &&Look| look.operation == operation && look.keys_done > Some(0);
        let counted: Vec<&Look> = looks.iter().filter(counted).collect();
        assert!(counted.len() > 20, "{looks:#?}");
        let all = Some(i64::from(ROWS));
        assert!(
            counted
                .iter()
                .all(|look| look.keys_total == all && look.rows_read >= all),
            "{looks:#?}"
        );
        assert!(counted.iter().any(|look| look.has_rest), "{looks:#?}");
        let written = counted.iter().map(|look| look.rows_written).max();
        assert!(
            if operation == "populate" {
                written > Some(100)
            } else {
                written <= Some(1)
            },
            "{looks:#?}"
        );
        nothing_is_shown(&mut client);
    }
}

#[test]
fn an_interrupted_population_goes_on_where_it_was() {
    let cluster = cluster();
    let (database, mut client) = open(&cluster, "progress_interrupted");
    for interrupt in ["pg_cancel_backend(pid)", "pg_terminate_backend(pid)"] {
        client.run("SELECT pg_tviews_drop('doc')");
        client
            .run("SELECT pg_tviews_create('doc', 'SELECT pk_doc, n, slowly(pk_doc, n) AS slow FROM tb_doc')");
        let (looks, before) = follow(&database, "doc", || {
            client.wait_until("SELECT max(keys_done) >= 800 FROM pg_tview_progress", WAIT);
            client.run(&format!("SELECT {interrupt} FROM pg_stat_activity WHERE backend_type = 'pg_tviews worker' AND datname = current_database()"));
            let interrupted = client.one::<i64>("SELECT max(keys_done) FROM pg_tview_progress");
            client.assert_follows(&["doc"]);
            interrupted
        });
        // Also not to zero, where a process begins again that knows nothing of the first.
        never_goes_back(&looks, "populate");
        assert!((800..i64::from(ROWS)).contains(&before), "{before} {looks:#?}");
        let after: Vec<i64> = looks
            .iter()
            .filter_map(|look| look.keys_done)
            .filter(|keys| *keys >= before)
            .collect();
        assert!(after.len() > 1, "{looks:#?}");
        assert_eq!(
            client.one::<i64>("SELECT count(*) FROM pg_tview_meta_audit a JOIN pg_tview_meta USING (tview_oid) WHERE a.operation = 'compare'"),
            1
        );
        nothing_is_shown(&mut client);
    }
}

#[test]
fn a_population_that_no_process_works_on_waits_to_be_continued() {
    let cluster = cluster();
    let (_database, mut client) = open(&cluster, "progress_waiting");
    client.wait_until("SELECT max(keys_done) >= 400 FROM pg_tview_progress", WAIT);
    client.run("SELECT pg_tviews_pause('doc')");
    client.wait_until("SELECT bool_and(pid IS NULL) FROM pg_tview_progress", WAIT);
    let waiting = look(&mut client, "doc");
    assert_eq!(waiting.len(), 1);
    assert_eq!(
        (&*waiting[0].operation, &*waiting[0].phase),
        ("populate", "waiting to continue")
    );
    assert!(
        waiting[0].keys_done >= Some(400) && !waiting[0].has_rest,
        "{waiting:?}"
    );
    client.run("SELECT pg_tviews_resume('doc')");
    client.assert_follows(&["doc"]);
    nothing_is_shown(&mut client);
}

#[test]
fn a_crash_leaves_nothing_that_is_not_true() {
    let cluster = cluster();
    let (database, mut client) = open(&cluster, "progress_crash");
    client.wait_until(
        "SELECT max(keys_done) >= 2000 FROM pg_tview_progress WHERE pid IS NOT NULL",
        WAIT,
    );
    let pid = client.one::<i32>("SELECT pid FROM pg_tview_progress WHERE pid IS NOT NULL");
    cluster.kill(pid, &mut client, &database.name);
    let looks = look(&mut client, "doc");
    assert!(looks.iter().all(|look| look.pid != Some(pid)), "{looks:?}");
    // Workers commit asynchronously: the last batches may be lost.
    client.wait_until("SELECT max(keys_done) > 0 FROM pg_tview_progress", WAIT);
    let (looks, ()) = follow(&database, "doc", || client.assert_follows(&["doc"]));
    never_goes_back(&looks, "populate");
    nothing_is_shown(&mut client);
}

#[test]
fn an_operation_that_fails_is_not_shown_any_more() {
    let cluster = cluster();
    let database = Database::new(&cluster, "progress_fails");
    let mut client = database.client();
    client.run(WHOLE);
    client.run(CREATE_WHOLE);
    client.assert_follows(&["rank"]);
    let (looks, ()) = follow(&database, "rank", || {
        client.run("UPDATE tb_rank SET n = 5000");
        client.wait_until("SELECT state = 'suspended' FROM pg_tview_status", WAIT);
    });
    assert!(
        looks.iter().any(|look| look.operation == "reconcile"),
        "{looks:#?}"
    );
    // It is tried again from time to time; between two attempts nothing is shown.
    nothing_is_shown(&mut client);
}

#[test]
fn a_session_that_refreshes_is_shown_until_it_ends_in_any_way() {
    let cluster = Cluster::start(Options::preloaded().set("pg_tviews.workers", "0"));
    let (database, mut client) = slow_documents::create(&cluster, "progress_session", (ROWS, 14, 100_000));
    for end in ["", "pg_cancel_backend", "pg_terminate_backend"] {
        client.run("UPDATE tb_doc SET n = n + 1 WHERE pk_doc <= 1000");
        let mut session = database.client();
        let pid = session.one::<i32>("SELECT pg_backend_pid()");
        let (looks, result) = follow(&database, "doc", || {
            thread::scope(|scope| {
                let drain = scope.spawn(|| session.batch_execute("CALL pg_tviews_drain()"));
                client.wait_until(
                    "SELECT count(*) = 1 FROM pg_tview_progress WHERE phase <> 'preparing'",
                    WAIT,
                );
                if !end.is_empty() {
                    client.run(&format!("SELECT {end}({pid})"));
                }
                drain.join().unwrap()
            })
        });
        assert_eq!(result.is_ok(), end.is_empty(), "{end} {result:?}");
        assert!(
            !looks.is_empty() && looks.iter().all(|look| look.pid.is_none_or(|at| at == pid)),
            "{looks:#?}"
        );
        client.wait_until(
            "SELECT count(*) = 0 FROM pg_tview_progress WHERE pid IS NOT NULL",
            WAIT,
        );
    }
    client.run("CALL pg_tviews_drain()");
    nothing_is_shown(&mut client);
}

#[test]
fn keys_of_a_large_backlog_count_whichever_worker_computes_them() {
    let cluster = cluster();
    let (database, mut client) = open(&cluster, "progress_shared");
    client.assert_follows(&["doc"]);
    client.started_workers();
    let (looks, ()) = follow(&database, "doc", || {
        client.run("UPDATE tb_doc SET n = n + 1");
        client.assert_follows(&["doc"]);
    });
    // Another refresh, which finds nothing to do, may follow.
    let known: Vec<Look> = looks
        .iter()
        .filter(|look| look.keys_total.is_some())
        .cloned()
        .collect();
    never_goes_back(&known, "refresh");
    assert!(
        known.iter().all(|look| look.keys_total == Some(i64::from(ROWS))),
        "{looks:#?}"
    );
    assert!(
        known.iter().all(|look| look.is_estimate == Some(false)),
        "{looks:#?}"
    );
    // The last parts may be done a moment before the end.
    assert!(done(&looks, "refresh") > i64::from(ROWS / 2), "{looks:#?}");
    nothing_is_shown(&mut client);
}

#[test]
fn who_sees_what() {
    let cluster = cluster();
    let database = Database::new(&cluster, "progress_roles");
    let other = Database::new(&cluster, "progress_elsewhere");
    let mut client = database.client();
    client.run(
        "CREATE ROLE progress_owner LOGIN; CREATE ROLE progress_stranger LOGIN; CREATE ROLE progress_monitor LOGIN IN ROLE pg_monitor;
         GRANT CREATE ON SCHEMA public TO progress_owner",
    );
    client.run(WHOLE);
    client.run("ALTER TABLE tb_rank OWNER TO progress_owner");
    let mut owner = database.client_as("progress_owner");
    owner.run(CREATE_WHOLE);
    let under_way = "SELECT count(*) = 1 FROM pg_tview_progress WHERE entity_name = 'rank' AND rows_read > 0";
    owner.wait_until(under_way, WAIT);
    let count = "SELECT count(*) FROM pg_tview_progress";
    assert_eq!(database.client_as("progress_stranger").one::<i64>(count), 0);
    assert_eq!(database.client_as("progress_monitor").one::<i64>(count), 1);
    // Of other databases, too, with the names of the database and of the TVIEW.
    assert_eq!(
        other
            .client_as("progress_monitor")
            .rows("SELECT datname, entity_name, operation FROM pg_tview_progress"),
        ["progress_roles|rank|populate"]
    );
    assert_eq!(other.client_as("progress_owner").one::<i64>(count), 1);
    assert_eq!(other.client_as("progress_stranger").one::<i64>(count), 0);
    client.assert_follows(&["rank"]);
}

#[test]
fn nothing_is_shown_of_nothing() {
    let database = Database::new(shared(), "progress_nothing");
    let mut client = database.client();
    client.run(
        "CREATE TABLE tb_a (pk_a int PRIMARY KEY); SELECT pg_tviews_create('a', 'SELECT pk_a FROM tb_a')",
    );
    client.assert_follows(&["a"]);
    let own = "SELECT count(*) FROM pg_tview_progress WHERE datname = current_database()";
    client.wait_until(&format!("SELECT ({own}) = 0"), WAIT);
    // A small view is filled by the session that creates the TVIEW.
    client.run("BEGIN; SELECT pg_tviews_create('b', 'SELECT pk_a AS pk_b FROM tb_a')");
    assert_eq!(client.one::<i64>(&format!("{own} AND pid = pg_backend_pid()")), 0);
    client.run("ROLLBACK");
}
